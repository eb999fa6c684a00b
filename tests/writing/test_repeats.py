"""The same text said again: what it brings anew is added, and what was over comes back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import Memory, RememberResult

TEXT = "The demo account is active."
LATER = "2999-01-01T00:00:00Z"


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def event(result: RememberResult) -> str:
    (one,) = result.results
    return one.event


async def first(memory: AsyncMemory, text: str = TEXT, **fields: Any) -> str:
    (one,) = (await memory.remember(text, **fields)).results
    assert one.event == "ADD"
    return one.memory_id


async def now(memory: AsyncMemory, memory_id: str) -> Memory:
    return (await memory.get_memory(memory_id)).memory


async def recalled(memory: AsyncMemory) -> list[str]:
    return [one.text for one in (await memory.recall("demo account", limit=5)).memories]


NEW_VALUES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({}, {"tags": ["a"]}, {"tags": ["a"]}),
    ({"tags": ["a", "b"]}, {"tags": ["b", "c"]}, {"tags": ["a", "b", "c"]}),
    ({"entities": ["Ann"]}, {"entities": ["Bo"]}, {"entities": ["Ann", "Bo"]}),
    ({"metadata": {"k": 1, "l": 2}}, {"metadata": {"k": 3}}, {"metadata": {"k": 3, "l": 2}}),
    ({}, {"occurred_at": "2020-05-01T00:00:00Z"}, {"occurred_at": when("2020-05-01T00:00:00Z")}),
    ({}, {"expires_at": LATER}, {"expires_at": when(LATER)}),
    ({"expires_at": LATER}, {"expires_at": "never"}, {"expires_at": None}),
    ({"expires_at": LATER}, {"tags": ["x"]}, {"tags": ["x"], "expires_at": when(LATER)}),
    ({}, {"valid_until": "2020-01-01"}, {"valid_until": when("2020-01-01T00:00:00Z")}),
    ({"valid_until": LATER}, {"valid_until": "NEVER"}, {"valid_until": None}),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("before", "again", "after"), NEW_VALUES)
async def test_new_values_make_a_new_version_once(
    memory: AsyncMemory, before: dict[str, Any], again: dict[str, Any], after: dict[str, Any]
):
    memory_id = await first(memory, **before)
    result = await memory.remember(TEXT, **again)
    assert (event(result), result.results[0].memory_id) == ("UPDATE", memory_id)
    stored = await now(memory, memory_id)
    assert {name: getattr(stored, name) for name in after} == after
    assert (stored.version, stored.reason) == (2, "said again")
    assert event(await memory.remember(f"  {TEXT}\r\n", **again)) == "NONE"


@pytest.mark.anyio
async def test_relations_are_added_and_repeated_ones_are_not(memory: AsyncMemory):
    one = {"source": "Ann", "relation": "likes", "target": "tea"}
    other = {"source": "Ann", "relation": "likes", "target": "rum"}
    memory_id = await first(memory, relations=[one])
    assert event(await memory.remember(TEXT, relations=[one])) == "NONE"
    assert event(await memory.remember(TEXT, relations=[other, one])) == "UPDATE"
    assert [r.target for r in (await now(memory, memory_id)).relations] == ["tea", "rum"]


@pytest.mark.anyio
async def test_a_renewed_memory_outlives_its_first_expiry(memory: AsyncMemory):
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    await first(memory, expires_at=soon)
    again = await memory.remember(TEXT, expires_at=LATER, tags=["renewed"])
    assert event(again) == "UPDATE"
    await asyncio.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()) + 0.1)
    assert await recalled(memory) == [TEXT]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "ended",
    [
        {"status": "archived"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2020-01-01T00:00:00Z", "status": "archived"},
        {"valid_until": "2020-01-01T00:00:00Z"},
    ],
)
async def test_what_was_over_comes_back(memory: AsyncMemory, ended: dict[str, Any]):
    memory_id = await first(memory)
    await memory.update_memory(memory_id, **ended)
    again = await memory.remember(TEXT)
    assert (event(again), again.results[0].memory_id) == ("UPDATE", memory_id)
    stored = await now(memory, memory_id)
    assert (stored.status, stored.expires_at, stored.valid_until) == ("active", None, None)
    assert await recalled(memory) == [TEXT]
    await memory.maintain()
    assert await recalled(memory) == [TEXT]


@pytest.mark.anyio
async def test_what_its_owner_hid_comes_back_and_keeps_its_marks(memory: AsyncMemory):
    memory_id = await first(memory)
    await memory.give_feedback(memory_id, "VERY_NEGATIVE")
    assert await recalled(memory) == []
    assert event(await memory.remember(TEXT)) == "UPDATE"
    found = (await memory.recall("demo account", explain=True)).memories
    assert [(one.text, one.marks and one.marks.very_negative) for one in found] == [(TEXT, 1)]


@pytest.mark.anyio
async def test_what_another_user_says_brings_nothing_back(memory: AsyncMemory):
    memory_id = await first(memory)
    await memory.update_memory(memory_id, status="archived")
    assert event(await memory.remember(TEXT, user_id="bob")) == "ADD"
    assert (await now(memory, memory_id)).status == "archived"


@pytest.mark.anyio
async def test_a_forgotten_memory_stays_forgotten_and_the_text_is_a_new_one(memory: AsyncMemory):
    memory_id = await first(memory, tags=["old"])
    await memory.forget(memory_id)
    again = await memory.remember(TEXT, tags=["new"])
    assert event(again) == "ADD"
    assert again.results[0].memory_id != memory_id
    assert (await now(memory, again.results[0].memory_id)).tags == ["new"]


@pytest.mark.anyio
async def test_a_past_fact_said_of_a_live_memory_ends_it(memory: AsyncMemory):
    memory_id = await first(memory)
    assert event(await memory.remember(TEXT, valid_until="2020-01-01")) == "UPDATE"
    assert (await now(memory, memory_id)).valid_until is not None


@pytest.mark.anyio
async def test_the_same_text_in_one_call_brings_all_its_values(memory: AsyncMemory):
    items = [{"content": TEXT, "tags": [tag]} for tag in ("a", "b", "a")]
    result = await memory.remember_many(items)
    assert [one.event for one in result.results] == ["ADD", "UPDATE", "NONE"]
    (one,) = (await memory.list_memories()).memories
    assert one.tags == ["a", "b"]
    more = await memory.remember_many([{"content": TEXT}, {"content": TEXT, "tags": ["c"]}])
    assert [one.event for one in more.results] == ["NONE", "UPDATE"]
    (one,) = (await memory.list_memories()).memories
    assert (one.tags, one.version) == (["a", "b", "c"], 2)


@pytest.mark.anyio
async def test_a_repeated_key_of_an_update_gets_the_first_answer(memory: AsyncMemory):
    await first(memory)
    answers = [
        await memory.remember(TEXT, tags=["a"], idempotency_key="k"),
        await memory.remember(TEXT, tags=["a"], idempotency_key="k"),
    ]
    assert [event(one) for one in answers] == ["UPDATE", "UPDATE"]
    assert (await now(memory, answers[0].results[0].memory_id)).version == 2


@pytest.mark.anyio
async def test_merged_metadata_that_is_too_large_is_refused_and_changes_nothing(
    memory: AsyncMemory,
):
    memory_id = await first(memory, metadata={"a": "x" * 60_000})
    with pytest.raises(Exception, match="metadata"):
        await memory.remember(TEXT, metadata={"b": "x" * 60_000})
    assert [*(await now(memory, memory_id)).metadata] == ["a"]


@pytest.mark.anyio
async def test_a_long_text_said_twice_with_one_letter_changed_is_two_memories(memory: AsyncMemory):
    text = "The log says: " + "x" * 99_000
    assert event(await memory.remember(text)) == "ADD"
    assert event(await memory.remember(text[:-1] + "X")) == "ADD"
    assert event(await memory.remember(text)) == "NONE"


@pytest.mark.anyio
async def test_tags_that_tasks_add_at_once_are_all_kept(memory: AsyncMemory):
    tags = [f"t{n}" for n in range(8)]
    results = await asyncio.gather(*(memory.remember(TEXT, tags=[tag]) for tag in tags))
    assert sorted(event(one) for one in results) == ["ADD", *["UPDATE"] * 7]
    (one,) = (await memory.list_memories()).memories
    assert sorted(one.tags) == tags


SPEAKER = """
import sys
from mem_mcp import Memory
with Memory.open() as memory:
    memory.recall("warm")
    print("ready", flush=True)
    sys.stdin.readline()
    print(memory.remember("The demo account is active.", tags=[sys.argv[1]]).results[0].event)
