"""The store alone: commits, reads, durability, opening and upkeep of a real LanceDB table."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import Memory, Relation
from mem_mcp.config import StoreSettings
from mem_mcp.errors import StoreError
from mem_mcp.store import Maintenance, Space, Store, Version, fill, fsync, open_store, schema
from mem_mcp.store.concurrency import Gate
from mem_mcp.store.schema import INDICES

DIMENSION = 4
START = datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def shared(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Store]:
    folder = tmp_path_factory.mktemp("shared")
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[Store]:
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as opened:
        yield opened


def version(name: str, number: int = 1, *, vector: Any = None, **fields: Any) -> Version:
    memory = Memory(
        version_id=f"{name}.{number}",
        memory_id=name,
        version=number,
        event="ADD" if number == 1 else "UPDATE",
        **{
            "text": f"text of {name}",
            "kind": "fact",
            "user_id": "u",
            "content_hash": name,
            "occurred_at": START,
            "recorded_at": START + timedelta(seconds=number),
            **fields,
        },
    )
    return Version(memory, None if vector is None else np.asarray(vector, np.float32))


async def matching(store: Store, words: str, filters: Any, *, limit: int) -> list[str]:
    found = await store.matching(words, filters, ["version_id"], limit=limit)
    return list(found["version_id"].to_pylist())


def closed(old: Version) -> Version:
    ended = {"superseded_at": START + timedelta(hours=1)}
    return Version(old.memory.model_copy(update=ended), old.vector)


async def ids(store: Store, filters: dict[str, Any]) -> list[str]:
    return sorted(v.memory.version_id for v in await store.read(filters, columns=["version_id"]))


CURRENT = {"superseded_at": {"exists": False}}

# Commits.


@pytest.mark.anyio
async def test_what_was_applied_is_read_back_whole(store: Store):
    whole = version(
        "m",
        vector=[1, 0, 0, 0],
        reason="why",
        actor="ann",
        embedder="test",
        agent_id="a",
        run_id="r",
        actor_id="Ann",
        role="user",
        position=7,
        tags=["x", "y"],
        entities=["Ann"],
        relations=[Relation(source="a", relation="b", target="c")],
        metadata={"k": [1, {"n": None}]},
        outcome_type="success",
        task_type="t",
        tool_name="tool",
        severity="minor",
        agent_version="1",
        used=["z"],
        source="raw",
        evidence=["e"],
        confidence=0.5,
        request_key="key",
        valid_until=START,
        superseded_at=START,
        expires_at=START,
        status="archived",
    )
    assert await store.apply([whole])
    (read,) = await store.read({}, columns=[*Memory.model_fields, "vector"])
    assert read.memory == whole.memory
    assert read.vector is not None
    assert read.vector.tolist() == [1, 0, 0, 0]


@pytest.mark.anyio
async def test_who_comes_second_with_a_version_id_gets_false_and_changes_nothing(store: Store):
    assert await store.apply([version("m", text="first")])
    assert not await store.apply([version("m", text="second")])
    assert [v.memory.text for v in await store.read({})] == ["first"]


@pytest.mark.anyio
async def test_closing_and_opening_is_one_commit(store: Store):
    old = version("m")
    await store.apply([old])
    before = await store.version()
    assert await store.apply([version("m", 2)], close=[closed(old)])
    assert await store.version() == before + 1
    assert await ids(store, CURRENT) == ["m.2"]
    assert await ids(store, {}) == ["m.1", "m.2"]


@pytest.mark.anyio
async def test_who_closes_second_gets_false_and_changes_nothing(store: Store):
    old = version("m")
    await store.apply([old])
    assert await store.apply([version("m", 2, text="first")], close=[closed(old)])
    late = Version(closed(old).memory.model_copy(update={"superseded_at": START}), None)
    assert not await store.apply([version("m", 2, text="second")], close=[late])
    assert {v.memory.version_id: v.memory.text for v in await store.read({})} == {
        "m.1": "text of m",
        "m.2": "first",
    }
    (first,) = await store.read({"version": 1})
    assert first.memory.superseded_at == closed(old).memory.superseded_at


@pytest.mark.anyio
async def test_of_two_that_race_over_handles_of_their_own_one_wins(folder: Path, store: Store):
    old = version("m")
    await store.apply([old])
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as other:
        for number in range(2, 8):
            (old,) = await store.read(CURRENT, columns=schema_fields())
            won = await asyncio.gather(
                store.apply([version("m", number, text="a")], close=[closed(old)]),
                other.apply([version("m", number, text="b")], close=[closed(old)]),
            )
            assert sorted(won) == [False, True]
            assert await ids(store, CURRENT) == await ids(other, CURRENT) == [f"m.{number}"]
    assert await store.count({}) == 7


def schema_fields() -> list[str]:
    return [*Memory.model_fields, "vector"]


@pytest.mark.anyio
async def test_a_commit_of_another_handle_is_read_at_once(folder: Path, store: Store):
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as other:
        await other.apply([version("m")])
        assert await ids(store, {}) == ["m.1"]
        assert await matching(store, "text", {}, limit=5) == ["m.1"]
        await other.delete({"memory_id": "m"})
        assert await ids(store, {}) == []


@pytest.mark.anyio
async def test_filling_gives_vectors_to_all_versions_and_changes_nothing_else(store: Store):
    old = version("m")
    await store.apply([old])
    await store.apply([version("m", 2)], close=[closed(old)])
    before = await store.read({}, columns=schema_fields(), order=[("version", True)])
    await fill(store, ["m.1", "m.2"], vectors_of_two := np.eye(2, DIMENSION, dtype=np.float32))
    rows = await store.read({}, columns=schema_fields(), order=[("version", True)])
    assert [
        row.vector.tolist() for row in rows if row.vector is not None
    ] == vectors_of_two.tolist()
    named = [row.memory.model_copy(update={"embedder": "test"}) for row in before]
    assert [row.memory for row in rows] == named


@pytest.mark.anyio
async def test_filling_adds_no_row_that_was_removed_meanwhile(store: Store):
    await store.apply([version("m")])
    await store.delete({"memory_id": "m"})
    await fill(store, ["m.1"], np.eye(1, DIMENSION, dtype=np.float32))
    assert await store.count({}) == 0


@pytest.mark.anyio
async def test_delete_removes_what_matches_and_nothing_else(store: Store):
    await store.apply([version("a"), version("b"), version("c", tags=["x"])])
    await store.delete({"OR": [{"memory_id": "a"}, {"tags": "x"}]})
    assert await ids(store, {}) == ["b.1"]


@pytest.mark.anyio
async def test_a_thousand_rows_are_one_commit(store: Store):
    before = await store.version()
    assert await store.apply([version(f"m{i}") for i in range(1_000)])
    assert await store.version() == before + 1
    assert await store.count({}) == 1_000


# What is stored comes back as it was.

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(
                st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
stored_text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
ROUND_TRIP = hypothesis_settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def exact(value: Any) -> Any:
    """Tell apart what Python's == does not: 1, 1.0 and True; 0.0 and -0.0."""
    if isinstance(value, dict):
        return {key: exact(part) for key, part in value.items()}
    if isinstance(value, list):
        return [exact(part) for part in value]
    return (type(value).__name__, repr(value))


