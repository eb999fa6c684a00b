"""Structured content: what is left out of it, and that a client's check of it agrees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from mcp import Client

from mem_mcp import Settings
from mem_mcp.api.models import (
    FeedbackGiven,
    FeedbackResult,
    ForgetResult,
    GetResult,
    Lesson,
    LessonsResult,
    ListResult,
    Memory,
    Recalled,
    RecallResult,
    Tally,
    ToolStats,
)
from mem_mcp.config import StoreSettings
from mem_mcp.server.app import build_server
from mem_mcp.server.lazy_memory import LazyMemory
from mem_mcp.server.structured import structured

ANN, BEN = "ann", "ben"
LUNCH = "Lunch is at noon in the large room on floor three."
THEN, LATER = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


def recalled(**fields: Any) -> Recalled:
    known = {"kind": "fact", "user_id": ANN, "occurred_at": THEN, "recorded_at": THEN}
    return Recalled(**{"memory_id": "m1", "text": "Tea", "score": 0.5, **known, **fields})


def one_of(answer: RecallResult, user_id: str = ANN) -> dict[str, Any]:
    (found,) = structured(answer, user_id)["memories"]
    return found


def test_what_goes_without_saying_is_left_out():
    answer = RecallResult(recall_id="r1", memories=[recalled()])
    assert structured(answer, ANN) == {
        "recall_id": "r1",
        "memories": [
            {"memory_id": "m1", "text": "Tea", "score": 0.5, "occurred_at": "2026-03-01T00:00:00Z"}
        ],
    }


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("kind", "procedure", "procedure"),
        ("user_id", "global", "global"),
        ("recorded_at", LATER, "2026-03-02T00:00:00Z"),
        ("valid_until", LATER, "2026-03-02T00:00:00Z"),
        ("tags", ["a"], ["a"]),
        ("actor_id", "Ann", "Ann"),
        ("marks", Tally(positive=2), {"positive": 2}),
    ],
)
def test_what_says_something_is_kept(field, value, shown):
    assert (
        one_of(RecallResult(recall_id="r", memories=[recalled(**{field: value})]))[field] == shown
    )


def test_a_time_that_nobody_said_is_given_once_and_to_the_second():
    clock = THEN.replace(microsecond=7)
    by_clock, said = recalled(occurred_at=clock, recorded_at=clock), recalled(occurred_at=clock)
    found = one_of(RecallResult(recall_id="r", memories=[by_clock]))
    assert (found["occurred_at"], "recorded_at" in found) == ("2026-03-01T00:00:00Z", False)
    found = one_of(RecallResult(recall_id="r", memories=[said]))
    assert (found["occurred_at"], found["recorded_at"]) == (
        "2026-03-01T00:00:00.000007Z",
        "2026-03-01T00:00:00Z",
    )


def test_marks_of_nothing_and_empty_names_are_left_out():
    found = one_of(RecallResult(recall_id="r", memories=[recalled(marks=Tally(), agent_id="")]))
    assert not {"marks", "agent_id"} & found.keys()


def test_a_memory_is_somebody_elses_by_whose_call_it_is():
    answer = RecallResult(recall_id="r", memories=[recalled()])
    assert one_of(answer, BEN)["user_id"] == ANN


def test_metadata_is_the_callers_own_and_stays_as_it_is():
    own = {"score": 0.123456, "user_id": ANN, "kind": "fact", "none": None, "list": [], "no": False}
    own["nested"] = {"text": "", "scores": {"x": 0.98765}}
    assert one_of(RecallResult(recall_id="r", memories=[recalled(metadata=own)]))["metadata"] == own


def test_scores_have_three_digits():
    parts = {"words": 0.12345, "meaning": -0.00049}
    tool = {"tool_name": "x", "success": 1, "failure": 0, "partial": 0, "last_used_at": THEN}
    rates = ToolStats(**tool, rate_low=0.333333, rate_high=0.99999)
    found = one_of(RecallResult(recall_id="r", memories=[recalled(score=2 / 3, scores=parts)]))
    assert (found["score"], found["scores"]) == (0.667, {"words": 0.123, "meaning": 0.0})
    lists: dict[str, Any] = {"lessons": [], "successes": [], "failures": []}
    answer = LessonsResult(recall_id="r", **lists, tool_stats=[rates], briefing="")
    (stats,) = structured(answer, ANN)["tool_stats"]
    assert (stats["rate_low"], stats["rate_high"], stats["failure"]) == (0.333, 1.0, 0)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (RecallResult(recall_id="r", memories=[]), {"recall_id": "r", "memories": []}),
        (ListResult(memories=[], total=0), {"memories": [], "total": 0}),
        (
            ForgetResult(forgotten=0, memory_ids=[], dry_run=False),
            {"forgotten": 0, "memory_ids": [], "dry_run": False},
        ),
        (
            FeedbackResult(results=[FeedbackGiven(memory_id="m", feedback=None, previous=None)]),
            {"results": [{"memory_id": "m"}]},
        ),
    ],
)
def test_what_a_client_reads_by_name_stays_also_when_empty(answer, kept):
    assert structured(answer, ANN) == kept


def test_a_lesson_that_one_outcome_supports_does_not_say_so():
    lesson = Lesson(**recalled(kind="lesson").model_dump(), outcome="failure")
    lists: dict[str, Any] = {"successes": [], "failures": [], "tool_stats": [], "briefing": ""}

    def support(times: int) -> Any:
        said = lesson.model_copy(update={"support": times})
        answer = structured(LessonsResult(recall_id="r", lessons=[said], **lists), ANN)
        return answer["lessons"][0].get("support")

    assert (support(1), support(2)) == (None, 2)


def test_the_answer_of_get_memory_keeps_every_field():
    memory = Memory(
        version_id="m.1",
        memory_id="m",
        version=1,
        event="ADD",
        text="Tea",
        kind="fact",
        user_id=ANN,
        content_hash="h",
        occurred_at=THEN,
        recorded_at=THEN,
    )
    assert structured(GetResult(memory=memory), ANN)["memory"].keys() == Memory.model_fields.keys()


# Over MCP: the SDK's client refuses structured content that its published schema does not allow


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    lean = settings.model_copy(
        update={"tools": "all", "store": StoreSettings(durability="os"), "user_id": ANN}
    )
    lazy = LazyMemory(lean)
    async with Client(build_server(lazy)) as connected:
        await connected.list_tools()
        yield connected
    await lazy.close()


async def answer(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


@pytest.mark.anyio
async def test_each_tools_lean_answer_is_what_its_schema_promises(client):
    asked = {"query": "When is lunch?", "explain": True}
    first = await answer(client, "remember", content=LUNCH, tags=["x"], metadata={"n": None})
    near = await answer(client, "remember", content=f"{LUNCH} Yes.")
    assert near["results"][0]["similar"]
    memory_id = first["results"][0]["memory_id"]
    outcome = {"task": "Deploy", "outcome": "failure", "tool_name": "x", "lesson": "Do not"}
    await answer(client, "record_outcome", **outcome, used_memory_ids=[memory_id])
    await answer(client, "record_outcome", **outcome, user_scope="global")
    marked = {"memory_id": memory_id, "feedback": "POSITIVE"}
    await answer(client, "give_feedback", **marked)
    await answer(client, "give_feedback", items=[marked, {"memory_id": "none", "feedback": None}])
    found = await answer(client, "recall", **asked)
    by_id = {each["memory_id"]: each for each in found["memories"]}
    assert by_id[memory_id]["marks"] == {"positive": 1, "failures": 1}
    for task in ("Deploy", "Cook"):
        lists = await answer(client, "recall_lessons", task=task)
        assert {"lessons", "successes", "failures", "tool_stats", "briefing"} <= lists.keys()
    await answer(client, "update_memory", memory_id=memory_id, expires_at="2199-01-01T00:00:00Z")
    await answer(client, "get_memory", memory_id=memory_id, history=True)
    await answer(client, "list_memories", limit=1)
    await answer(client, "forget", filters={"tags": "x"})
    assert "user_id" not in by_id[memory_id]
    shared = await answer(client, "recall", **asked, user_id=BEN)
    assert {each["user_id"] for each in shared["memories"]} == {"global"}
    own = await answer(client, "recall", **asked, user_id="global")
    assert all("user_id" not in each for each in own["memories"])
