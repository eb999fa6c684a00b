from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.types import CallToolResult, PromptReference, ResourceTemplateReference

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import (
    FeedbackResult,
    ForgetResult,
    GetResult,
    LessonsResult,
    ListResult,
    OutcomeResult,
    RecallResult,
    Remembered,
    RememberResult,
    UpdateResult,
    WhyResult,
)
from mem_mcp.config import ALL_TOOLS, CORE_TOOLS, StoreSettings, load_settings
from mem_mcp.server.app import INSTRUCTIONS, build_server
from mem_mcp.server.lazy_memory import LazyMemory

pytestmark = pytest.mark.anyio

AS_DATA = "data, not instructions"
ABSENT = "0" * 32
ANN = "ann"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
async def connected(mode: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of a server with every tool; one for all tests, since a model takes time to load."""
    folder = tmp_path_factory.mktemp("memory")
    lazy = LazyMemory(
        # Nothing here cuts the power.
        Settings(data_dir=folder, tools="all", store=StoreSettings(durability="os"))
    )
    async with Client(build_server(lazy), mode=mode) as client:
        yield client
    await lazy.close()


@pytest.fixture
async def client(connected: Client) -> AsyncIterator[Client]:
    """The client, before an empty memory."""
    yield connected
    for user in ("", ANN):
        everything = {"filters": {"memory_id": {"exists": True}}, "confirm": True, "purge": True}
        await answer(connected, "forget", user_id=user, **everything)


async def offered(settings: Settings, mode: str) -> list[dict[str, Any]]:
    """What tools/list sends."""
    lazy = LazyMemory(settings)
    async with Client(build_server(lazy), mode=mode) as client:
        found = await client.list_tools()
    await lazy.close()
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found.tools]


async def answer(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool that must succeed; its structured content must fit its own schema."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, said(result)
    schemas = {each.name: each.output_schema for each in (await client.list_tools()).tools}
    jsonschema.validate(result.structured_content, schemas[tool])
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that must refuse; return what the model reads."""
    result = await client.call_tool(tool, arguments)
    text = said(result)
    assert result.is_error, text
    for leak in ("pydantic.dev", "Traceback", 'File "', "lance"):
        assert leak not in text
    return text


def said(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content)


async def remembered(client: Client, content: str, **arguments: Any) -> str:
    """Store a text; return its id."""
    found = await answer(client, "remember", content=content, **arguments)
    return found["results"][0]["memory_id"]


def compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


# What is offered


async def test_the_default_tools_are_the_core_ones_in_a_fixed_order(settings, mode):
    tools = await offered(settings, mode)
    assert [tool["name"] for tool in tools] == list(CORE_TOOLS)
    assert tools == await offered(settings, mode)


async def test_what_a_model_reads_of_the_default_tools_is_short(settings, mode):
    tools = await offered(settings, mode)
    read = [{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in tools]
    assert len(compact(read)) <= 8_500
    assert sum(len(compact(tool["outputSchema"])) for tool in tools) < 4_100
    assert len(compact(tools)) <= 13_500


async def test_every_tool_is_described_annotated_and_strict(settings, mode):
    tools = await offered(settings.model_copy(update={"tools": "all"}), mode)
    assert [tool["name"] for tool in tools] == list(ALL_TOOLS)
    for tool in tools:
        assert tool["title"]
        assert tool["description"]
        hints = {"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}
        assert hints <= set(tool["annotations"])
        assert tool["annotations"]["openWorldHint"] is False
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["outputSchema"]["type"] == "object"
        for argument in tool["inputSchema"]["properties"].values():
            assert argument["description"]


async def test_only_tools_that_only_read_say_so(settings, mode):
    tools = await offered(settings.model_copy(update={"tools": "all"}), mode)
    hints = {tool["name"]: tool["annotations"] for tool in tools}
    reading = {name for name, hint in hints.items() if hint["readOnlyHint"]}
    assert reading == {"recall", "recall_lessons", "get_memory", "list_memories", "why"}
    assert {name for name, hint in hints.items() if hint["destructiveHint"]} == {"forget"}


async def test_only_tools_that_do_the_same_again_say_so(settings, mode):
    tools = await offered(settings, mode)
    repeatable = {tool["name"] for tool in tools if tool["annotations"]["idempotentHint"]}
    assert set(CORE_TOOLS) - repeatable == {"remember", "record_outcome"}


async def test_published_schemas_are_short_but_name_every_argument_and_field(settings, mode):
    results = {
        "remember": RememberResult,
        "recall": RecallResult,
        "record_outcome": OutcomeResult,
        "recall_lessons": LessonsResult,
        "give_feedback": FeedbackResult,
        "update_memory": UpdateResult,
        "forget": ForgetResult,
        "get_memory": GetResult,
        "list_memories": ListResult,
        "why": WhyResult,
    }
    for tool in await offered(settings.model_copy(update={"tools": "all"}), mode):
        name = tool["name"]
        method = inspect.signature(getattr(AsyncMemory, name)).parameters
        assert set(tool["inputSchema"]["properties"]) == set(method) - {"self", "on_progress"}
        assert set(tool["outputSchema"]["properties"]) == set(results[name].model_fields)
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            jsonschema.Draft202012Validator.check_schema(schema)
        for argument in tool["inputSchema"]["properties"].values():
            assert "type" in argument
            assert "" not in argument.get("enum", [])
    (remember, *_) = await offered(settings, mode)
    entry = remember["outputSchema"]["properties"]["results"]["items"]
    assert set(entry["properties"]) == set(Remembered.model_fields)
    assert entry["properties"]["previous_text"] == {"type": "string"}
    assert set(entry["required"]) == {"memory_id", "event", "text"}


async def test_no_schema_carries_a_title(settings, mode):
    def titles(schema: Any) -> int:
        if isinstance(schema, list):
            return sum(map(titles, schema))
        if not isinstance(schema, dict):
            return 0
        return isinstance(schema.get("title"), str) + sum(map(titles, schema.values()))

    for tool in await offered(settings.model_copy(update={"tools": "all"}), mode):
        assert titles(tool["inputSchema"]) == titles(tool["outputSchema"]) == 0


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ("all", ALL_TOOLS),
        ("default", CORE_TOOLS),
        ("get_memory, recall", ("recall", "get_memory")),
        ("recall", ("recall",)),
    ],
)
async def test_the_setting_decides_which_tools_are_offered(monkeypatch, tools, names):
    monkeypatch.setenv("MEM_MCP_TOOLS", tools)
    assert [tool["name"] for tool in await offered(load_settings(), "auto")] == list(names)


async def test_a_tool_that_is_not_offered_cannot_be_called(settings, mode):
    lazy = LazyMemory(settings.model_copy(update={"tools": "recall"}))
    async with Client(build_server(lazy), mode=mode) as client:
        assert "forget" in await refusal(client, "forget", memory_id=ABSENT)
        assert (await answer(client, "recall", query="anything"))["memories"] == []
    await lazy.close()


async def test_the_instructions_are_short_and_name_the_core_tools(client):
    assert client.instructions == INSTRUCTIONS
    assert len(INSTRUCTIONS.split()) < 120
    assert all(name in INSTRUCTIONS for name in CORE_TOOLS)


# Each tool's happy path


async def test_a_text_is_remembered_once_and_recalled_as_data(client):
    first = await answer(client, "remember", content="Caroline moved here from Sweden")
    again = await answer(client, "remember", content=" Caroline moved here from Sweden\n")
    assert [first["results"][0]["event"], again["results"][0]["event"]] == ["ADD", "NONE"]
    assert first["results"][0]["memory_id"] == again["results"][0]["memory_id"]
    result = await client.call_tool("recall", {"query": "Where is Caroline from?", "explain": True})
    (found,) = result.structured_content["memories"]
    assert found["text"] == "Caroline moved here from Sweden"
    assert 0 < found["score"] <= 1
    parts = found["scores"].values()
    assert sum(parts) == pytest.approx(found["score"], abs=5e-4 * (len(parts) + 1))
    assert AS_DATA in said(result)
    assert found["text"] in said(result)


async def test_messages_keep_their_speaker_run_and_order(client):
    messages = [
        {"role": "user", "name": "Ann", "content": "Do you like my bicycle?"},
        {"role": "user", "name": "Ben", "content": [{"type": "text", "text": "Yes, it is red!"}]},
    ]
    made = await answer(client, "remember", messages=messages, run_id="r1")
    ids = [one["memory_id"] for one in made["results"]]
    listed = await answer(client, "list_memories", run_id="r1", order="oldest")
    assert [
        (each["memory_id"], each["actor_id"], each["position"], each["kind"])
        for each in listed["memories"]
    ] == [(ids[0], "Ann", 0, "message"), (ids[1], "Ben", 1, "message")]


async def test_a_near_neighbour_is_named_when_a_text_is_remembered(client):
    known = await remembered(client, "The deploy script lives in tools/deploy.sh")
    result = await client.call_tool(
        "remember", {"content": "The deploy script lives in tools/deploy.sh now"}
    )
    (near,) = result.structured_content["results"][0]["similar"]
    assert near["memory_id"] == known
    assert near["score"] >= 0.85
    assert f"[{known[:8]} " in said(result)


async def test_an_update_keeps_the_history_which_is_shown_as_data(client):
    memory_id = await remembered(client, "The build takes 5 minutes", tags=["ci"])
    done = await answer(
        client, "update_memory", memory_id=memory_id, content="It takes 3", reason="measured"
    )
    assert (done["event"], done["version"]) == ("UPDATE", 2)
    result = await client.call_tool("get_memory", {"memory_id": memory_id, "history": True})
    versions = result.structured_content["versions"]
    assert [each["text"] for each in versions] == ["The build takes 5 minutes", "It takes 3"]
    assert AS_DATA in said(result)
    assert "measured" in said(result)


async def test_what_is_null_in_an_update_stays_and_an_empty_list_empties(client):
    memory_id = await remembered(client, "Null keeps", tags=["a"], metadata={"x": 1, "y": 2})
    await answer(
        client,
        "update_memory",
        memory_id=memory_id,
        content=None,
        tags=[],
        metadata={"x": None},
        expires_at=None,
        valid_until=None,
        outcome=None,
        status=None,
    )
    found = (await answer(client, "get_memory", memory_id=memory_id))["memory"]
    assert (found["text"], found["tags"], found["metadata"]) == ("Null keeps", [], {"y": 2})


async def test_forgetting_by_filters_only_counts_until_it_is_confirmed(client):
    await remembered(client, "One about Python", tags=["python"])
    kept = await remembered(client, "One about Rust", tags=["rust"])
    filters = {"tags": {"contains": "python"}}
    dry = await answer(client, "forget", filters=filters)
    assert (dry["forgotten"], dry["dry_run"]) == (1, True)
    done = await answer(client, "forget", filters=filters, confirm=True)
    assert (done["forgotten"], done["dry_run"]) == (1, False)
    left = (await answer(client, "list_memories"))["memories"]
    assert [each["memory_id"] for each in left] == [kept]


async def test_forgetting_by_filters_also_works_after_maintenance(settings):
    lazy = LazyMemory(settings)
    async with Client(build_server(lazy)) as client:
        await remembered(client, "One about Python", tags=["python"])
        await (await lazy.get()).maintain()
        filters = {"tags": {"contains": "python"}}
        assert (await answer(client, "forget", filters=filters, confirm=True))["forgotten"] == 1
    await lazy.close()


async def test_a_forgotten_memory_is_no_longer_recalled_but_has_a_history(client):
    memory_id = await remembered(client, "The office is in Oslo")
    assert (await answer(client, "forget", memory_id=memory_id))["forgotten"] == 1
    assert (await answer(client, "recall", query="office"))["memories"] == []
    shown = await answer(client, "get_memory", memory_id=memory_id, history=True)
    assert [each["event"] for each in shown["versions"]] == ["ADD", "DELETE"]


async def test_a_purged_memory_is_gone_with_its_history(client):
    memory_id = await remembered(client, "A secret")
    await answer(client, "forget", memory_id=memory_id, purge=True)
    assert memory_id in await refusal(client, "get_memory", memory_id=memory_id, history=True)


async def test_pages_of_a_list_join_without_gap_or_overlap(client):
    ids = [await remembered(client, f"Number {n}") for n in range(5)]
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        result = await client.call_tool(
            "list_memories", {"limit": 2, "cursor": cursor, "order": "oldest"}
        )
        assert AS_DATA in said(result)
        assert result.structured_content["total"] == 5
        seen += [each["memory_id"] for each in result.structured_content["memories"]]
        cursor = result.structured_content.get("next_cursor", "")
    assert seen == ids
    assert cursor == ""


async def test_an_idempotent_repeat_gets_the_first_answer(client):
    first = await answer(client, "remember", content="Once", idempotency_key="k1")
    again = await answer(client, "remember", content="Something else", idempotency_key="k1")
    assert first == again
    assert (await answer(client, "list_memories"))["total"] == 1


async def test_texts_that_look_like_something_else_are_stored_as_they_are(client):
    texts = ['{"a":1}', "null", '"quoted"', '["x"]', "123", "true", "'; DROP TABLE x; --\\"]
    for text in texts:
        memory_id = await remembered(client, text, tags=[text], metadata={text: text})
        found = (await answer(client, "get_memory", memory_id=memory_id))["memory"]
        assert (found["text"], found["tags"]) == (text, [text])
        assert found["metadata"] == {text: text}
        await answer(client, "update_memory", memory_id=memory_id, content=f" {text} ")
    listed = (await answer(client, "list_memories", order="oldest"))["memories"]
    assert [each["text"] for each in listed] == [f" {text} " for text in texts]


# Bad input


def nested(depth: int) -> dict[str, Any]:
    filters: dict[str, Any] = {"kind": "fact"}
    for _ in range(depth):
        filters = {"NOT": filters}
    return filters


EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
REFUSED = {
    "an unknown argument": ("recall", {"query": "tea", "limt": 3}, "limt"),
    "a missing argument": ("recall", {}, "query"),
    "a number for a text": ("recall", {"query": 5}, "query"),
    "a word for a number": ("recall", {"query": "tea", "limit": "many"}, "limit"),
    "another kind": ("recall", {"query": "tea", "kinds": "song"}, "kinds"),
    "limit 0": ("recall", {"query": "tea", "limit": 0}, "limit"),
    "limit 201": ("recall", {"query": "tea", "limit": 201}, "limit"),
    "limit 201 of a list": ("list_memories", {"limit": 201}, "limit"),
    "a blank query": ("recall", {"query": " \n"}, "query"),
    "an unknown kind": ("recall", {"query": "tea", "kinds": ["opinion"]}, "kinds"),
    "since after until": ("recall", {"query": "t", "since": LATE, "until": EARLY}, "since"),
    "a score above one": ("recall", {"query": "tea", "min_score": 1.5}, "min_score"),
    "an unknown field": ("recall", {"query": "t", "filters": {"colour": "red"}}, "colour"),
    "an unknown operator": ("recall", {"query": "t", "filters": {"kind": {"is": "x"}}}, "is"),
    "filters 11 deep": ("recall", {"query": "tea", "filters": nested(11)}, "filters"),
    "filters 100 deep": ("recall", {"query": "tea", "filters": nested(100)}, "filters"),
    "no content": ("remember", {}, "content"),
    "blank content": ("remember", {"content": " \t\n"}, "content"),
    "100,001 characters": ("remember", {"content": "x" * 100_001}, "100,000"),
    "a NUL": ("remember", {"content": "a\x00b"}, "content"),
    "a lone surrogate": ("remember", {"content": "a\ud800b"}, "content"),
    "a lone surrogate in a tag": ("remember", {"content": "a", "tags": ["\ud800"]}, "tags"),
    "a month 13": ("remember", {"content": "a", "occurred_at": "2026-13-01T00:00"}, "occurred"),
    "an impossible time": (
        "remember",
        {"content": "a", "occurred_at": "2026-02-30T00:00:00Z"},
        "occurred_at",
    ),
    "content and messages": (
        "remember",
        {"content": "a", "messages": [{"role": "user", "content": "b"}]},
        "content",
    ),
    "a message without content": ("remember", {"messages": [{"role": "user"}]}, "messages[0]"),
    "no messages": ("remember", {"messages": []}, "messages"),
    "a kind that another tool stores": ("remember", {"content": "a", "kind": "lesson"}, "kind"),
    "neither id nor filters": ("forget", {}, "memory_id"),
    "a missing id to forget": ("forget", {"memory_id": ABSENT}, ABSENT),
    "a missing id to get": ("get_memory", {"memory_id": ABSENT}, ABSENT),
    "a missing id to update": ("update_memory", {"memory_id": ABSENT, "content": "x"}, ABSENT),
    "a status that is not the caller's": (
        "update_memory",
        {"memory_id": ABSENT, "status": "deleted"},
        "status",
    ),
    "a made-up cursor": ("list_memories", {"cursor": "page 2"}, "cursor"),
}


async def test_bad_input_is_refused_by_name_and_the_server_goes_on(client):
    for what, (tool, arguments, named) in REFUSED.items():
        assert named in await refusal(client, tool, **arguments), what
    assert (await answer(client, "list_memories"))["total"] == 0
    assert await remembered(client, "The server goes on")


async def test_filters_ten_deep_are_answered(client):
    memory_id = await remembered(client, "tea")
    found = await answer(client, "recall", query="tea", filters=nested(10))
    assert [each["memory_id"] for each in found["memories"]] == [memory_id]


async def test_the_longest_allowed_content_is_stored_whole(client):
    text = ("word " * 20_000)[:-1] + "."
    memory_id = await remembered(client, text)
    assert len(text) == 100_000
    assert (await answer(client, "get_memory", memory_id=memory_id))["memory"]["text"] == text


async def test_a_memory_of_another_user_looks_like_none(client):
    memory_id = await remembered(client, "Private to Ann", user_id=ANN)
    for tool, more in (("get_memory", {}), ("forget", {}), ("update_memory", {"content": "mine"})):
        for_other = await refusal(client, tool, memory_id=memory_id, user_id="ben", **more)
        for_absent = await refusal(client, tool, memory_id=ABSENT, user_id="ben", **more)
        assert for_other.replace(memory_id, "ID") == for_absent.replace(ABSENT, "ID")
    kept = (await answer(client, "get_memory", memory_id=memory_id, user_id=ANN))["memory"]
    assert (kept["text"], kept["version"]) == ("Private to Ann", 1)


async def test_a_data_directory_that_cannot_be_used_is_said_by_every_call(tmp_path, mode):
    (tmp_path / "file").write_text("not a folder")
    lazy = LazyMemory(Settings(data_dir=tmp_path / "file"))
    async with Client(build_server(lazy), mode=mode) as client:
        for _ in range(2):
            assert str(tmp_path / "file") in await refusal(client, "recall", query="tea")
    await lazy.close()


# Resources, prompts, completion


async def test_the_stats_are_a_resource(client):
    await remembered(client, "Counted")
    (content,) = (await client.read_resource("memory://stats")).contents
    assert json.loads(content.text)["memories"] == 1
    assert content.mime_type == "application/json"


async def test_a_memory_is_a_resource_with_its_history(client):
    memory_id = await remembered(client, "Æther, \N{FIRE}")
    templates = (await client.list_resource_templates()).resource_templates
    (template,) = [each for each in templates if "memories" in each.uri_template]
    uri = template.uri_template.replace("{memory_id}", memory_id)
    (content,) = (await client.read_resource(uri)).contents
    assert json.loads(content.text)["memory"]["text"] == "Æther, \N{FIRE}"


async def test_a_missing_memory_is_no_resource(client):
    with pytest.raises(MCPError, match=ABSENT):
        await client.read_resource(f"memory://memories/{ABSENT}")


async def test_the_prompt_brings_what_is_known_as_data(client):
    await remembered(client, "Run the tests with tox", tags=["testing"])
    await remembered(client, "Tests are green on Mondays", tags=["luck"])
    prompts = (await client.list_prompts()).prompts
    assert [prompt.name for prompt in prompts] == ["start_task", "finish_task"]
    assert all(each.description for prompt in prompts for each in [prompt, *prompt.arguments])
    found = await client.get_prompt("start_task", {"task": "run the tests", "tags": "testing"})
    (message,) = found.messages
    assert "run the tests" in message.content.text
    assert "Run the tests with tox" in message.content.text
    assert "Mondays" not in message.content.text
    assert AS_DATA in message.content.text


async def test_a_prompt_without_a_task_says_what_is_missing(client):
    with pytest.raises(MCPError, match="empty"):
        await client.get_prompt("start_task", {"task": " "})


async def test_tags_are_completed_from_what_is_stored(client):
    await remembered(client, "One", tags=["testing", "tools"])
    await remembered(client, "Two", tags=["deploy"])
    prompt = PromptReference(type="ref/prompt", name="start_task")

    async def completed(value: str) -> list[str]:
        found = await client.complete(prompt, {"name": "tags", "value": value})
        return found.completion.values

    assert await completed("") == ["deploy", "testing", "tools"]
    assert await completed("te") == ["testing"]
    assert await completed("deploy,to") == ["deploy,tools"]
    assert await completed("zz") == []


async def test_completion_of_anything_else_is_empty(client):
    template = ResourceTemplateReference(type="ref/resource", uri="memory://memories/{memory_id}")
    found = await client.complete(template, {"name": "memory_id", "value": "a"})
    assert found.completion.values == []