@ROUND_TRIP
@given(values=st.lists(json_values, min_size=1, max_size=6))
@pytest.mark.anyio
async def test_metadata_comes_back_exactly(shared: Store, values: list[Any]):
    await shared.delete({})
    rows = [version(f"m{i}", metadata={"value": value}) for i, value in enumerate(values)]
    assert await shared.apply(rows)
    read = await shared.read({}, order=[("version_id", True)])
    assert [exact(v.memory.metadata) for v in read] == [exact({"value": v}) for v in values]


@ROUND_TRIP
@given(
    texts=st.lists(stored_text, max_size=4),
    edges=st.lists(
        st.builds(Relation, source=stored_text, relation=stored_text, target=stored_text),
        max_size=3,
    ),
    metadata=st.dictionaries(stored_text, json_values, max_size=4),
)
@pytest.mark.anyio
async def test_texts_lists_and_relations_come_back_exactly(
    shared: Store, texts: list[str], edges: list[Relation], metadata: dict[str, Any]
):
    await shared.delete({})
    row = version("m", text="".join(texts), tags=texts, relations=edges, metadata=metadata)
    assert await shared.apply([row])
    (read,) = await shared.read({})
    assert read.memory.text == row.memory.text
    assert read.memory.tags == texts
    assert read.memory.relations == edges
    assert exact(read.memory.metadata) == exact(metadata)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
