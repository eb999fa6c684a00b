"""update_memory and forget: new versions, kept history, ends, and whose it is to change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import Memory, RecallResult
from mem_mcp.config import StoreSettings
from mem_mcp.errors import InvalidInput, NotFound, NotPermitted

INJECTION = "x' OR '1'='1"


pytestmark = pytest.mark.usefixtures("one_model")


async def only(memory: AsyncMemory, text: str, **fields: Any) -> str:
    (one,) = (await memory.remember(text, **fields)).results
    return one.memory_id


async def now(memory: AsyncMemory, memory_id: str, **scope: Any) -> Memory:
    return (await memory.get_memory(memory_id, **scope)).memory


async def history(memory: AsyncMemory, memory_id: str, **scope: Any) -> list[Memory]:
    return (await memory.get_memory(memory_id, history=True, **scope)).versions


def texts(found: RecallResult) -> list[str]:
    return [memory.text for memory in found.memories]


async def table_version(memory: AsyncMemory) -> int:
    return (await memory.stats()).table_version


# update_memory.


@pytest.mark.anyio
async def test_an_update_is_one_commit_that_closes_the_old_version(memory: AsyncMemory):
    memory_id = await only(memory, "Ann lives in Rome", tags=["home"], metadata={"a": 1})
    before = await table_version(memory)
    result = await memory.update_memory(memory_id, content="Ann lives in Oslo", reason="moved")
    assert (result.memory_id, result.event, result.version) == (memory_id, "UPDATE", 2)
    assert await table_version(memory) == before + 1
    old, new = await history(memory, memory_id)
    assert (old.text, old.version, old.event, old.reason) == ("Ann lives in Rome", 1, "ADD", None)
    assert (new.text, new.version, new.event, new.reason) == (
        "Ann lives in Oslo", 2, "UPDATE", "moved",
    )  # fmt: skip
    assert old.superseded_at == new.recorded_at
    assert old.superseded_at > old.recorded_at
    assert new.superseded_at is None
    assert new.version_id == f"{memory_id}.2"
    assert (new.tags, new.metadata, new.occurred_at) == (["home"], {"a": 1}, old.occurred_at)
    assert new.content_hash != old.content_hash
    assert await now(memory, memory_id) == new


@pytest.mark.anyio
async def test_the_new_text_is_found_and_the_old_one_is_not(memory: AsyncMemory):
    memory_id = await only(memory, "The locker code is 4711")
    await memory.update_memory(memory_id, content="The bicycle is in the cellar")
    assert texts(await memory.recall("Where is the bike?")) == ["The bicycle is in the cellar"]
    assert texts(await memory.recall("locker code")) == ["The bicycle is in the cellar"]
    assert (await memory.recall("bicycle")).memories[0].score > (
        await memory.recall("locker code")
    ).memories[0].score


@pytest.mark.anyio
async def test_each_field_may_change_alone(memory: AsyncMemory):
    start: dict[str, Any] = {
        "text": "tea", "tags": ["a"], "metadata": {"k": 1}, "expires_at": None,
        "valid_until": None, "status": "active",
    }  # fmt: skip
    memory_id = await only(memory, "tea", tags=["a"], metadata={"k": 1})
    moment = datetime(2999, 1, 1, tzinfo=UTC)
    changes: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"tags": ["b", "c"]}, {"tags": ["b", "c"]}),
        ({"tags": []}, {"tags": []}),
        ({"metadata": {"n": 2}}, {"metadata": {"k": 1, "n": 2}}),
        ({"metadata": {"k": None}}, {"metadata": {"n": 2}}),
        ({"expires_at": "2999-01-01T00:00:00Z"}, {"expires_at": moment}),
        ({"valid_until": moment}, {"valid_until": moment}),
        ({"status": "archived"}, {"status": "archived"}),
        ({"status": "active"}, {"status": "active"}),
        ({"content": "coffee"}, {"text": "coffee"}),
    ]
    for version, (change, effect) in enumerate(changes, start=2):
        result = await memory.update_memory(memory_id, **change)
        assert (result.event, result.version) == ("UPDATE", version), change
        start |= effect
        stored = await now(memory, memory_id)
        assert {field: getattr(stored, field) for field in start} == start, change


@pytest.mark.anyio
async def test_metadata_is_merged_by_key_and_null_deletes_a_key(memory: AsyncMemory):
    memory_id = await only(memory, "tea", metadata={"a": 1, "b": {"x": 1}, "c": "c"})
    await memory.update_memory(memory_id, metadata={"b": {"y": 2}, "c": None, "d": [1], "e": None})
    assert (await now(memory, memory_id)).metadata == {"a": 1, "b": {"y": 2}, "d": [1]}


@pytest.mark.anyio
async def test_an_update_that_changes_nothing_writes_nothing(memory: AsyncMemory):
    memory_id = await only(memory, "tea", tags=["a"], metadata={"k": 1})
    before = await table_version(memory)
    for same in (
        {"content": "tea"},
        {"tags": ["a"]},
        {"metadata": {"k": 1}},
        {"metadata": {"gone": None}},
        {"status": "active"},
        {"content": "tea", "tags": ["a"], "reason": "no reason"},
    ):
        result = await memory.update_memory(memory_id, **same)
        assert (result.event, result.version) == ("NONE", 1), same
    assert await table_version(memory) == before


@pytest.mark.anyio
async def test_an_update_without_a_change_is_refused(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    for nothing in ({}, {"reason": "because"}, {"content": ""}, {"content": None, "tags": None}):
        with pytest.raises(InvalidInput, match="content"):
            await memory.update_memory(memory_id, **nothing)


@pytest.mark.anyio
async def test_an_archived_memory_may_become_active_again(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    await memory.update_memory(memory_id, status="archived")
    assert texts(await memory.recall("tea")) == []
    assert [m.text for m in (await memory.list_memories()).memories] == ["tea"]
    await memory.update_memory(memory_id, status="active")
    assert texts(await memory.recall("tea")) == ["tea"]


@pytest.mark.anyio
async def test_an_expiry_in_the_past_hides_at_once_and_keeps_the_history(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    await memory.update_memory(memory_id, expires_at="2020-01-01T00:00:00Z")
    assert texts(await memory.recall("tea")) == []
    assert len(await history(memory, memory_id)) == 2


@pytest.mark.anyio
async def test_updates_at_once_are_all_kept_in_a_row(memory: AsyncMemory):
    memory_id = await only(memory, "count 0")
    results = await asyncio.gather(
        *(memory.update_memory(memory_id, metadata={f"k{n}": n}) for n in range(12))
    )
    assert sorted(result.version for result in results) == list(range(2, 14))
    versions = await history(memory, memory_id)
    assert [version.version for version in versions] == list(range(1, 14))
    assert sum(version.superseded_at is None for version in versions) == 1
    assert versions[-1].metadata == {f"k{n}": n for n in range(12)}
    for earlier, later in pairwise(versions):
        assert earlier.superseded_at == later.recorded_at


@pytest.mark.anyio
async def test_only_an_outcome_has_an_outcome_to_correct(memory: AsyncMemory):
    fact = await only(memory, "tea")
    with pytest.raises(InvalidInput, match="outcome"):
        await memory.update_memory(fact, outcome="success")
    await memory.import_lines([b'{"text": "it worked", "kind": "outcome"}'])
    (outcome,) = (await memory.list_memories(kinds=["outcome"])).memories
    await memory.update_memory(outcome.memory_id, outcome="failure")
    assert (await now(memory, outcome.memory_id)).outcome_type == "failure"


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("content", {"content": "  "}),
    ("content", {"content": "x" * 100_001}),
    ("content", {"content": "\x00"}),
    ("content", {"content": 5}),
    ("tags", {"tags": [""]}),
    ("metadata", {"metadata": {"a": float("inf")}}),
    ("metadata", {"metadata": "team a"}),
    ("expires_at", {"expires_at": "soon"}),
    ("valid_until", {"valid_until": "soon"}),
    ("outcome", {"outcome": "good"}),
    ("status", {"status": "hidden"}),
    ("status", {"status": "deleted"}),
    ("reason", {"content": "x", "reason": "\ud800"}),
    ("memory_id", {"memory_id": "", "content": "x"}),
    ("memory_id", {"memory_id": " ", "content": "x"}),
    ("memory_id", {"memory_id": "i" * 513, "content": "x"}),
    ("memory_id", {"memory_id": None, "content": "x"}),
    ("user_id", {"user_id": "\x00", "content": "x"}),
]


@pytest.mark.anyio
async def test_a_wrong_update_is_refused_by_name_and_changes_nothing(memory: AsyncMemory):
    memory_id = await only(memory, "tea", tags=["a"])
    before = await table_version(memory)
    for argument, arguments in WRONG:
        with pytest.raises(InvalidInput) as caught:
            await memory.update_memory(**{"memory_id": memory_id, **arguments})
        assert str(caught.value).startswith(argument), (argument, str(caught.value))
    assert await table_version(memory) == before


@pytest.mark.anyio
async def test_upkeep_keeps_up_with_updates(settings: Settings, caplog: pytest.LogCaptureFixture):
    often = settings.model_copy(update={"store": StoreSettings(maintain_every=10)})
    async with AsyncMemory.open(often) as memory:
        ids = [await only(memory, f"memory {n}") for n in range(3)]
        for n in range(80):
            await memory.update_memory(ids[n % 3], metadata={"n": n})
    # A pass now and then may lose to a write, but not one after the other.
    lost = [record for record in caplog.records if "maintenance failed" in record.message]
    assert len(lost) < 8
    async with AsyncMemory.open(settings) as memory:
        done = await memory.maintain()
        assert done.ran
        assert done.files_after < 200
        assert (await memory.stats()).versions == 83


# Whose it is.


@pytest.mark.anyio
async def test_another_users_memory_is_answered_like_one_that_is_not_there(memory: AsyncMemory):
    theirs = await only(memory, "Bob's secret", user_id="bob", agent_id="a", run_id="r")
    before = await table_version(memory)

    async def error(call: Any) -> str:
        with pytest.raises(NotFound) as caught:
            await call
        return str(caught.value)

    for scope in ({}, {"user_id": "ann"}, {"user_id": "global"}, {"user_id": INJECTION}):
        for call in (
            lambda i, s=scope: memory.update_memory(i, content="mine now", **s),
            lambda i, s=scope: memory.forget(i, **s),
            lambda i, s=scope: memory.forget(i, purge=True, **s),
            lambda i, s=scope: memory.get_memory(i, **s),
            lambda i, s=scope: memory.get_memory(i, history=True, **s),
        ):
            foreign, missing = await error(call(theirs)), await error(call("0" * 32))
            assert foreign.replace(theirs, "ID") == missing.replace("0" * 32, "ID")
    for scope in ({"agent_id": "b"}, {"run_id": "s"}):
        await error(memory.forget(theirs, user_id="bob", **scope))
    assert await table_version(memory) == before
    assert (await now(memory, theirs, user_id="bob")).text == "Bob's secret"


@pytest.mark.anyio
@pytest.mark.parametrize("memory_id", ["nope", INJECTION, "'; DROP TABLE memories; --", "\\", "%"])
async def test_an_id_that_does_not_exist_is_not_found_by_any_verb(
    memory: AsyncMemory, memory_id: str
):
    stored = await only(memory, "tea")
    for call in (
        memory.update_memory(memory_id, content="x"),
        memory.forget(memory_id),
        memory.forget(memory_id, purge=True),
        memory.get_memory(memory_id),
    ):
        with pytest.raises(NotFound, match="memory_id"):
            await call
    assert (await now(memory, stored)).version == 1


@pytest.mark.anyio
async def test_a_forgotten_memory_is_not_there_to_be_changed(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    await memory.forget(memory_id)
    for call in (
        memory.update_memory(memory_id, content="coffee"),
        memory.forget(memory_id),
        memory.get_memory(memory_id),
    ):
        with pytest.raises(NotFound):
            await call


@pytest.mark.anyio
async def test_a_global_memory_is_changed_by_its_writer_or_with_the_global_scope(
    memory: AsyncMemory,
):
    memory_id = await only(memory, "the wifi password is hunter2", user_id="global")
    assert (await now(memory, memory_id, user_id="ann")).text == "the wifi password is hunter2"
    for call in (
        memory.update_memory(memory_id, content="mine", user_id="ann"),
        memory.forget(memory_id, user_id="ann"),
        memory.forget(memory_id, purge=True, user_id="ann"),
    ):
        with pytest.raises(NotPermitted, match="global"):
            await call
    assert (await memory.update_memory(memory_id, tags=["net"], user_id="global")).version == 2
    assert (await now(memory, memory_id, user_id="ann")).tags == ["net"]
    # Forgetting by filters touches a user's own memories only.
    mine = await only(memory, "my own", user_id="ann")
    result = await memory.forget(filters={"text": {"ne": ""}}, confirm=True, user_id="ann")
    assert result.memory_ids == [mine]
    assert (await memory.forget(memory_id, user_id="global")).forgotten == 1


# forget.


@pytest.mark.anyio
async def test_a_forgotten_memory_is_gone_but_its_history_stays(memory: AsyncMemory):
    memory_id = await only(memory, "Ann lives in Rome", metadata={"k": 1})
    await memory.update_memory(memory_id, content="Ann lives in Oslo")
    before = await table_version(memory)
    result = await memory.forget(memory_id)
    assert (result.forgotten, result.memory_ids, result.dry_run) == (1, [memory_id], False)
    assert await table_version(memory) == before + 1
    assert texts(await memory.recall("Ann")) == []
    assert (await memory.list_memories()).total == 0
    versions = await history(memory, memory_id)
    assert [(v.event, v.text) for v in versions] == [
        ("ADD", "Ann lives in Rome"),
        ("UPDATE", "Ann lives in Oslo"),
        ("DELETE", "Ann lives in Oslo"),
    ]
    assert versions[-1].status == "deleted"
    assert versions[-1].superseded_at is None
    assert versions[1].superseded_at == versions[2].recorded_at


@pytest.mark.anyio
async def test_a_purge_deletes_every_version(memory: AsyncMemory):
    memory_id = await only(memory, "Ann lives in Rome")
    other = await only(memory, "Bob lives in Rome")
    await memory.update_memory(memory_id, content="Ann lives in Oslo")
    result = await memory.forget(memory_id, purge=True)
    assert (result.forgotten, result.memory_ids, result.dry_run) == (1, [memory_id], False)
    with pytest.raises(NotFound):
        await memory.get_memory(memory_id, history=True)
    stats = await memory.stats()
    assert (stats.memories, stats.versions) == (1, 1)
    assert (await now(memory, other)).text == "Bob lives in Rome"


@pytest.mark.anyio
async def test_a_forgotten_memory_may_still_be_purged(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    await memory.forget(memory_id)
    assert (await memory.forget(memory_id, purge=True)).forgotten == 1
    assert (await memory.stats()).versions == 0


async def tea_and_coffee(memory: AsyncMemory) -> list[str]:
    tea = [await only(memory, f"tea {n}", tags=["tea"]) for n in range(3)]
    await only(memory, "coffee", tags=["coffee"])
    await only(memory, "Bob's tea", tags=["tea"], user_id="bob")
    return tea


@pytest.mark.anyio
async def test_filters_without_confirm_only_count(memory: AsyncMemory):
    tea = await tea_and_coffee(memory)
    before = await table_version(memory)
    for purge in (False, True):
        result = await memory.forget(filters={"tags": "tea"}, purge=purge)
        assert (result.forgotten, result.dry_run) == (3, True)
        assert sorted(result.memory_ids) == sorted(tea)
    assert await table_version(memory) == before


@pytest.mark.anyio
@pytest.mark.parametrize("tidied", [False, True])
@pytest.mark.parametrize("purge", [False, True])
async def test_filters_with_confirm_forget_what_the_dry_run_counted(
    memory: AsyncMemory, tidied: bool, purge: bool
):
    await tea_and_coffee(memory)
    if tidied:
        assert (await memory.maintain()).ran
    dry = await memory.forget(filters={"tags": "tea"}, purge=purge)
    result = await memory.forget(filters={"tags": "tea"}, confirm=True, purge=purge)
    assert (result.forgotten, result.dry_run) == (3, False)
    assert sorted(result.memory_ids) == sorted(dry.memory_ids)
    assert [m.text for m in (await memory.list_memories()).memories] == ["coffee"]
    assert (await memory.list_memories(user_id="bob")).total == 1
    again = await memory.forget(filters={"tags": "tea"}, confirm=True, purge=purge)
    assert (again.forgotten, again.memory_ids) == (0, [])
    assert (await memory.stats()).versions == (2 if purge else 8)


@pytest.mark.anyio
async def test_more_than_a_thousand_are_forgotten_in_one_call(memory: AsyncMemory):
    for half in ("a", "b"):
        await memory.remember_many([{"content": f"{half} {n}"} for n in range(600)])
    result = await memory.forget(filters={"kind": "fact"}, confirm=True)
    assert result.forgotten == len(set(result.memory_ids)) == 1_200
    assert (await memory.list_memories()).total == 0
    assert (await memory.stats()).versions == 2_400


@pytest.mark.anyio
async def test_forgetting_at_once_ends_a_memory_once(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    results = await asyncio.gather(
        *(memory.forget(memory_id) for _ in range(5)), return_exceptions=True
    )
    assert any(not isinstance(result, BaseException) for result in results)
    assert all(isinstance(r, NotFound) for r in results if isinstance(r, BaseException))
    assert [v.event for v in await history(memory, memory_id)] == ["ADD", "DELETE"]


@pytest.mark.anyio
async def test_an_update_that_races_a_forget_loses_nothing(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    results = await asyncio.gather(
        memory.update_memory(memory_id, content="coffee"),
        memory.forget(memory_id),
        return_exceptions=True,
    )
    assert all(isinstance(r, NotFound) for r in results if isinstance(r, BaseException))
    versions = await history(memory, memory_id)
    assert [v.version for v in versions] == list(range(1, len(versions) + 1))
    assert sum(v.superseded_at is None for v in versions) == 1
    assert versions[-1].event == "DELETE"


@pytest.mark.anyio
async def test_forget_takes_an_id_or_filters(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    for wrong in (
        {},
        {"confirm": True},
        {"filters": {}, "confirm": True},
        {"memory_id": memory_id, "filters": {"tags": "tea"}, "confirm": True},
    ):
        with pytest.raises(InvalidInput, match="memory_id"):
            await memory.forget(**wrong)
    for filters in ({"nonsense": 1}, {"text": {"like": "t"}}, ["text"], {"OR": []}):
        with pytest.raises(InvalidInput, match="filters"):
            await memory.forget(filters=filters, confirm=True)
    assert (await now(memory, memory_id)).version == 1


@pytest.mark.anyio
async def test_no_filter_forgets_another_users_memory(memory: AsyncMemory):
    theirs = await only(memory, "Bob's tea", user_id="bob")
    everything: list[dict[str, Any]] = [
        {"user_id": "bob"},
        {"OR": [{"user_id": "bob"}, {"user_id": {"ne": "bob"}}]},
        {"NOT": {"text": INJECTION}},
        {"memory_id": theirs},
    ]
    for filters in everything:
        for purge in (False, True):
            result = await memory.forget(filters=filters, confirm=True, purge=purge)
            assert result.forgotten == 0
    assert (await now(memory, theirs, user_id="bob")).version == 1


@pytest.mark.anyio
async def test_the_settings_user_is_who_changes_by_default(settings: Settings):
    async with AsyncMemory.open(settings.model_copy(update={"user_id": "ann"})) as memory:
        memory_id = await only(memory, "tea")
        await memory.update_memory(memory_id, content="coffee")
        versions = await history(memory, memory_id)
        assert [(v.user_id, v.actor) for v in versions] == [("ann", "ann"), ("ann", "ann")]
        await memory.forget(memory_id, user_id="ann")


@pytest.mark.anyio
async def test_what_is_forgotten_keeps_its_source_once(memory: AsyncMemory):
    done = await memory.record_outcome("Build it", "success", logs=["a long log"])
    await memory.forget(done.memory_id)
    rows = await memory._runtime.store.read({}, columns=["version", "source"])
    assert sorted((row.memory.version, bool(row.memory.source)) for row in rows) == [
        (1, True),
        (2, False),
    ]


# Ends that can be taken back.


@pytest.mark.anyio
@pytest.mark.parametrize("end", ["expires_at", "valid_until"])
@pytest.mark.parametrize("never", ["never", "NEVER", " Never "])
async def test_an_end_may_be_taken_off(memory: AsyncMemory, end: str, never: str):
    memory_id = await only(memory, "tea")
    await memory.update_memory(memory_id, **{end: "2020-01-01T00:00:00Z"})
    for nothing in ("", None, "null"):
        with pytest.raises(InvalidInput, match="nothing to change"):
            await memory.update_memory(memory_id, **{end: nothing})
    assert (await memory.update_memory(memory_id, **{end: never})).event == "UPDATE"
    assert getattr((await memory.get_memory(memory_id)).memory, end) is None
    assert texts(await memory.recall("tea")) == ["tea"]
    assert (await memory.update_memory(memory_id, **{end: never})).event == "NONE"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "word", ["nie", "jamais", "nunca", "mai", "никогда", "从不", "never.", "forever", "nevr", "n"]
)
async def test_no_other_word_means_never(memory: AsyncMemory, word: str):
    memory_id = await only(memory, "tea")
    for end in ("expires_at", "valid_until"):
        with pytest.raises(InvalidInput, match=f'{end}: .*or "never" for no end'):
            await memory.update_memory(memory_id, **{end: word})
        with pytest.raises(InvalidInput, match=f'{end}: .*or "never" for no end'):
            await memory.remember("rum", **{end: word})
    assert (await memory.list_memories()).total == 1


@pytest.mark.anyio
@pytest.mark.parametrize("archived", [False, True])
async def test_an_expired_memory_that_is_made_active_is_recalled_and_stays(
    memory: AsyncMemory, archived: bool
):
    memory_id = await only(memory, "tea")
    await memory.update_memory(memory_id, expires_at="2020-01-01T00:00:00Z")
    if archived:
        assert (await memory.maintain()).archived
    assert (await memory.update_memory(memory_id, status="active")).event == "UPDATE"
    assert texts(await memory.recall("tea")) == ["tea"]
    assert (await memory.maintain()).archived == []
    assert texts(await memory.recall("tea")) == ["tea"]


@pytest.mark.anyio
@pytest.mark.parametrize("later", ["never", "2999-01-01"])
async def test_a_later_end_brings_back_what_was_archived_at_its_expiry(
    memory: AsyncMemory, later: str
):
    memory_id = await only(memory, "tea")
    await memory.update_memory(memory_id, expires_at="2020-01-01T00:00:00Z")
    await memory.maintain()
    await memory.update_memory(memory_id, expires_at=later)
    assert texts(await memory.recall("tea")) == ["tea"]


@pytest.mark.anyio
async def test_what_somebody_archived_stays_so_when_its_end_moves(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    await memory.update_memory(memory_id, status="archived")
    await memory.update_memory(memory_id, expires_at="never", tags=["x"])
    assert texts(await memory.recall("tea")) == []


@pytest.mark.anyio
async def test_active_and_expired_at_once_is_refused(memory: AsyncMemory):
    memory_id = await only(memory, "tea")
    with pytest.raises(InvalidInput, match="expires_at: is past"):
        await memory.update_memory(memory_id, status="active", expires_at="2020-01-01")


@pytest.mark.anyio
async def test_what_is_remembered_may_have_ended_but_not_expired(memory: AsyncMemory):
    with pytest.raises(InvalidInput, match="expires_at: 2020-01-01T00:00:00Z is in the past"):
        await memory.remember("Lars was away", expires_at="2020-01-01T00:00:00Z")
    with pytest.raises(InvalidInput, match=r"items\[0\].*expires_at"):
        await memory.remember_many([{"content": "Lars was away", "expires_at": "2020-01-01"}])
    (one,) = (await memory.remember("Lars was away", valid_until="2020-01-01T00:00:00Z")).results
    stored = (await memory.get_memory(one.memory_id)).memory
    assert stored.valid_until == datetime(2020, 1, 1, tzinfo=UTC)
    for end in ("expires_at", "valid_until"):
        (one,) = (await memory.remember(f"no {end}", **{end: "never"})).results
        assert getattr((await memory.get_memory(one.memory_id)).memory, end) is None
