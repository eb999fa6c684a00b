"""What agents really send: taken where its meaning is clear, else refused in one sentence.

Each form is held against the arguments that it means, and sent over MCP, Python and the command
line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from mcp import Client
from typer.testing import CliRunner

from mem_mcp.api.call import read
from mem_mcp.api.feedback import GiveFeedback
from mem_mcp.api.manage import Forget, GetMemory, ListMemories, UpdateMemory
from mem_mcp.api.outcomes import RecallLessons, RecordOutcome
from mem_mcp.api.recall import Recall
from mem_mcp.api.remember import Remember
from mem_mcp.cli.app import app
from mem_mcp.cli.commands import COMMANDS, OPTIONS
from mem_mcp.config import Settings
from mem_mcp.errors import InvalidInput
from mem_mcp.server.app import build_server
from mem_mcp.server.lazy_memory import LazyMemory

pytestmark = pytest.mark.anyio

BANGKOK = ZoneInfo("Asia/Bangkok")
DECLARED = {
    "remember": Remember,
    "recall": Recall,
    "record_outcome": RecordOutcome,
    "recall_lessons": RecallLessons,
    "give_feedback": GiveFeedback,
    "update_memory": UpdateMemory,
    "forget": Forget,
    "get_memory": GetMemory,
    "list_memories": ListMemories,
}
TEA = {"query": "tea"}
FIX = {"task": "Fix it"}
HI = {"role": "user", "content": "Hi Ann"}
# The operation, what is sent, and what it means.
TAKEN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("remember", {"content": "x", "tags": "home"}, {"content": "x", "tags": ["home"]}),
    ("remember", {"content": "x", "tags": '["a", "b"]'}, {"content": "x", "tags": ["a", "b"]}),
    ("remember", {"content": "x", "entities": "Ann"}, {"content": "x", "entities": ["Ann"]}),
    ("remember", {"content": "x", "metadata": '{"a": 1}'}, {"content": "x", "metadata": {"a": 1}}),
    ("remember", {"content": "x", "kind": "Fact"}, {"content": "x", "kind": "fact"}),
    ("remember", {"content": "x", "kind": "null"}, {"content": "x"}),
    ("remember", {"content": "none", "agent_id": "None"}, {"content": "none"}),
    ("remember", {"content": "x", "infer": "NEVER"}, {"content": "x", "infer": "never"}),
    (
        "remember",
        {"content": "x", "occurred_at": "2026-05-03"},
        {"content": "x", "occurred_at": "2026-05-03T00:00:00+07:00"},
    ),
    (
        "remember",
        {"content": "x", "occurred_at": "2026-05-03 18:30"},
        {"content": "x", "occurred_at": "2026-05-03T11:30:00Z"},
    ),
    ("remember", {"messages": [{**HI, "id": 7, "refusal": None}]}, {"messages": [HI]}),
    ("remember", {"messages": json.dumps([HI])}, {"messages": [HI]}),
    ("remember", {"messages": HI}, {"messages": [HI]}),
    ("remember", {"messages": [{"type": "human", "content": "Hi Ann"}]}, {"messages": [HI]}),
    ("remember", {"messages": [{"from": "human", "value": "Hi Ann"}]}, {"messages": [HI]}),
    (
        "remember",
        {"messages": [{**HI, "timestamp": "2026-05-03T10:00:00Z"}]},
        {"messages": [{**HI, "occurred_at": "2026-05-03T10:00:00Z"}]},
    ),
    (
        "remember",
        {"messages": [{**HI, "created_at": 1_777_802_400}]},
        {"messages": [{**HI, "occurred_at": "2026-05-03T10:00:00Z"}]},
    ),
    (
        "remember",
        {"messages": [{"role": "ai", "content": [{"type": "text", "text": "Yes"}]}]},
        {"messages": [{"role": "assistant", "content": "Yes"}]},
    ),
    (
        "remember",
        {
            "messages": [
                {"type": "user", "message": HI, "timestamp": "2026-05-03T10:00:00Z", "uuid": "u"}
            ]
        },
        {"messages": [{**HI, "occurred_at": "2026-05-03T10:00:00Z"}]},
    ),
    ("recall", {**TEA, "limit": "5"}, {**TEA, "limit": 5}),
    ("recall", {**TEA, "limit": 5.0}, {**TEA, "limit": 5}),
    ("recall", {**TEA, "kinds": "facts"}, {**TEA, "kinds": ["fact"]}),
    ("recall", {**TEA, "kinds": ["FACT", "fact"]}, {**TEA, "kinds": ["fact"]}),
    ("recall", {**TEA, "filters": '{"tags": "a"}'}, {**TEA, "filters": {"tags": "a"}}),
    ("recall", {**TEA, "filters": "none", "since": "", "run_id": "null"}, TEA),
    ("recall", {**TEA, "since": "2026-05-03"}, {**TEA, "since": "2026-05-02T17:00:00Z"}),
    ("recall", {**TEA, "until": "2026-05-03"}, {**TEA, "until": "2026-05-03T16:59:59.999999Z"}),
    ("recall", {**TEA, "explain": "true"}, {**TEA, "explain": True}),
    ("recall", {**TEA, "min_score": "0.2"}, {**TEA, "min_score": 0.2}),
    (
        "recall",
        {**TEA, "filters": {"occurred_at": {"gte": "2026-05-03"}}},
        {**TEA, "filters": {"occurred_at": {"gte": "2026-05-03T00:00:00+07:00"}}},
    ),
    ("record_outcome", {**FIX, "outcome": "Success"}, {**FIX, "outcome": "success"}),
    ("record_outcome", {**FIX, "outcome": "failed"}, {**FIX, "outcome": "failure"}),
    ("record_outcome", {**FIX, "outcome": "succeeded"}, {**FIX, "outcome": "success"}),
    ("record_outcome", {**FIX, "severity": "high"}, {**FIX, "severity": "major"}),
    ("record_outcome", {**FIX, "confidence": "0.5"}, {**FIX, "confidence": 0.5}),
    ("record_outcome", {**FIX, "user_scope": "shared"}, {**FIX, "user_scope": "global"}),
    ("recall_lessons", {**FIX, "outcomes": "failed"}, {**FIX, "outcomes": ["failure"]}),
    (
        "give_feedback",
        {"memory_id": "ID", "feedback": "like"},
        {"memory_id": "ID", "feedback": "POSITIVE"},
    ),
    (
        "give_feedback",
        {"memory_id": "ID", "feedback": "very negative"},
        {"memory_id": "ID", "feedback": "VERY_NEGATIVE"},
    ),
    (
        "update_memory",
        {"memory_id": "ID", "content": "y", "tags": "a", "status": "Active"},
        {"memory_id": "ID", "content": "y", "tags": ["a"], "status": "active"},
    ),
    ("list_memories", {"order": "oldest first", "limit": "3"}, {"order": "oldest", "limit": 3}),
    ("get_memory", {"memory_id": "ID", "history": "yes"}, {"memory_id": "ID", "history": True}),
]
# The operation, what is sent, and what the refusal says.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("recall", {**TEA, "top_k": 5}, "top_k: no such argument; did you mean limit? allowed: query"),
    ("recall", {"question": "tea", **TEA}, "question: no such argument; did you mean query?"),
    ("remember", {"content": "x", "labels": ["a"]}, "labels: no such argument; did you mean tags?"),
    ("remember", {"text": "x"}, "text: no such argument; did you mean content?"),
    ("recall", {**TEA, "since": "yesterday"}, "since: 'yesterday' is not a time; write a date"),
    ("recall", {**TEA, "until": "2026-13-01"}, "until: '2026-13-01' is not a time; write a date"),
    ("recall", {**TEA, "as_of": "31/01/2026"}, "as_of: '31/01/2026' is not a time; write a date"),
    ("recall", {**TEA, "kinds": "song"}, "kinds: 'song' is not one of fact, message, procedure"),
    ("recall", {**TEA, "limit": "many"}, "limit: must be a whole number in 1..200, not 'many'"),
    ("recall", {**TEA, "limit": 500}, "limit: must be a whole number in 1..200, not"),
    ("recall", {**TEA, "filters": "team a"}, "filters: must be an object of key: value, not"),
    ("record_outcome", {**FIX, "outcome": "won"}, "outcome: 'won' is not one of success, failure"),
    ("record_outcome", {**FIX, "severity": "medium"}, "severity: 'medium' is not one of minor"),
    ("give_feedback", {"memory_id": "ID", "feedback": "so-so"}, "feedback: 'so-so' is not one of"),
    ("list_memories", {"order": "random"}, "order: 'random' is not one of newest, oldest"),
]
NO_TEXTS: tuple[Any, ...] = (5, ["x"], {"a": 1})
WRONG_TYPES: list[tuple[str, str, Any]] = [
    *(("recall", "query", wrong) for wrong in NO_TEXTS),
    *(("remember", "content", wrong) for wrong in NO_TEXTS),
    *(("record_outcome", "task", wrong) for wrong in NO_TEXTS),
    *(("record_outcome", "lesson", wrong) for wrong in NO_TEXTS),
    *(("recall", "user_id", wrong) for wrong in NO_TEXTS),
    *(("recall", "limit", wrong) for wrong in ("x", [1], {"a": 1}, True)),
    *(("recall", "min_score", wrong) for wrong in ("x", [0.1], 7, True)),
    *(("recall", "filters", wrong) for wrong in (5, ["a"], True)),
    *(("recall", "tags", wrong) for wrong in (5, {"a": 1}, [5])),
    *(("recall", "since", wrong) for wrong in (5, ["2026"], {"a": 1})),
    *(("recall", "explain", wrong) for wrong in ("maybe", 7, [True])),
    *(("remember", "metadata", wrong) for wrong in (5, ["a"], "x")),
    *(("remember", "relations", wrong) for wrong in (5, "x")),
]


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path / "m", time_zone="Asia/Bangkok", tools="all")


@pytest.fixture
async def lazy(settings: Settings):
    memory = LazyMemory(settings)
    yield memory
    await memory.close()


def options(operation: str, given: dict[str, Any]) -> list[str]:
    """Write arguments as the operation's command takes them."""
    name, spec = next((n, s) for n, s in COMMANDS.items() if s.method == operation)
    written, places = [name], []
    for argument, value in given.items():
        option = {**OPTIONS, **spec.options}.get(argument)
        flag = (option.flag if option else "") or f"--{argument.replace('_', '-')}"
        text = value if isinstance(value, str) else json.dumps(value)
        if argument in spec.by_position:
            places.append(text)
        elif argument in ("user_scope", "explain", "history"):
            written.append(flag)
        elif isinstance(value, list) and argument not in ("messages", "relations"):
            written += [part for each in value for part in (flag, str(each))]
        else:
            written += [flag.split(",")[0], text]
    return [*written, "--", *places]