async def test_any_moment_comes_back_exactly(store: Store, moment: datetime):
    await store.apply([version("m", occurred_at=moment)])
    (read,) = await store.read({})
    assert read.memory.occurred_at == moment
    assert read.memory.occurred_at.utcoffset() == timedelta(0)
    assert read.memory.valid_until is None


@pytest.mark.anyio
async def test_a_row_may_have_no_vector_beside_rows_that_have_one(store: Store):
    rows = [version("a"), version("b", vector=[0, 1, 0, 0]), version("c")]
    await store.apply(rows)
    read = await store.read({}, columns=schema_fields(), order=[("version_id", True)])
    assert [None if v.vector is None else v.vector.tolist() for v in read] == [
        None,
        [0, 1, 0, 0],
        None,
    ]
    table = await store.scan({}, ["version_id", "vector"], order=[("version_id", True)])
    vectors = schema.matrix(table)
    assert vectors.shape == (3, DIMENSION)
    assert np.isnan(vectors).any(axis=1).tolist() == [True, False, True]
    assert schema.matrix(table.slice(0, 0)).shape == (0, DIMENSION)


# Reads.


@pytest.mark.anyio
async def test_a_read_orders_limits_and_selects(store: Store):
    await store.apply([version(name, position=p) for name, p in (("a", 2), ("b", 3), ("c", 1))])
    newest = await store.read({}, columns=["version_id", "position"], order=[("position", False)])
    assert [v.memory.version_id for v in newest] == ["b.1", "a.1", "c.1"]
    assert [v.memory.tags for v in newest] == [[], [], []]
    two = await store.read({}, order=[("position", True)], limit=2)
    assert [v.memory.version_id for v in two] == ["c.1", "a.1"]
    assert all(v.memory.source is None for v in two)


@pytest.mark.anyio
async def test_a_read_may_be_ordered_by_what_it_does_not_select(store: Store):
    await store.apply([version(name, position=p) for name, p in (("a", 2), ("b", 3), ("c", 1))])
    await store.table.optimize()  # from now on the index alone answers the filter
    order = [("position", True), ("version_id", True)]
    rows = await store.read({"user_id": "u"}, columns=["memory_id"], order=order)
    assert [v.memory.memory_id for v in rows] == ["c", "a", "b"]


@pytest.mark.anyio
async def test_the_nearest_come_first_within_limit_and_least_cosine(store: Store):
    vectors = {"same": [1, 0, 0, 0], "near": [0.9, 0.436, 0, 0], "far": [0, 1, 0, 0]}
    rows = [version(name, vector=vector) for name, vector in vectors.items()]
    await store.apply([*rows, version("none"), version("opposite", vector=[-1, 0, 0, 0])])
    ask = np.float32([[1, 0, 0, 0]])
    (found,) = await store.nearest(ask, {}, ["memory_id"], limit=10)
    assert [row["memory_id"] for row in found] == ["same", "near", "far", "opposite"]
    assert [round(row["cosine"], 2) for row in found] == [1.0, 0.9, 0.0, -1.0]
    (found,) = await store.nearest(ask, {}, ["memory_id"], limit=2)
    assert [row["memory_id"] for row in found] == ["same", "near"]
    (found,) = await store.nearest(ask, {}, ["memory_id"], limit=10, least_cosine=0.85)
    assert [row["memory_id"] for row in found] == ["same", "near"]
    (found,) = await store.nearest(ask, {"memory_id": {"ne": "same"}}, ["memory_id"], limit=1)
    assert [row["memory_id"] for row in found] == ["near"]


