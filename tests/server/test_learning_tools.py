"""The learning loop as an MCP client sees it: outcomes, lessons and feedback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, PromptReference, ResourceTemplateReference

from mem_mcp import Settings
from mem_mcp.config import StoreSettings
from mem_mcp.server.app import build_server
from mem_mcp.server.lazy_memory import LazyMemory

pytestmark = pytest.mark.anyio

ABSENT = "0" * 32
ANN = "ann"
AS_DATA = "not instructions"
LESSON = "Run the database migration before the deployment"
FAILED = {
    "task": "Deploy the web shop to staging",
    "outcome": "failure",
    "summary": "The health check found no column named price",
    "lesson": LESSON,
    "task_type": "deploy",
    "tool_name": "deploy.sh",
}
NEXT = "Deploy the billing service to staging"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def connected(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of a server with every tool; one for all tests, since a model takes time to load."""
    lazy = LazyMemory(
        Settings(
            data_dir=tmp_path_factory.mktemp("memory"),
            tools="all",
            store=StoreSettings(durability="os"),
        )
    )
    async with Client(build_server(lazy)) as client:
        yield client
    await lazy.close()


@pytest.fixture
async def client(connected: Client) -> AsyncIterator[Client]:
    """The client, before an empty memory."""
    yield connected
    everything = {"filters": {"memory_id": {"exists": True}}, "confirm": True, "purge": True}
    for user in ("", ANN, "global"):
        await answer(connected, "forget", user_id=user, **everything)


