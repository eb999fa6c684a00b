"""get_memory, list_memories and stats: reading without a question."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mem_mcp import AsyncMemory
from mem_mcp.api.models import ListResult
from mem_mcp.errors import InvalidInput, NotFound

pytestmark = pytest.mark.usefixtures("one_model")


async def only(memory: AsyncMemory, text: str, **fields: Any) -> str:
    (one,) = (await memory.remember(text, **fields)).results
    return one.memory_id


def texts(listed: ListResult) -> list[str]:
    return [memory.text for memory in listed.memories]


async def pages(memory: AsyncMemory, **arguments: Any) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        listed = await memory.list_memories(cursor=cursor, **arguments)
        found.append(texts(listed))
        if listed.next_cursor is None:
            return found
        cursor = listed.next_cursor


# get_memory.


@pytest.mark.anyio
async def test_a_memory_is_read_without_its_history_unless_asked(memory: AsyncMemory):
    memory_id = await only(memory, "one")
    await memory.update_memory(memory_id, content="two")
    got = await memory.get_memory(memory_id)
    assert (got.memory.text, got.memory.version) == ("two", 2)
    assert got.versions == []
    got = await memory.get_memory(memory_id, history=True)
    assert got.memory.text == "two"
    assert [version.text for version in got.versions] == ["one", "two"]
    assert "vector" not in got.memory.model_dump()


@pytest.mark.anyio
async def test_a_forgotten_memory_is_read_with_its_history_only(memory: AsyncMemory):
    memory_id = await only(memory, "one")
    await memory.forget(memory_id)
    with pytest.raises(NotFound):
        await memory.get_memory(memory_id)
    got = await memory.get_memory(memory_id, history=True)
    assert got.memory.status == "deleted"
    assert [version.event for version in got.versions] == ["ADD", "DELETE"]


@pytest.mark.anyio
async def test_an_archived_or_expired_memory_is_still_read(memory: AsyncMemory):
    archived = await only(memory, "one")
    await memory.update_memory(archived, status="archived")
    expired = await only(memory, "two")
    await memory.update_memory(expired, expires_at="2020-01-01T00:00:00Z")
    assert (await memory.get_memory(archived)).memory.status == "archived"
    assert (await memory.get_memory(expired)).memory.text == "two"


@pytest.mark.anyio
async def test_a_scope_is_asked_for_by_each_of_its_parts(memory: AsyncMemory):
    memory_id = await only(memory, "one", user_id="ann", agent_id="a", run_id="r")
    for scope in (
        {"user_id": "ann"},
        {"user_id": "ann", "agent_id": "a"},
        {"user_id": "ann", "run_id": "r"},
    ):
        assert (await memory.get_memory(memory_id, **scope)).memory.text == "one"
    for scope in ({}, {"user_id": "bob"}, {"user_id": "ann", "agent_id": "b"}):
        with pytest.raises(NotFound) as caught:
            await memory.get_memory(memory_id, **scope)
        assert caught.value.memory_id == memory_id


@pytest.mark.anyio
async def test_ids_that_cannot_be_are_refused(memory: AsyncMemory):
    for wrong in ("", " ", "\x00", "\ud800", "i" * 513, 5, None):
        with pytest.raises(InvalidInput, match="memory_id"):
            await memory.get_memory(wrong)  # type: ignore[arg-type]


# list_memories.


@pytest.mark.anyio
async def test_the_newest_come_first_unless_the_oldest_are_asked_for(memory: AsyncMemory):
    for text in ("one", "two", "three"):
        await only(memory, text)
    await memory.remember_many([{"content": text} for text in ("four", "five")])
    listed = await memory.list_memories()
    assert texts(listed) == ["five", "four", "three", "two", "one"]
    assert (listed.total, listed.next_cursor) == (5, None)
    assert texts(await memory.list_memories(order="newest")) == texts(listed)
    assert texts(await memory.list_memories(order="oldest")) == texts(listed)[::-1]


@pytest.mark.anyio
async def test_an_updated_memory_is_listed_once_as_it_is_now(memory: AsyncMemory):
    memory_id = await only(memory, "one")
    await only(memory, "two")
    await memory.update_memory(memory_id, content="one, corrected")
    listed = await memory.list_memories()
    assert sorted(texts(listed)) == ["one, corrected", "two"]
    assert listed.total == 2


@pytest.mark.anyio
@pytest.mark.parametrize("tidied", [False, True])
@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_pages_hold_every_memory_once_and_in_order(
    memory: AsyncMemory, order: str, tidied: bool
):
    names = [f"n {number}" for number in range(23)]
    await memory.remember_many([{"content": text} for text in names])
    await memory.remember_many([{"content": f"b {n}", "user_id": "bob"} for n in range(5)])
    if tidied:
        assert (await memory.maintain()).ran
    expected = names if order == "oldest" else names[::-1]
    for limit in (1, 5, 10, 23, 50):
        found = await pages(memory, limit=limit, order=order)
        assert [text for page in found for text in page] == expected
        assert all(len(page) == limit for page in found[:-1])
        assert 1 <= len(found[-1]) <= limit
        assert len(found) == -(-len(names) // limit)
    listed = await memory.list_memories(limit=1, order=order)
    assert listed.total == 23


@pytest.mark.anyio
async def test_what_is_stored_between_two_pages_moves_nothing(memory: AsyncMemory):
    await memory.remember_many([{"content": f"n {number}"} for number in range(6)])
    first = await memory.list_memories(limit=3)
    await only(memory, "late")
    second = await memory.list_memories(limit=3, cursor=first.next_cursor or "")
    assert [*texts(first), *texts(second)] == [f"n {number}" for number in range(5, -1, -1)]


@pytest.mark.anyio
async def test_kinds_tags_and_filters_choose(memory: AsyncMemory):
    await only(memory, "one", tags=["x"], metadata={"n": 1})
    await only(memory, "two", tags=["y"], kind="procedure", metadata={"n": 2})
    await memory.remember(messages=[{"role": "user", "content": "three"}], run_id="r")
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"kinds": ["fact"]}, ["one"]),
        ({"kinds": ["procedure", "message"]}, ["three", "two"]),
        ({"tags": ["x", "y"]}, ["two", "one"]),
        ({"tags": ["z"]}, []),
        ({"run_id": "r"}, ["three"]),
        ({"filters": {"metadata.n": {"gte": 2}}}, ["two"]),
        ({"filters": {"position": 0}}, ["three"]),
        ({"filters": {"kind": {"ne": "fact"}}, "kinds": ["fact"]}, []),
        ({"kinds": [], "tags": [], "filters": {}}, ["three", "two", "one"]),
    ]
    for arguments, expected in cases:
        listed = await memory.list_memories(**arguments)
        assert texts(listed) == expected, arguments
        assert listed.total == len(expected), arguments


@pytest.mark.anyio
async def test_forgotten_and_superseded_ones_are_listed_only_when_asked_for(memory: AsyncMemory):
    kept = await only(memory, "kept")
    await memory.update_memory(kept, content="kept, corrected")
    await memory.forget(await only(memory, "forgotten"))
    assert texts(await memory.list_memories()) == ["kept, corrected"]
    deleted = await memory.list_memories(filters={"status": "deleted"})
    assert texts(deleted) == ["forgotten"]
    past = await memory.list_memories(filters={"superseded_at": {"exists": True}})
    assert sorted(texts(past)) == ["forgotten", "kept"]
    every = {"superseded_at": {"gt": datetime(2020, 1, 1, tzinfo=UTC)}}
    nested = await memory.list_memories(filters={"NOT": {"NOT": every}})
    assert sorted(texts(nested)) == ["forgotten", "kept"]


@pytest.mark.anyio
async def test_expired_and_archived_ones_are_listed(memory: AsyncMemory):
    expired = await only(memory, "expired")
    await memory.update_memory(expired, expires_at="2020-01-01T00:00:00Z")
    await memory.update_memory(await only(memory, "archived"), status="archived")
    assert sorted(texts(await memory.list_memories())) == ["archived", "expired"]


@pytest.mark.anyio
async def test_a_list_holds_one_users_memories_only(memory: AsyncMemory):
    await only(memory, "Ann's", user_id="ann")
    await only(memory, "Bob's", user_id="bob")
    await only(memory, "mine")
    assert texts(await memory.list_memories()) == ["mine"]
    assert texts(await memory.list_memories(user_id="ann")) == ["Ann's"]
    for filters in ({"user_id": "bob"}, {"OR": [{"user_id": "bob"}, {"NOT": {"text": ""}}]}):
        listed = await memory.list_memories(user_id="ann", filters=filters)
        assert "Bob's" not in texts(listed)
        assert listed.total == len(texts(listed))


@pytest.mark.anyio
async def test_a_cursor_of_another_user_shows_nothing_of_theirs(memory: AsyncMemory):
    await memory.remember_many([{"content": f"b {n}", "user_id": "bob"} for n in range(4)])
    await only(memory, "Ann's", user_id="ann")
    theirs = (await memory.list_memories(user_id="bob", limit=2)).next_cursor
    assert theirs
    listed = await memory.list_memories(user_id="ann", cursor=theirs)
    assert set(texts(listed)) <= {"Ann's"}


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("limit", {"limit": 0}),
    ("limit", {"limit": 201}),
    ("order", {"order": "best"}),
    ("kinds", {"kinds": ["song"]}),
    ("filters", {"filters": {"nonsense": 1}}),
    ("filters", {"filters": {"occurred_at": {"gt": "yesterday"}}}),
    ("cursor", {"cursor": "nonsense"}),
    ("cursor", {"cursor": "🎉"}),
    ("cursor", {"cursor": "e30="}),
    ("cursor", {"cursor": "W10="}),
    ("cursor", {"cursor": "WzEsMl0="}),
    ("cursor", {"cursor": "WyJ4IiwgInkiXQ=="}),
    ("cursor", {"cursor": "' OR '1'='1"}),
    ("user_id", {"user_id": "\x00"}),
]


@pytest.mark.anyio
async def test_what_is_wrong_is_refused_by_name(memory: AsyncMemory):
    await only(memory, "one")
    for argument, arguments in WRONG:
        with pytest.raises(InvalidInput) as caught:
            await memory.list_memories(**arguments)
        assert str(caught.value).startswith(argument), (arguments, str(caught.value))
    assert texts(await memory.list_memories()) == ["one"]


# stats.


@pytest.mark.anyio
async def test_stats_count_what_is_there(memory: AsyncMemory):
    empty = await memory.stats()
    assert (empty.memories, empty.versions, empty.users) == (0, 0, 0)
    first = await only(memory, "one")
    await only(memory, "two", kind="procedure", user_id="ann")
    await memory.remember(messages=[{"role": "user", "content": "three"}], user_id="ann")
    await memory.update_memory(first, content="one, corrected", status="archived")
    await memory.forget(await only(memory, "gone", user_id="bob"), user_id="bob")
    stats = await memory.stats()
    assert (stats.memories, stats.versions, stats.users) == (3, 6, 2)
    assert stats.by_kind == {"fact": 1, "procedure": 1, "message": 1}
    assert stats.by_status == {"active": 2, "archived": 1}
    assert stats.without_vector == 0
    assert stats.embedder
    assert stats.data_bytes is not None
    assert stats.data_bytes > 0
    assert stats.table_version > empty.table_version