@pytest.mark.anyio
async def test_each_of_several_vectors_has_its_own_nearest(store: Store):
    await store.apply([version(f"m{i}", vector=np.eye(DIMENSION)[i]) for i in range(DIMENSION)])
    answers = await store.nearest(
        np.eye(DIMENSION, dtype=np.float32), {}, ["memory_id"], limit=3, least_cosine=0.5
    )
    assert [[row["memory_id"] for row in rows] for rows in answers] == [
        [f"m{i}"] for i in range(DIMENSION)
    ]


@pytest.mark.anyio
async def test_words_find_rows_that_no_index_knows_yet(store: Store):
    await store.apply(
        [version("a", text="The quick brown foxes"), version("b", text="café 日本語")]
    )
    await store.table.optimize()
    await store.apply([version("c", text="a fox, running"), version("d", text="nothing")])
    assert set(await matching(store, "fox", {}, limit=5)) == {"a.1", "c.1"}
    assert await matching(store, "cafe", {}, limit=5) == ["b.1"]
    assert await matching(store, "日本語", {}, limit=5) == ["b.1"]
    assert await matching(store, "runs", {}, limit=5) == ["c.1"]
    assert await matching(store, "fox", {"memory_id": "c"}, limit=5) == ["c.1"]
    assert len(await matching(store, "fox", {}, limit=1)) == 1
    assert await matching(store, "the", {}, limit=5) == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    "words", ["", " ", '"', "AND OR NOT", "(", "a* ~ ^2 :", "\\", "'; DROP TABLE memories", "🎉"]
)
async def test_no_words_break_the_search(store: Store, words: str):
    await store.apply([version("a", text="something else entirely")])
    assert await matching(store, words, {}, limit=5) == []


# Callers that give up.


@pytest.mark.anyio
async def test_a_read_that_is_given_up_blocks_no_later_one(folder: Path):
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as store:
        await many_commits(store, 20)
        await store.table.optimize()
    asked = {"user_id": "u", "kind": "fact", **CURRENT}
    for moment in range(40):
        # Opened anew, the first read of each index loads it; the others wait for that.
        async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as store:
            early = [asyncio.create_task(store.read(asked)) for _ in range(2)]
            await asyncio.wait(early, timeout=moment * 0.0002)
            for task in early:
                task.cancel()
            await asyncio.gather(*early, return_exceptions=True)
            async with asyncio.timeout(20):
                assert len(await store.read(asked)) == 20


@pytest.mark.anyio
async def test_a_write_that_is_given_up_is_done_whole_or_not_at_all(store: Store):
    await store.apply([version("m")])
    for number in range(2, 22):
        (old,) = await store.read(CURRENT, columns=schema_fields())
        write = asyncio.create_task(
            store.apply([version("m", old.memory.version + 1)], close=[closed(old)])
        )
        await asyncio.wait([write], timeout=(number % 10) * 0.001)
        write.cancel()
        await asyncio.gather(write, return_exceptions=True)
        async with asyncio.timeout(20):
            await store.apply([version(f"other {number}")])
            await store.delete({"memory_id": f"other {number}"})
            versions = [v.memory for v in await store.read({}, order=[("version", True)])]
        assert [memory.version for memory in versions] == list(range(1, len(versions) + 1))
        assert [memory.superseded_at is None for memory in versions].count(True) == 1


# Durability.