async def called(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    """Call a tool that must succeed; its structured content must fit its published schema."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, said(result)
    schemas = {each.name: each.output_schema for each in (await client.list_tools()).tools}
    jsonschema.validate(result.structured_content, schemas[tool])
    return result


async def answer(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    return (await called(client, tool, **arguments)).structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that must refuse; return what the model reads."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, said(result)
    assert "pydantic.dev" not in said(result)
    return said(result)


def said(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content)


async def remembered(client: Client, content: str, **arguments: Any) -> str:
    found = await answer(client, "remember", content=content, **arguments)
    return found["results"][0]["memory_id"]


async def recalled(client: Client, query: str, **arguments: Any) -> dict[str, dict[str, Any]]:
    """What recall answers, by id."""
    found = await answer(client, "recall", query=query, **arguments)
    return {each["memory_id"]: each for each in found["memories"]}


async def prompted(client: Client, name: str, **arguments: str) -> str:
    (message,) = (await client.get_prompt(name, arguments)).messages
    return message.content.text


# Outcomes and lessons


async def test_a_failed_task_briefs_the_next_one_like_it(client):
    recorded = await called(client, "record_outcome", **FAILED, severity="major", confidence=0.9)
    outcome = recorded.structured_content
    assert (outcome["outcome"], outcome["evaluated_by"]) == ("failure", "caller")
    assert (outcome["status"], "credited" in outcome) == ("active", False)
    assert said(recorded).endswith(f": {outcome['memory_id'][:8]}")
    briefed = await called(client, "recall_lessons", task=NEXT)
    (failure,) = briefed.structured_content["failures"]
    assert failure["memory_id"] == outcome["memory_id"]
    assert (failure["outcome"], failure["task_type"]) == ("failure", "deploy")
    (tool,) = briefed.structured_content["tool_stats"]
    assert (tool["tool_name"], tool["success"], tool["failure"]) == ("deploy.sh", 0, 1)
    for text in (briefed.structured_content["briefing"], said(briefed)):
        assert LESSON in text
        assert AS_DATA in text
        assert f"\n- [{outcome['memory_id'][:8]} " in text
    assert briefed.structured_content["recall_id"] in said(briefed)


async def test_where_nothing_was_learned_the_model_is_told_so(client):
    nothing = await called(client, "recall_lessons", task=NEXT)
    assert nothing.structured_content["briefing"] == ""
    assert said(nothing).startswith("Nothing is known")


async def test_lessons_can_be_narrowed_down(client):
    await answer(client, "record_outcome", **FAILED, agent_version="1", severity="minor")
    narrowed = [
        ({"task_type": "deploy"}, 1),
        ({"task_type": "cook"}, 0),
        ({"tool_name": "deploy.sh"}, 1),
        ({"tool_name": "helm"}, 0),
        ({"outcomes": ["failure", "partial"]}, 1),
        ({"outcomes": ["success"]}, 0),
        ({"severity": "minor"}, 1),
        ({"severity": "critical"}, 0),
        ({"agent_version": "2"}, 0),
        ({"since": "2020-01-01T00:00:00Z"}, 1),
        ({"since": "2199-01-01T00:00:00Z"}, 0),
        ({"user_id": ANN}, 0),
    ]
    for conditions, count in narrowed:
        found = await answer(client, "recall_lessons", task=NEXT, **conditions)
        assert len(found["failures"]) == count, conditions


async def test_a_global_outcome_is_shared_unless_it_is_not_wanted(client):
    await answer(client, "record_outcome", **FAILED, user_scope="global")
    shared = await answer(client, "recall_lessons", task=NEXT, user_id=ANN)
    own = await answer(client, "recall_lessons", task=NEXT, user_id=ANN, include_global=False)
    assert (len(shared["failures"]), own["failures"]) == (1, [])


async def test_everything_about_an_outcome_is_stored(client):
    used = await remembered(client, "Deployments go through deploy.sh")
    outcome = await answer(
        client,
        "record_outcome",
        **FAILED,
        severity="critical",
        agent_version="7",
        confidence=0.25,
        logs=["first\n", '{"second": 2}'],
        used_memory_ids=[used],
        tags=["shop"],
        metadata={"ticket": 12},
        occurred_at="2026-03-01T10:00:00Z",
        run_id="r1",
        agent_id="a1",
    )
    assert outcome["credited"] == [used]
    memory = (await answer(client, "get_memory", memory_id=outcome["memory_id"]))["memory"]
    stored = {name: memory[name] for name in ("kind", "outcome_type", "task_type", "tool_name")}
    assert stored == {
        "kind": "outcome",
        "outcome_type": "failure",
        "task_type": "deploy",
        "tool_name": "deploy.sh",
    }
    assert (memory["severity"], memory["agent_version"]) == ("critical", "7")
    assert (memory["confidence"], memory["used"]) == (0.25, [used])
    assert (memory["tags"], memory["metadata"]) == (["shop"], {"ticket": 12})
    assert (memory["run_id"], memory["agent_id"]) == ("r1", "a1")
    assert memory["occurred_at"] == "2026-03-01T10:00:00Z"
    assert "first" in memory["source"]
    assert '{"second": 2}' in memory["source"]


async def test_an_outcome_may_be_left_open(client):
    outcome = await answer(client, "record_outcome", task="Wait for the review", confidence=None)
    assert (outcome["outcome"], outcome["evaluated_by"]) == ("unknown", "none")


async def test_a_repeated_key_records_one_outcome(client):
    first = await answer(client, "record_outcome", **FAILED, idempotency_key="k")
    other = {**FAILED, "task": "Another", "lesson": ""}
    again = await answer(client, "record_outcome", **other, idempotency_key="k")
    assert again == first
    assert (await answer(client, "list_memories"))["total"] == 1


async def test_an_outcome_counts_for_the_memories_it_used(client):
    good = await remembered(client, "Deployments go through deploy.sh")
    bad = await remembered(client, "Deployments go through the old pipeline")
    won = {"task": "Deploy the shop", "outcome": "success", "used_memory_ids": [good]}
    recorded = await called(client, "record_outcome", **won)
    assert "1 memory" in said(recorded)
    await answer(client, "record_outcome", **FAILED, used_memory_ids=[bad])
    found = await recalled(client, "How do deployments go?", explain=True)
    assert found[good]["marks"]["successes"] == 1
    assert found[bad]["marks"]["failures"] == 1


async def test_an_outcome_can_credit_all_that_a_recall_answered(client):
    ids = {await remembered(client, f"Deployments need step {n}") for n in range(2)}
    found = await answer(client, "recall", query="What do deployments need?")
    outcome = await answer(client, "record_outcome", **FAILED, recall_id=found["recall_id"])
    assert set(outcome["credited"]) == ids


async def test_an_unknown_recall_is_noted_and_the_outcome_kept(client):
    recorded = await called(client, "record_outcome", **FAILED, recall_id="r-gone")
    assert "r-gone" in said(recorded)
    assert recorded.structured_content["degraded"]


# Feedback


async def test_feedback_moves_what_it_is_about(client):
    question = "How do I restart the search index?"
    helps = await remembered(client, "To restart the search index, run reindex.sh on the worker")
    misleads = await remembered(client, "To restart the search index, press Reindex as admin")
    asked = await called(client, "recall", query=question)
    recall_id = asked.structured_content["recall_id"]
    assert recall_id in said(asked)
    before = {each["memory_id"]: each for each in asked.structured_content["memories"]}
    for memory_id, word in ((helps, "POSITIVE"), (misleads, "NEGATIVE")):
        given = await called(
            client, "give_feedback", memory_id=memory_id, feedback=word, recall_id=recall_id
        )
        assert given.structured_content == {"results": [{"memory_id": memory_id, "feedback": word}]}
        assert f"{memory_id[:8]}: {word}" in said(given)
    after = await recalled(client, question, explain=True)
    assert after[helps]["score"] > before[helps]["score"]
    assert after[misleads]["score"] < before[misleads]["score"]
    assert after[helps]["marks"]["positive"] == after[misleads]["marks"]["negative"] == 1


@pytest.mark.parametrize("nothing", ["", None])
async def test_feedback_can_be_taken_back(client, nothing):
    memory_id = await remembered(client, "The office is in Oslo")
    for word, previous in (("POSITIVE", None), ("NEGATIVE", "POSITIVE"), (nothing, "NEGATIVE")):
        given = await answer(client, "give_feedback", memory_id=memory_id, feedback=word)
        (one,) = given["results"]
        assert (one.get("feedback"), one.get("previous")) == (word or None, previous)


async def test_a_very_wrong_memory_is_hidden_until_that_is_taken_back(client):
    memory_id = await remembered(client, "The office is in Oslo")
    said_of = {"memory_id": memory_id, "query": "Where is the office?"}
    await answer(client, "give_feedback", feedback="VERY_NEGATIVE", **said_of)
    assert memory_id not in await recalled(client, "Where is the office?")
    await answer(client, "give_feedback", feedback="", **said_of)
    assert memory_id in await recalled(client, "Where is the office?")


async def test_of_many_marks_each_has_its_own_result_or_error(client):
    memory_id = await remembered(client, "The office is in Oslo")
    items = [
        {"memory_id": memory_id, "feedback": "POSITIVE", "feedback_reason": "right"},
        {"memory_id": ABSENT, "feedback": "POSITIVE"},
        {"memory_id": memory_id, "feedback": "SO-SO"},
        {"memory_id": memory_id, "feedback": None, "query": "Where is it?"},
    ]
    given = await called(client, "give_feedback", items=items)
    results = given.structured_content["results"]
    assert [one.get("feedback") for one in results] == ["POSITIVE", None]
    missing, wrong = given.structured_content["errors"]
    assert (missing["memory_id"], wrong["memory_id"]) == (ABSENT, memory_id)
    for text in (said(given), wrong["error"]):
        assert "POSITIVE, NEGATIVE, VERY_NEGATIVE" in text


async def test_items_may_come_with_the_other_arguments_empty(client):
    memory_id = await remembered(client, "The office is in Oslo")
    items = [{"memory_id": memory_id, "feedback": "POSITIVE"}]
    given = await answer(client, "give_feedback", memory_id="", feedback="", items=items)
    assert len(given["results"]) == 1


# Bad input

OUTCOMES = ("success", "failure", "partial", "unknown")
SEVERITIES = ("minor", "major", "critical")
FEEDBACKS = ("POSITIVE", "NEGATIVE", "VERY_NEGATIVE")
REFUSED: dict[str, tuple[str, dict[str, Any], Sequence[str]]] = {
    "an unknown argument of an outcome": ("record_outcome", {"task": "x", "result": "y"}, ["resu"]),
    "an unknown argument of lessons": ("recall_lessons", {"task": "x", "query": "y"}, ["query"]),
    "an unknown argument of feedback": ("give_feedback", {"rating": "POSITIVE"}, ["rating"]),
    "no task": ("record_outcome", {"outcome": "success"}, ["task"]),
    "a blank task": ("record_outcome", {"task": " "}, ["task"]),
    "a blank task ahead": ("recall_lessons", {"task": "\n"}, ["task"]),
    "another outcome": ("record_outcome", {"task": "x", "outcome": "won"}, OUTCOMES),
    "another severity": ("record_outcome", {"task": "x", "severity": "bad"}, SEVERITIES),
    "another scope": ("record_outcome", {"task": "x", "user_scope": "team"}, ["user", "global"]),
    "too much confidence": ("record_outcome", {"task": "x", "confidence": 2}, ["confidence"]),
    "a number for the logs": ("record_outcome", {"task": "x", "logs": 5}, ["logs"]),
    "an unknown used memory": (
        "record_outcome",
        {"task": "x", "used_memory_ids": [ABSENT]},
        [ABSENT],
    ),
    "a month that there is not": (
        "record_outcome",
        {"task": "x", "occurred_at": "2026-13-01T00:00"},
        ["occurred_at"],
    ),
    "another outcome asked for": ("recall_lessons", {"task": "x", "outcomes": ["won"]}, OUTCOMES),
    "another severity asked for": (
        "recall_lessons",
        {"task": "x", "severity": "medium"},
        SEVERITIES,
    ),
    "a limit of 0": ("recall_lessons", {"task": "x", "limit": 0}, ["limit"]),
    "another feedback": ("give_feedback", {"memory_id": ABSENT, "feedback": "SO-SO"}, FEEDBACKS),
    "feedback on a missing memory": (
        "give_feedback",
        {"memory_id": ABSENT, "feedback": "POSITIVE"},
        [ABSENT],
    ),
    "feedback on nothing": ("give_feedback", {"feedback": "POSITIVE"}, ["memory_id"]),
    "one and many": (
        "give_feedback",
        {"memory_id": ABSENT, "items": [{"memory_id": ABSENT, "feedback": "POSITIVE"}]},
        ["items"],
    ),
    "no items": ("give_feedback", {"items": []}, ["items"]),
}


async def test_bad_input_is_refused_by_name_with_what_is_allowed(client):
    for what, (tool, arguments, named) in REFUSED.items():
        text = await refusal(client, tool, **arguments)
        assert all(word in text for word in named), (what, text)
    assert (await answer(client, "list_memories"))["total"] == 0


async def test_feedback_on_a_memory_of_another_user_looks_like_on_none(client):
    memory_id = await remembered(client, "Private to Ann", user_id=ANN)
    said_of = {"feedback": "NEGATIVE", "user_id": "ben"}
    other = await refusal(client, "give_feedback", memory_id=memory_id, **said_of)
    absent = await refusal(client, "give_feedback", memory_id=ABSENT, **said_of)
    assert other.replace(memory_id, "ID") == absent.replace(ABSENT, "ID")


# Prompts, resource, completion


async def test_the_prompt_to_start_brings_knowledge_and_lessons(client):
    await remembered(client, "Staging is restored every night", tags=["ops"])
    await remembered(client, "Staging has a red banner", tags=["design"])
    await answer(client, "record_outcome", **FAILED)
    text = await prompted(client, "start_task", task=NEXT, task_type="deploy", tags="ops")
    assert NEXT in text
    assert "restored every night" in text
    assert "red banner" not in text
    assert text.count(LESSON) == 1
    assert LESSON not in await prompted(client, "start_task", task=NEXT, task_type="cook")


async def test_the_prompt_to_finish_names_the_tools_and_what_is_known(client):
    text = await prompted(client, "finish_task", task=NEXT)
    for word in ("record_outcome", "give_feedback", "used_memory_ids", NEXT, *OUTCOMES):
        assert word in text
    text = await prompted(client, "finish_task", task=NEXT, outcome="partial", notes="Half of it")
    assert "Half of it" in text
    assert "partial" in text
    assert "success" not in text


async def test_a_prompt_to_finish_refuses_what_the_tool_would(client):
    with pytest.raises(MCPError, match="task: is empty"):
        await client.get_prompt("finish_task", {"task": " "})
    with pytest.raises(MCPError, match="success, failure, partial, unknown"):
        await client.get_prompt("finish_task", {"task": NEXT, "outcome": "won"})


@pytest.mark.parametrize(
    ("stored", "uri"), [("sql_debug", "sql_debug"), ("büro & post", "b%C3%BCro%20%26%20post")]
)
async def test_the_lessons_of_a_task_type_are_a_resource(client, stored, uri):
    await answer(client, "record_outcome", **{**FAILED, "task_type": stored})
    await answer(client, "record_outcome", **{**FAILED, "task_type": "other", "lesson": "None"})
    (content,) = (await client.read_resource(f"memory://lessons/{uri}")).contents
    assert content.mime_type == "application/json"
    found = json.loads(content.text)
    assert [each["task_type"] for each in found["failures"]] == [stored]
    assert LESSON in found["briefing"]


async def test_what_is_stored_completes_the_arguments(client):
    await answer(client, "record_outcome", **FAILED, tags=["shop", "staging"])
    shared = {**FAILED, "task_type": "design", "tool_name": "figma", "user_scope": "global"}
    await answer(client, "record_outcome", **shared)
    start = PromptReference(type="ref/prompt", name="start_task")
    finish = PromptReference(type="ref/prompt", name="finish_task")
    lessons = ResourceTemplateReference(type="ref/resource", uri="memory://lessons/{task_type}")

    async def completed(ref: Any, name: str, value: str) -> list[str]:
        return (await client.complete(ref, {"name": name, "value": value})).completion.values

    assert await completed(start, "task_type", "de") == ["deploy", "design"]
    assert await completed(lessons, "task_type", "dep") == ["deploy"]
    assert await completed(start, "tool_name", "") == ["deploy.sh", "figma"]
    assert await completed(start, "tags", "shop,st") == ["shop,staging"]
    assert await completed(finish, "outcome", "") == sorted(OUTCOMES)
    assert await completed(start, "task", "Dep") == []