def test_every_form_means_the_arguments_that_were_meant():
    assert len(TAKEN) >= 41
    for operation, sent, meant in TAKEN:
        declared = DECLARED[operation]
        assert read(declared, sent, BANGKOK) == read(declared, meant, BANGKOK), sent


async def test_every_form_is_taken_over_mcp_and_in_python(lazy: LazyMemory):
    async with Client(build_server(lazy)) as client:
        memory = await lazy.get()
        known = (await memory.remember("The tea is green")).results[0].memory_id
        for operation, sent, _ in TAKEN:
            given = {name: known if value == "ID" else value for name, value in sent.items()}
            await getattr(memory, operation)(**given)
            answer = await client.call_tool(operation, given)
            assert not answer.is_error, (sent, answer.content)


async def test_every_refusal_is_the_same_sentence_over_mcp_and_in_python(lazy: LazyMemory):
    async with Client(build_server(lazy)) as client:
        memory = await lazy.get()
        wrong = [
            (operation, {**_needed(operation, name), name: value}, f"{name}: ")
            for operation, name, value in WRONG_TYPES
        ]
        assert len(REFUSED) >= 15
        assert len(WRONG_TYPES) >= 40
        for operation, sent, said in [*REFUSED, *wrong]:
            with pytest.raises(InvalidInput) as caught:
                await getattr(memory, operation)(**sent)
            assert str(caught.value).startswith(said), sent
            answer = await client.call_tool(operation, sent)
            assert answer.is_error, sent
            assert [block.text for block in answer.content] == [str(caught.value)], sent