@pytest.mark.anyio
async def test_each_commit_is_synced_before_it_is_answered(store: Store, folder: Path):
    commits_at_sync: list[int] = []

    def commits() -> int:
        return len(list(folder.rglob("*.manifest")))

    store._sync = lambda: commits_at_sync.append(commits())
    old = version("m")
    steps = (
        lambda: store.apply([old]),
        lambda: store.apply([version("m", 2)], close=[closed(old)]),
        lambda: fill(store, ["m.2"], np.eye(1, DIMENSION, dtype=np.float32)),
        lambda: store.delete({"version": 1}),
    )
    for count, step in enumerate(steps, start=1):
        before = commits()
        await step()
        assert len(commits_at_sync) == count
        assert commits_at_sync[-1] > before


@pytest.mark.anyio
async def test_an_answer_that_relies_on_anothers_commit_waits_for_the_disk(
    store: Store, folder: Path
):
    synced: list[bool] = []
    store._sync = lambda: synced.append(True)
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as other:
        await other.apply([version("m")])
    await store.settle()
    assert len(synced) == 1
    await store.settle()
    assert len(synced) == 1


@pytest.mark.anyio
async def test_a_disk_that_refuses_is_an_error(store: Store):
    def refuse() -> None:
        raise OSError(5, "Input/output error")

    store._sync = refuse
    with pytest.raises(StoreError, match="Input/output error"):
        await store.apply([version("m")])
    with pytest.raises(StoreError, match="Input/output error"):
        await store.settle()


@pytest.mark.anyio
@pytest.mark.parametrize(("setting", "syncs"), [("fsync", True), ("os", False)])
async def test_the_setting_decides_whether_the_disk_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: Any, syncs: bool
):
    calls: list[Path] = []
    real = fsync.disk_sync

    def counted(folder: Path) -> Any:
        sync = real(folder)
        return lambda: (calls.append(folder), sync())

    monkeypatch.setattr("mem_mcp.store.connect.disk_sync", counted)
    data_dir = tmp_path / "memory"
    store = StoreSettings(durability=setting)
    async with AsyncMemory.open(Settings(data_dir=data_dir, store=store)) as memory:
        for count, event in ((1, "ADD"), (1, "NONE")):
            result = await memory.remember("once")
            assert result.results[0].event == event
            assert calls == ([data_dir] * count if syncs else [])


def test_without_syncfs_every_newer_file_and_folder_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fsync.ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    synced: list[Path] = []
    monkeypatch.setattr(
        os, "fsync", lambda number: synced.append(Path(f"/proc/self/fd/{number}").readlink())
    )
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    old, new = deep / "old", tmp_path / "new"
    old.write_text("old")
    sync = fsync.disk_sync(tmp_path)
    sync()
    assert set(synced) == {tmp_path, tmp_path / "a", deep, old}
    synced.clear()
    for path in (old, deep, tmp_path / "a"):
        os.utime(path, (1, 1))
    new.write_text("new")
    sync()
    assert new in synced
    assert tmp_path in synced
    assert not {old, deep} & set(synced)


@pytest.mark.anyio
async def test_a_store_works_where_syncfs_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fsync.ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(
        os,
        "fsync",
        lambda number: (
            synced.append(str(Path(f"/proc/self/fd/{number}").readlink())),
            real(number),
        ),
    )
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=True) as store:
        await store.apply([version("m")])
        written = {str(p) for p in folder.rglob("*") if p.suffix in (".manifest", ".lance")}
    assert written <= set(synced)


# Opening.


async def opened(location: Path, embedder: str | None = "test") -> None:
    async with open_store(location, dimension=DIMENSION, embedder=embedder, durable=False):
        pass


@pytest.mark.anyio
async def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("mine")
    for location in (path, path / "below"):
        with pytest.raises(StoreError, match=r"data_dir.*file.*MEM_MCP_DATA_DIR"):
            await opened(location)
    assert path.read_text() == "mine"


@pytest.mark.anyio
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
async def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(StoreError, match=r"data_dir.*locked.*MEM_MCP_DATA_DIR"):
        await opened(folder)