"""


@pytest.mark.anyio
async def test_tags_that_processes_add_at_once_are_all_kept(settings: Settings):
    doors = [
        subprocess.Popen(
            [sys.executable, "-c", SPEAKER, tag],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for tag in ("one", "two")
    ]  # fmt: skip
    for door in doors:
        assert door.stdout is not None
        assert door.stdout.readline() == "ready\n"
    for door in doors:
        assert door.stdin is not None
        door.stdin.write("\n")
        door.stdin.flush()
    events = [door.communicate(timeout=60)[0].strip() for door in doors]
    assert sorted(events) == ["ADD", "UPDATE"]
    async with AsyncMemory.open(settings) as memory:
        (one,) = (await memory.list_memories()).memories
        assert sorted(one.tags) == ["one", "two"]


@pytest.mark.anyio
async def test_a_file_imported_again_brings_nothing_back_that_it_calls_archived(
    memory: AsyncMemory, tmp_path: Path
):
    lines = [json.dumps({"text": TEXT, "status": "archived", "tags": ["a"]}).encode()]
    assert (await memory.import_lines(lines)).imported == 1
    again = await memory.import_lines(lines)
    assert (again.imported, again.duplicates) == (0, 1)
    (one,) = (await memory.list_memories()).memories
    assert (one.status, one.version) == ("archived", 1)
