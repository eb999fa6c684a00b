"""Import and export: JSON Lines in and out, and what a bad line does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import Memory
from mem_mcp.embedding import BundledEmbedder

pytestmark = pytest.mark.usefixtures("one_model")


def line(**fields: Any) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


async def stored(memory: AsyncMemory, **scope: Any) -> list[Memory]:
    listed = await memory.list_memories(order="oldest", limit=200, **scope)
    return [(await memory.get_memory(m.memory_id, **scope)).memory for m in listed.memories]


async def exported(memory: AsyncMemory, **scope: Any) -> list[str]:
    header, *lines = [text async for text in memory.export_lines(**scope)]
    assert json.loads(header)["format"] == "mem-mcp"
    return lines


WHOLE: dict[str, Any] = {
    "text": "the migration failed twice",
    "kind": "outcome",
    "user_id": "ann",
    "agent_id": "a",
    "run_id": "r",
    "actor_id": "Ann",
    "role": "assistant",
    "position": 7,
    "tags": ["x", "y"],
    "entities": ["Ann"],
    "relations": [{"source": "a", "relation": "b", "target": "c"}],
    "metadata": {"n": 1, "deep": [{"x": None}], "quote'\"": "\\"},
    "outcome_type": "failure",
    "task_type": "migration",
    "tool_name": "psql",
    "severity": "major",
    "agent_version": "1.2",
    "used": ["m1"],
    "source": "raw log\nwith lines",
    "evidence": ["quote"],
    "confidence": 0.5,
    "reason": "why",
    "occurred_at": "2026-01-31T12:00:00Z",
    "valid_until": "2026-02-01T00:00:00+01:00",
    "expires_at": "2999-01-01T00:00:00Z",
    "status": "archived",
}
DERIVED = {"version_id", "memory_id", "recorded_at", "content_hash", "embedder", "actor"}


@pytest.mark.anyio
async def test_a_line_may_hold_every_field_of_a_memory(memory: AsyncMemory):
    result = await memory.import_lines([line(**WHOLE)])
    assert (result.imported, result.duplicates, result.errors) == (1, 0, [])
    (one,) = await stored(memory, user_id="ann")
    kept = one.model_dump(mode="json")
    for field, value in WHOLE.items():
        if field in ("occurred_at", "valid_until", "expires_at"):
            assert getattr(one, field) == datetime.fromisoformat(value), field
        else:
            assert kept[field] == value, field
    assert (one.version, one.event) == (1, "ADD")


@pytest.mark.anyio
async def test_only_the_text_is_required(memory: AsyncMemory):
    before = datetime.now(UTC)
    result = await memory.import_lines([line(text="one"), line(content="two")])
    assert result.imported == 2
    one, two = await stored(memory)
    assert (one.text, two.text) == ("one", "two")
    assert (one.kind, one.user_id, one.status) == ("fact", "default", "active")
    assert one.recorded_at >= before
    found = await memory.recall("one")
    assert "one" in [m.text for m in found.memories]


@pytest.mark.anyio
async def test_lines_without_a_user_belong_to_the_one_named(memory: AsyncMemory):
    await memory.import_lines([line(text="one"), line(text="two", user_id="bob")], user_id="ann")
    assert [m.text for m in await stored(memory, user_id="ann")] == ["one"]
    assert [m.text for m in await stored(memory, user_id="bob")] == ["two"]


@pytest.mark.anyio
async def test_empty_fields_count_as_absent(memory: AsyncMemory):
    nothing: dict[str, Any] = dict.fromkeys(Memory.model_fields, None)
    result = await memory.import_lines([line(**{**nothing, "text": "one"})])
    assert (result.imported, result.errors) == (1, [])


BAD: list[tuple[bytes, str]] = [
    (b"not json", "JSON"),
    (b'{"text": "cut', "JSON"),
    (b"[1, 2]", "object"),
    (b'"text"', "object"),
    (b"null", "object"),
    (b'{"text": "caf\xe9"}', "UTF-8"),
    ('{"text": "x"}'.encode("utf-16"), "UTF-8"),
    (b"\xff\xfe", "UTF-8"),
    (b"{}", "text"),
    (line(text=" "), "text"),
    (line(text=5), "text"),
    (line(text=None), "text"),
    (line(text=["x"]), "text"),
    (line(text="x" * 100_001), "100,000"),
    (b'{"text": "nul \\u0000"}', "NUL"),
    (b'{"text": "surrogate \\ud800"}', "surrogate"),
    (line(text="x", content="y"), "content"),
    (line(text="x", nonsense=1), "nonsense"),
    (line(text="x", vector=[1.0]), "vector"),
    (line(text="x", kind="song"), "kind"),
    (line(text="x", kind=5), "kind"),
    (line(text="x", status="gone"), "status"),
    (line(text="x", outcome_type="good"), "outcome_type"),
    (line(text="x", severity="awful"), "severity"),
    (line(text="x", tags=[1]), "tags"),
    (line(text="x", metadata=[1]), "metadata"),
    (b'{"text": "x", "metadata": {"n": NaN}}', "metadata"),
    (b'{"text": "x", "metadata": {"n": 1e999}}', "metadata"),
    (line(text="x", relations=[{"source": "a"}]), "relations"),
    (line(text="x", position=-1), "position"),
    (line(text="x", position="one"), "position"),
    (line(text="x", position=2**40), "position"),
    (line(text="x", confidence=2), "confidence"),
    (line(text="x", occurred_at="2026-01-32T12:00:00"), "occurred_at"),
    (line(text="x", occurred_at=5), "occurred_at"),
    (line(text="x", expires_at=True), "expires_at"),
    (line(text="x", user_id=5), "user_id"),
    (line(text="x", agent_id=["a"]), "agent_id"),
    (line(text="x", role=5), "role"),
    (line(text="x", source=5), "source"),
    (b'{"text": "x", "metadata": ' + b'{"a": ' * 5_000 + b"1" + b"}" * 5_001, ""),
    (b"[" * 100_000, ""),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("bad", "named"), BAD, ids=[repr(bad[:40]) for bad, _ in BAD])
async def test_a_bad_line_is_named_and_skipped(memory: AsyncMemory, bad: bytes, named: str):
    result = await memory.import_lines([line(text="first"), b"\n", bad, line(text="last")])
    assert result.imported == 2
    (error,) = result.errors
    assert error.line == 3
    assert named in error.error
    assert 0 < len(error.error) < 1_000
    assert [m.text for m in await stored(memory)] == ["first", "last"]


@pytest.mark.anyio
async def test_duplicates_are_counted_and_not_stored(memory: AsyncMemory):
    await memory.remember("already there")
    lines = [line(text=text) for text in ("already there", "new", " new", "other")]
    result = await memory.import_lines(lines)
    assert (result.imported, result.duplicates, result.errors) == (2, 2, [])
    again = await memory.import_lines(lines)
    assert (again.imported, again.duplicates) == (0, 4)
    assert (await memory.list_memories()).total == 3


@pytest.mark.anyio
async def test_messages_keep_their_place_or_are_numbered_on(memory: AsyncMemory):
    def said(text: str, **fields: Any) -> bytes:
        return line(text=text, kind="message", run_id="r", **fields)

    first = [said("b", position=1), said("a", position=0), said("e", position=7)]
    assert (await memory.import_lines(first)).imported == 3
    again = await memory.import_lines(first)
    assert (again.imported, again.duplicates) == (0, 3)
    assert (await memory.import_lines([said("f"), said("f")])).imported == 2
    places = sorted((m.position, m.text) for m in await stored(memory, run_id="r"))
    assert places == [(0, "a"), (1, "b"), (7, "e"), (8, "f"), (9, "f")]


@pytest.mark.anyio
async def test_places_given_and_left_out_in_one_import_do_not_collide(memory: AsyncMemory):
    lines = [
        line(text=text, kind="message", run_id="r", **place)
        for text, place in (("a", {"position": 0}), ("b", {}), ("c", {"position": 1}))
    ]
    result = await memory.import_lines(lines)
    assert (result.imported, result.duplicates, result.errors) == (3, 0, [])
    assert {m.text for m in await stored(memory, run_id="r")} == {"a", "b", "c"}


@pytest.mark.anyio
async def test_every_line_is_reported_as_progress(memory: AsyncMemory):
    lines = [line(text=f"n {n}") if n % 7 else b"bad" for n in range(1_100)]
    seen: list[int] = []
    result = await memory.import_lines(lines, progress=seen.append)
    assert sum(seen) == 1_100
    assert result.imported + len(result.errors) == 1_100
    assert [error.line for error in result.errors] == list(range(1, 1_101, 7))


@pytest.mark.anyio
@pytest.mark.parametrize("tidied", [False, True])
async def test_an_export_holds_everybody_or_one_user(memory: AsyncMemory, tidied: bool):
    for batch in range(2):
        await memory.remember_many(
            [{"content": f"n {batch} {n}", "user_id": f"u{n % 2}"} for n in range(600)]
        )
    if tidied:
        assert (await memory.maintain()).ran
    lines = [json.loads(text) for text in await exported(memory)]
    assert len(lines) == 1_200
    assert [one["text"] for one in lines] == [f"n {b} {n}" for b in range(2) for n in range(600)]
    assert {one["user_id"] for one in lines} == {"u0", "u1"}
    one_user = [json.loads(text) for text in await exported(memory, user_id="u1")]
    assert len(one_user) == 600
    assert {one["user_id"] for one in one_user} == {"u1"}
    assert await exported(memory, user_id="nobody") == []


@pytest.mark.anyio
async def test_a_store_of_another_embedder_may_be_exported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    async with AsyncMemory.open(settings) as memory:
        await memory.remember("kept")
    monkeypatch.setattr(BundledEmbedder, "identity", "another model")
    async with AsyncMemory.open(settings, any_embedder=True) as memory:
        assert [json.loads(text)["text"] for text in await exported(memory)] == ["kept"]


@pytest.mark.anyio
async def test_outcomes_of_a_file_without_a_header_are_imported_once(memory: AsyncMemory):
    outcome = {"text": "deploy the shop", "kind": "outcome", "outcome_type": "success"}
    lines = [line(**outcome), line(**outcome), line(**outcome, tags=["x"])]
    for imported in (3, 0, 0):
        result = await memory.import_lines(lines)
        assert (result.imported, result.duplicates) == (imported, 3 - imported)
    assert (await memory.list_memories()).total == 3
    assert (await memory.import_lines(lines, user_id="bob")).imported == 3
    (first, *_) = (await memory.list_memories(order="oldest")).memories
    await memory.update_memory(first.memory_id, tags=["y"])
    assert (await memory.import_lines(lines)).duplicates == 3
    await memory.forget(first.memory_id)
    assert (await memory.import_lines(lines)).imported == 1