@pytest.mark.anyio
async def test_a_foreign_table_is_refused_and_left_alone(tmp_path: Path):
    database = await lancedb.connect_async(str(tmp_path))
    table = await database.create_table("memories", pa.table({"text": ["mine"]}))
    before = await table.version()
    with pytest.raises(StoreError, match="mem-mcp did not make"):
        await opened(tmp_path)
    await table.checkout_latest()
    assert await table.version() == before
    assert list(await table.list_indices()) == []


@pytest.mark.anyio
async def test_a_table_without_a_whole_version_is_named_and_takes_no_writes(folder: Path):
    await opened(folder)
    for manifest in folder.rglob("*.manifest"):
        manifest.write_bytes(b"")
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as store:
        assert str(folder) in store.rescue.notes[0]
        assert await store.count({}) == 0
        with pytest.raises(StoreError, match="doctor --repair"):
            await store.apply([version("a")])


@pytest.mark.anyio
async def test_a_newer_schema_is_refused_with_the_remedy(folder: Path):
    database = await lancedb.connect_async(str(folder))
    future = schema.table_schema(Space("vector", "test", DIMENSION)).with_metadata(
        {schema.VERSION_KEY: b"3"}
    )
    await database.create_table("memories", schema=future)
    with pytest.raises(StoreError, match=r"newer mem-mcp.*schema 3.*upgrade"):
        await opened(folder)


@pytest.mark.anyio
async def test_vectors_of_another_embedder_are_refused_with_the_remedy(folder: Path):
    await opened(folder, "one")
    with pytest.raises(StoreError, match=r"'one'.*'two'.*EMBEDDING__MODEL.*reembed"):
        await opened(folder, "two")
    await opened(folder, None)
    await opened(folder, "one")


@pytest.mark.anyio
async def test_who_could_not_open_does_not_count_as_alive(folder: Path):
    await opened(folder, "one")
    with pytest.raises(StoreError):
        await opened(folder, "two")
    assert list((folder / "locks").glob("alive-*")) == []


@pytest.mark.anyio
async def test_many_may_open_a_new_store_at_once_and_a_pass_makes_every_index(folder: Path):
    await asyncio.gather(*(opened(folder) for _ in range(5)))
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as store:
        assert await indexed(store) == ["text"]
        await Maintenance(store, 50).run()
        columns = await indexed(store)
    assert sorted(columns) == sorted(INDICES)


async def indexed(store: Store) -> list[str]:
    return [column for index in await store.table.list_indices() for column in index.columns]


# Upkeep.


async def many_commits(store: Store, count: int) -> None:
    for number in range(count):
        await store.apply([version(f"m{number}", tags=["t"], vector=[1, 0, 0, number + 1])])


async def unindexed(store: Store) -> int:
    indices = await store.table.list_indices()
    stats = [await store.table.index_stats(index.name) for index in indices]
    assert len(stats) > 10
    return sum(each.num_unindexed_rows for each in stats if each)


@pytest.mark.anyio
async def test_after_enough_commits_a_pass_is_due_and_keeps_every_row(store: Store):
    maintenance = Maintenance(store, 50)
    assert not maintenance.due()
    await many_commits(store, 60)
    assert maintenance.due()
    done = await maintenance.run(thorough=True)
    assert done.ran
    assert done.reason is None
    assert done.files_after < done.files_before / 4
    assert done.bytes_after is not None
    assert done.bytes_before is not None
    assert done.bytes_after < done.bytes_before
    assert await unindexed(store) == 0
    assert await store.count({}) == 60
    assert len(await ids(store, {"tags": "t"})) == 60
    assert len(await matching(store, "text", {}, limit=100)) == 60
    assert not maintenance.due()
    assert not Maintenance(store, 50).due()