@pytest.mark.slow
def test_every_form_is_taken_on_the_command_line(settings: Settings, monkeypatch, tmp_path):
    run = _command_line(settings, monkeypatch)
    known = json.loads(run(["remember", "The tea is green", "--json"]).stdout)["results"][0]
    for operation, sent, _ in TAKEN:
        if operation == "record_outcome" and "logs" in sent:
            continue
        given = {n: known["memory_id"] if v == "ID" else v for n, v in sent.items()}
        result = run(options(operation, given))
        assert result.exit_code == 0, (sent, result.output)


def test_every_refusal_is_the_same_sentence_on_the_command_line(settings: Settings, monkeypatch):
    run = _command_line(settings, monkeypatch)
    for operation, sent, said in REFUSED:
        if "no such argument" in said:  # Typer names an unknown option itself
            continue
        result = run(options(operation, sent))
        assert result.exit_code == 1, sent
        assert result.stderr.startswith(f"mem-mcp: {said}"), (sent, result.stderr)


async def test_a_time_without_a_zone_is_read_and_shown_in_the_settings_zone(lazy: LazyMemory):
    async with Client(build_server(lazy)) as client:
        memory = await lazy.get()
        await memory.remember("Late supper", occurred_at="2026-05-03T23:30:00")
        (found,) = (await memory.recall("supper")).memories
        assert found.occurred_at.isoformat() == "2026-05-03T16:30:00+00:00"
        await memory.remember("Early tea", occurred_at="2026-05-03T18:00:00Z")
        answer = await client.call_tool("recall", {"query": "early tea", "limit": 1})
        assert "2026-05-04" in answer.content[0].text


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Asia/Bankok", "UTC+7"])
def test_a_time_zone_that_does_not_exist_is_a_wrong_setting(zone: str):
    with pytest.raises(ValueError, match="is not a time zone"):
        Settings(time_zone=zone)


def _needed(operation: str, name: str) -> dict[str, Any]:
    needed = {"recall": TEA, "remember": {"content": "x"}, "record_outcome": FIX}[operation]
    return {} if name in needed else needed


def _command_line(settings: Settings, monkeypatch) -> Callable[[list[str]], Any]:
    monkeypatch.setenv("MEM_MCP_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("MEM_MCP_TIME_ZONE", settings.time_zone)
    return lambda arguments: CliRunner().invoke(app, arguments)
