"""The first characters of an id stand for it, if no other one that the caller may see has them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import GLOBAL_USER, Scope
from mem_mcp.errors import InvalidInput, NotFound
from mem_mcp.retrieval.access import find, visible
from mem_mcp.store import Store, Version, open_store
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import new_memory

pytestmark = pytest.mark.anyio
ANN, BEN = "ann", "ben"
SIX = "abcdef"


def made(memory_id: str, text: str = "Tea is served at five.", user_id: str = ANN) -> Version:
    memory = new_memory(Scope(user_id=user_id), text, utc_now(), kind="fact")
    identity = {"memory_id": memory_id, "version_id": f"{memory_id}.1"}
    return Version(memory.model_copy(update=identity), None)


def whole(beginning: str) -> str:
    return beginning.ljust(32, "0")


@pytest.fixture
async def memory(tmp_path: Any) -> AsyncIterator[AsyncMemory]:
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "memory", user_id=ANN)) as opened:
        yield opened


@pytest.fixture
def store(memory: AsyncMemory) -> Store:
    return memory._runtime.store


async def stored(memory: AsyncMemory, text: str = "Tea is served at five.", **given: Any) -> str:
    return (await memory.remember(text, **given)).results[0].memory_id


async def refused(call: Awaitable[object]) -> str:
    with pytest.raises((NotFound, InvalidInput)) as caught:
        await call
    return str(caught.value)


# Taken wherever an id is


@pytest.mark.parametrize("length", [6, 8, 31, 32])
async def test_every_operation_takes_the_beginning_and_answers_with_the_whole_id(memory, length):
    memory_id = await stored(memory)
    short = memory_id[:length]
    updated = await memory.update_memory(short, tags=["drinks"])
    got = await memory.get_memory(short, history=True)
    assert (updated.memory_id, got.memory.memory_id) == (memory_id, memory_id)
    assert [version.version for version in got.versions] == [1, 2]
    given = await memory.give_feedback(short, "POSITIVE")
    many = await memory.give_feedback(
        items=[{"memory_id": each, "feedback": "NEGATIVE"} for each in (short, memory_id)]
    )
    assert [one.memory_id for one in (*given.results, *many.results)] == [memory_id] * 3
    assert [one.previous for one in many.results] == ["POSITIVE", "NEGATIVE"]
    outcome = await memory.record_outcome(
        "Serve tea", "success", used_memory_ids=[short, memory_id]
    )
    assert outcome.credited == [memory_id]
    kept = (await memory.get_memory(outcome.memory_id)).memory.used
    assert kept == [memory_id]
    found = await memory.recall("When is tea served?", explain=True)
    (marks,) = [one.marks for one in found.memories if one.memory_id == memory_id]
    assert marks
    assert (marks.negative, marks.successes) == (1, 1)
    why = await memory.why(found.recall_id, short)
    assert (why.memory_id, why.found) == (memory_id, True)
    assert (await memory.forget(short)).memory_ids == [memory_id]
    assert [v.event for v in (await memory.get_memory(short, history=True)).versions][
        -1
    ] == "DELETE"
    assert (await memory.forget(short, purge=True)).memory_ids == [memory_id]
    assert short in await refused(memory.get_memory(short, history=True))


async def test_a_very_wrong_memory_is_hidden_by_the_beginning_of_its_id(memory):
    memory_id = await stored(memory)
    await memory.give_feedback(memory_id[:8], "VERY_NEGATIVE")
    assert (await memory.get_memory(memory_id)).memory.status == "hidden"
    await memory.give_feedback(items=[{"memory_id": memory_id[:8], "feedback": None}])
    assert (await memory.get_memory(memory_id)).memory.status == "active"


async def test_fewer_than_six_characters_stand_for_nothing(memory):
    memory_id = await stored(memory)
    for short in (memory_id[:5], memory_id[:1]):
        problem = await refused(memory.get_memory(short))
        assert problem == str(NotFound(short))
        given = await memory.give_feedback(items=[{"memory_id": short, "feedback": None}])
        assert [one.error for one in given.errors] == [problem]


async def test_the_beginning_is_looked_for_only_where_no_whole_id_was_found(
    memory, store, monkeypatch
):
    memory_id = await stored(memory)
    reads = []
    scan = type(store).scan

    async def counted(self: Store, *args: Any, **options: Any) -> Any:
        reads.append(args)
        return await scan(self, *args, **options)

    monkeypatch.setattr(type(store), "scan", counted)
    for one, expected in ((memory_id, 1), (memory_id[:8], 2)):
        for look in (
            find(store, Scope(user_id=ANN), one),
            visible(store, Scope(user_id=ANN), [one]),
        ):
            reads.clear()
            await look
            assert len(reads) == expected


# Several that begin alike


async def test_of_several_that_begin_alike_at_most_five_are_named(memory, store):
    await store.apply([made(whole(f"{SIX}{n}"), f"Tea\nnumber {n}") for n in range(5)])
    problem = await refused(memory.get_memory(SIX))
    assert problem.splitlines() == [
        f"memory_id: '{SIX}' is the beginning of several ids; give more of it:",
        *(f"{whole(f'{SIX}{n}')} Tea number {n}" for n in range(5)),
    ]
    await store.apply([made(whole(f"{SIX}{n}")) for n in range(5, 8)])
    assert (await refused(memory.forget(SIX))).splitlines()[-1] == "and 3 more"
    assert (await memory.get_memory(f"{SIX}7")).memory.memory_id == whole(f"{SIX}7")


async def test_each_operation_refuses_what_may_be_one_of_several_and_stores_nothing(memory, store):
    await store.apply([made(whole(f"{SIX}{n}")) for n in range(2)])
    other = await stored(memory, "Coffee is served at six.")
    named = whole(f"{SIX}0")
    calls = [
        memory.update_memory(SIX, content="x"),
        memory.forget(SIX),
        memory.forget(SIX, purge=True),
        memory.get_memory(SIX, history=True),
        memory.give_feedback(SIX, "POSITIVE"),
        memory.record_outcome("Serve tea", "success", used_memory_ids=[other, SIX]),
    ]
    for call in calls:
        assert named in await refused(call)
    given = await memory.give_feedback(
        items=[{"memory_id": one, "feedback": "POSITIVE"} for one in (SIX, other, f"{SIX}1")]
    )
    assert [one.memory_id for one in given.results] == [other, whole(f"{SIX}1")]
    (error,) = given.errors
    assert (error.memory_id, named in error.error) == (SIX, True)
    assert (await memory.list_memories()).total == 3


async def test_a_whole_id_is_itself_also_where_others_begin_with_it(memory, store):
    await store.apply([made("urn:memory:1"), made("urn:memory:12")])
    assert (await memory.get_memory("urn:memory:1")).memory.memory_id == "urn:memory:1"
    seen = await visible(store, Scope(user_id=ANN), ["urn:memory:1"])
    assert seen.of("urn:memory:1").memory_id == "urn:memory:1"


async def test_what_was_forgotten_is_in_nobodys_way_but_for_its_history(memory, store):
    await store.apply([made(whole(f"{SIX}{n}")) for n in range(2)])
    await memory.forget(f"{SIX}0")
    assert (await memory.get_memory(SIX)).memory.memory_id == whole(f"{SIX}1")
    assert whole(f"{SIX}0") in await refused(memory.get_memory(SIX, history=True))


# Other users


async def test_the_beginning_of_another_users_id_is_answered_as_one_that_is_not_there(
    memory, store
):
    await store.apply([made(whole(SIX), "Private", user_id=BEN)])
    absent = "012345"

    def calls(one: str) -> list[Awaitable[object]]:
        return [
            memory.get_memory(one, history=True),
            memory.update_memory(one, content="mine"),
            memory.forget(one),
            memory.give_feedback(one, "POSITIVE"),
            memory.record_outcome("Serve tea", used_memory_ids=[one]),
        ]

    for of_ben, of_nobody in zip(calls(SIX), calls(absent), strict=True):
        assert (await refused(of_ben)).replace(SIX, absent) == await refused(of_nobody)


async def test_another_users_id_makes_none_of_the_callers_own_unclear_and_is_not_named(
    memory, store
):
    await store.apply([made(whole(f"{SIX}0")), made(whole(f"{SIX}1"), "Private", user_id=BEN)])
    assert (await memory.get_memory(SIX)).memory.memory_id == whole(f"{SIX}0")
    seen = await visible(store, Scope(user_id=ANN), [SIX])
    assert seen.of(SIX).memory_id == whole(f"{SIX}0")
    await store.apply([made(whole(f"{SIX}2"), "Shared", user_id=GLOBAL_USER)])
    problem = await refused(memory.get_memory(SIX))
    assert "Shared" in problem
    assert "Private" not in problem


# Whatever the ids are

ids = st.lists(
    st.text(st.sampled_from("ab\u00e9\U0001f375\U0010fffe"), min_size=1, max_size=9),
    unique=True,
    max_size=9,
)


@hypothesis_settings(deadline=None, max_examples=15)
@given(existing=ids, others=ids)
async def test_a_beginning_stands_for_what_begins_with_it(tmp_path_factory, existing, others):
    folder = tmp_path_factory.mktemp("store")
    async with open_store(folder, dimension=3, embedder="none", durable=False) as store:
        await store.apply([made(one) for one in existing])
        asked = {one[:n] for one in existing for n in range(1, 10)} | set(others)
        seen = await visible(store, Scope(user_id=ANN), asked)
        for one in asked:
            begin = [other for other in existing if other.startswith(one) and len(one) > 5]
            meant = [one] if one in existing else begin
            if len(meant) == 1:
                assert seen.of(one).memory_id == meant[0]
                assert (await find(store, Scope(user_id=ANN), one)).memory.memory_id == meant[0]
            else:
                with pytest.raises(InvalidInput if meant else NotFound):
                    seen.of(one)
                with pytest.raises(InvalidInput if meant else NotFound):
                    await find(store, Scope(user_id=ANN), one)