@pytest.mark.anyio
async def test_rows_survive_passes_between_all_kinds_of_commits(store: Store):
    maintenance = Maintenance(store, 1)
    await many_commits(store, 5)
    old = (await store.read({"memory_id": "m0"}, columns=schema_fields()))[0]
    await maintenance.run(thorough=True)
    await store.apply([version("m0", 2)], close=[closed(old)])
    await store.delete({"memory_id": "m1"})
    await fill(store, ["m2.1"], np.eye(1, DIMENSION, dtype=np.float32))
    await maintenance.run(thorough=True)
    await maintenance.run()
    assert await ids(store, {}) == ["m0.1", "m0.2", "m2.1", "m3.1", "m4.1"]
    assert await ids(store, CURRENT) == ["m0.2", "m2.1", "m3.1", "m4.1"]
    assert await matching(store, "m2", {}, limit=5) == ["m2.1"]
    assert await ids(store, {"user_id": "u", "tags": "t", **CURRENT}) == ["m2.1", "m3.1", "m4.1"]


@pytest.mark.anyio
async def test_commits_of_others_make_a_pass_due(store: Store, folder: Path):
    maintenance = Maintenance(store, 10)
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as other:
        await many_commits(other, 10)
        await store.version()
        assert maintenance.due()
        await Maintenance(other, 10).run()
    await store.version()
    assert not maintenance.due()


HOLDER = """
import asyncio, sys
from pathlib import Path
from mem_mcp.store import open_store

async def main():
    async with open_store(Path(sys.argv[1]), dimension=4, embedder="test", durable=False):
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


@pytest.mark.anyio
async def test_old_files_stay_while_another_process_may_read_them(store: Store, folder: Path):
    await many_commits(store, 5)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        try:
            assert holder.stdout is not None
            assert await asyncio.to_thread(holder.stdout.readline) == "open\n"
            before = set(folder.rglob("*.lance")) | set(folder.rglob("*.manifest"))
            assert (await Maintenance(store, 1).run(thorough=True)).ran
            assert all(path.exists() for path in before)
        finally:
            holder.kill()
    assert (await Maintenance(store, 1).run(thorough=True)).ran
    assert not all(path.exists() for path in before)
    assert await store.count({}) == 5


@pytest.mark.anyio
async def test_only_one_does_a_pass_at_a_time(store: Store, folder: Path):
    await many_commits(store, 2)
    async with open_store(folder, dimension=DIMENSION, embedder="test", durable=False) as other:
        assert other.processes is not None
        async with other.processes.alone_at("maintain"):
            done = await Maintenance(store, 1).run()
        assert not done.ran
        assert done.reason
        assert (await Maintenance(store, 1).run()).ran


@pytest.mark.anyio
async def test_writes_and_reads_go_on_during_passes(store: Store):
    maintenance = Maintenance(store, 1)

    async def write(writer: int) -> None:
        for number in range(10):
            assert await store.apply([version(f"w{writer}m{number}")])
            assert await store.count({"memory_id": f"w{writer}m{number}"}) == 1

    async def tidy() -> None:
        for _ in range(3):
            assert (await maintenance.run(thorough=True)).ran

    await asyncio.gather(write(1), write(2), tidy())
    assert await store.count({}) == 20


# The gate.


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.anyio
async def test_a_gate_closes_only_when_all_inside_have_left():
    gate, leave, events = Gate(), asyncio.Event(), []

    async def inside(name: str) -> None:
        async with gate.passing():
            events.append(f"{name} in")
            await leave.wait()
            events.append(f"{name} out")

    async def close() -> None:
        async with gate.closed():
            events.append("closed")

    first = [asyncio.create_task(inside(name)) for name in "ab"]
    await turns()
    closing = asyncio.create_task(close())
    await turns()
    late = asyncio.create_task(inside("late"))
    await turns()
    assert events == ["a in", "b in"]
    leave.set()
    await asyncio.gather(*first, closing, late)
    assert events == ["a in", "b in", "a out", "b out", "closed", "late in", "late out"]


@pytest.mark.anyio
async def test_nobody_passes_a_closed_gate_and_only_one_closes_it():
    gate, events = Gate(), []

    async def enter() -> None:
        async with gate.passing():
            events.append("in")

    async def close(name: str) -> None:
        async with gate.closed():
            events.append(f"{name} closed")
            await turns()
            events.append(f"{name} open")

    await asyncio.gather(close("a"), close("b"), enter(), enter())
    assert events.index("a open") == events.index("a closed") + 1
    assert events.index("b open") == events.index("b closed") + 1
    assert events.count("in") == 2


@pytest.mark.anyio
async def test_who_gives_up_waiting_or_fails_leaves_the_gate_usable():
    gate, leave = Gate(), asyncio.Event()

    async def inside() -> None:
        async with gate.passing():
            await leave.wait()

    async def close() -> None:
        async with gate.closed():
            raise AssertionError("nobody had left")

    with pytest.raises(ValueError, match="broken"):
        async with gate.passing():
            raise ValueError("broken")
    entered = asyncio.create_task(inside())
    await turns()
    closing = asyncio.create_task(close())
    await turns()
    waiting = asyncio.create_task(inside())
    await turns()
    waiting.cancel()
    closing.cancel()
    await asyncio.gather(waiting, closing, return_exceptions=True)
    assert waiting.cancelled()
    assert closing.cancelled()
    async with gate.passing():
        pass
    leave.set()
    await entered
    async with gate.closed():
        pass


@pytest.mark.anyio
async def test_a_process_that_wrote_much_leaves_a_small_store_tidy(tmp_path: Path):
    settings = Settings(data_dir=tmp_path / "memory", store=StoreSettings(maintain_every=10))
    async with AsyncMemory.open(settings) as memory:
        for number in range(45):
            await memory.remember(f"Shelf {number} holds jam")
    left = sum(file.stat().st_size for file in (tmp_path / "memory").rglob("*") if file.is_file())
    async with AsyncMemory.open(settings) as memory:
        await memory.maintain()
        assert left < 1.5 * memory._runtime.store.size()[1]


@pytest.mark.anyio
async def test_without_locks_an_index_over_vectors_is_not_made_anew_by_every_pass(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mem_mcp.store.maintenance._INDEX_FROM", 8)
    store.processes = None
    draw = np.random.default_rng(3)
    rows = [version(f"m{number}", vector=draw.random(DIMENSION)) for number in range(40)]
    made: list[str] = []
    create = store.table.create_index

    async def noted(column: str, **arguments: Any) -> None:
        made.append(column)
        await create(column, **arguments)

    monkeypatch.setattr(store.table, "create_index", noted)
    for start in (0, 10, 20):
        await store.apply(rows[start : start + 10])
        await Maintenance(store, 1).index_vectors()
    assert made == ["vector"]
    assert await store.count({}) == 30


@pytest.mark.anyio
async def test_of_rows_that_fit_equally_those_with_the_first_ids_are_found_in_any_order_of_rows(
    folder: Path,
):
    names = [f"m{number:03}" for number in range(60)]
    rows = [version(name, text="the fox", vector=[1, 0, 0, 0]) for name in names]
    rows += [version("best", text="a fox, a fox", vector=[0, 1, 0, 0])]
    for order in (rows, rows[::-1]):
        async with open_store(
            folder / order[0].memory.memory_id, dimension=DIMENSION, embedder="test", durable=False
        ) as store:
            for start in range(0, len(order), 20):
                await store.apply(order[start : start + 20])
            first = [f"{name}.1" for name in names[:4]]
            assert await matching(store, "fox", {}, limit=5) == ["best.1", *first]
            assert await matching(store, "fox", CURRENT, limit=61) == [
                "best.1", *(f"{name}.1" for name in names)
            ]  # fmt: skip
            near = np.array([1, 0, 0, 0], np.float32)
            for columns in (["version_id"], ["text", "version_id", "vector"]):
                found = await store.closest(near, CURRENT, columns, limit=4)
                assert found.column_names == columns
                assert found["version_id"].to_pylist() == first
