"""The vectors of passages: stored beside the vector of a long text, in the space of an embedder."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import lancedb
import numpy as np
import pyarrow as pa
import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import Scope
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.operations.reembed import reembed
from mem_mcp.ranking import embedded_passages
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.runtime import Runtime
from mem_mcp.store import activate, adopt, drop_others, fill, lacks_passages, open_store
from mem_mcp.store.schema import Space, free_column, spaces
from mem_mcp.writing.versions import next_version

pytestmark = pytest.mark.anyio

FILLER = (
    "The minutes were accepted and the treasurer explained the accounts. There was a long talk "
    "about lights, ladders, tea and the bells. Mrs Adeyemi took the chair, and nobody objected. "
)
NEEDLE = "The key of the cellar hangs behind the boiler. "
LONG = (FILLER * 6 + NEEDLE + FILLER * 6).strip()
SHORT = "The choir sings on Fridays."
CYRILLIC = "Ключ от погреба висит за котлом. " * 15
FIELDS = ["version_id", "text", "status", "vector", "passages"]


def settings(folder: Path, **others: Any) -> Settings:
    return Settings(data_dir=folder, **others)


async def stored(folder: Path) -> dict[str, Any]:
    """Return the versions of a store by version_id."""
    where: dict[str, Any] = {"dimension": None, "embedder": None, "durable": False}
    async with open_store(folder, **where, any_embedder=True) as store:
        rows = await store.read({}, columns=FIELDS)
    return {row.memory.version_id: row for row in rows}


async def of_text(folder: Path, text: str) -> Any:
    (row,) = [row for row in (await stored(folder)).values() if row.memory.text == text]
    return row


def made_earlier(folder: Path) -> None:
    """Turn a store into one that was made before there were vectors of passages."""
    lancedb.connect(folder).open_table("memories").drop_columns(["passages"])


async def test_a_long_text_has_a_vector_for_each_passage_and_a_short_one_none(tmp_path: Path):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        await memory.remember_many([{"content": SHORT}, {"content": LONG}])
    assert (await of_text(tmp_path, SHORT)).passages is None
    row = await of_text(tmp_path, LONG)
    assert row.passages.shape == (len(embedded_passages(LONG)), len(row.vector))
    assert np.isfinite(row.passages).all()


async def test_another_text_has_its_own_passages_and_another_tag_keeps_them(tmp_path: Path):
    other = (FILLER * 9).strip()
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        kept = (await memory.remember(LONG)).results[0].memory_id
        await memory.update_memory(kept, tags=["parish"])
        await memory.update_memory(kept, content=other)
        await memory.update_memory(kept, content=SHORT)
    rows = await stored(tmp_path)
    first, tagged, longer, short = (rows[f"{kept}.{number}"] for number in (1, 2, 3, 4))
    assert np.array_equal(first.passages, tagged.passages)
    assert len(longer.passages) == len(embedded_passages(other)) != len(tagged.passages)
    assert short.passages is None


async def test_what_is_purged_leaves_no_passages(tmp_path: Path):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        kept = (await memory.remember(LONG)).results[0].memory_id
        gone = (await memory.remember(FILLER * 8)).results[0].memory_id
        await memory.forget(kept)
        await memory.forget(gone, purge=True)
    rows = await stored(tmp_path)
    assert rows[f"{kept}.2"].passages is None
    assert not [name for name in rows if name.startswith(gone)]


async def is_due(folder: Path) -> bool:
    """Return whether a store says that long texts lack passages."""
    where: dict[str, Any] = {"dimension": None, "embedder": None, "durable": False}
    async with open_store(folder, **where, any_embedder=True) as store:
        return await lacks_passages(store)


async def test_what_an_earlier_store_holds_gets_its_passages_in_the_background(tmp_path: Path):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        kept = (await memory.remember(LONG)).results[0].memory_id
        await memory.update_memory(kept, tags=["parish"])
        await memory.remember_many([{"content": SHORT}, {"content": CYRILLIC}])
    before = await stored(tmp_path)
    made_earlier(tmp_path)
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        assert (await memory.recall("Where is the key of the cellar?")).memories
        await memory.remember((FILLER * 8).strip())
        with anyio.fail_after(30):
            while await is_due(tmp_path):
                await anyio.sleep(0.01)
    after = await stored(tmp_path)
    assert (await of_text(tmp_path, (FILLER * 8).strip())).passages is not None
    for name, row in before.items():
        assert np.array_equal(after[name].vector, row.vector)
        assert (after[name].passages is None) == (row.passages is None)
    assert np.allclose(after[f"{kept}.2"].passages, before[f"{kept}.2"].passages, atol=1e-4)


async def test_an_earlier_store_of_another_model_gets_its_passages_by_reembed(tmp_path: Path):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        await memory.remember(LONG)
    made_earlier(tmp_path)
    assert await is_due(tmp_path)
    with closing(BundledEmbedder()) as embedder:
        where: dict[str, Any] = {"dimension": 384, "embedder": embedder.identity, "durable": False}
        async with open_store(tmp_path, **where) as store:
            runtime = Runtime.of(settings(tmp_path), store, embedder)
            await reembed(runtime, lambda *_: None, lambda _: None)
    assert not await is_due(tmp_path)
    assert len((await of_text(tmp_path, LONG)).passages) == len(embedded_passages(LONG))


async def test_a_store_of_today_has_nothing_to_make_up_for(tmp_path: Path):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        await memory.remember(LONG)
    assert not await is_due(tmp_path)


async def test_a_process_of_an_earlier_version_closes_a_long_text_and_leaves_its_passages(
    tmp_path: Path,
):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        kept = (await memory.remember(LONG)).results[0].memory_id
    where: dict[str, Any] = {"dimension": None, "embedder": None, "durable": False}
    async with open_store(tmp_path, **where, any_embedder=True) as store:
        store.work_in(replace(store.space, has_passages=False))
        (old,) = await store.read({}, columns=EVERY_FIELD)
        assert old.passages is None
        now = old.memory.recorded_at + timedelta(seconds=1)
        pair = next_version(
            old,
            "UPDATE",
            Scope(user_id="me"),
            now,
            fields={"tags": ["parish"]},
            vectors=old.vectors,
        )
        assert await store.apply([pair[1]], [pair[0]])
    rows = await stored(tmp_path)
    assert rows[f"{kept}.1"].passages is not None
    assert rows[f"{kept}.2"].passages is None


async def test_what_is_exported_and_imported_has_its_passages(tmp_path: Path):
    async with AsyncMemory.open(settings(tmp_path / "there")) as memory:
        await memory.remember(LONG)
        lines = [line.encode() async for line in memory.export_lines()]
    async with AsyncMemory.open(settings(tmp_path / "here")) as memory:
        await memory.import_lines(lines)
    here = await of_text(tmp_path / "here", LONG)
    there = await of_text(tmp_path / "there", LONG)
    assert np.allclose(here.passages, there.passages, atol=1e-4)


async def test_what_was_stored_without_an_embedder_gets_its_passages_with_its_vector(
    tmp_path: Path,
):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        await memory.remember_many([{"content": LONG}, {"content": SHORT}])
    where: dict[str, Any] = {"dimension": None, "embedder": None, "durable": False}
    async with open_store(tmp_path, **where, any_embedder=True) as store:
        await store.table.update(
            updates_sql={"vector": "NULL", "passages": "NULL", "embedder": "NULL"}
        )
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        await memory.maintain()
    assert len((await of_text(tmp_path, LONG)).passages) == len(embedded_passages(LONG))
    assert (await of_text(tmp_path, SHORT)).passages is None


async def test_each_embedder_has_passages_of_its_own_which_go_with_its_space(tmp_path: Path):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        await memory.remember(LONG)
    where: dict[str, Any] = {"dimension": None, "embedder": None, "durable": False}
    async with open_store(tmp_path, **where, any_embedder=True) as store:
        first = store.space
        await adopt(store, "another", 9)
        (row,) = await store.read({}, columns=FIELDS)
        assert row.vectors == (None, None)
        own = np.eye(9, dtype=np.float32)
        await fill(store, [row.memory.version_id], own[:1], [own])
        (row,) = await store.read({}, columns=FIELDS)
        assert np.array_equal(row.passages, own)
        await activate(store)
        assert await drop_others(store)
        names = (await store.table.schema()).names
        assert not {first.passages_field.name, first.column} & {*names}
        assert store.space.passages_field.name in names


def test_passages_of_another_embedder_are_not_taken_for_those_of_a_space(tmp_path: Path):
    made = Space("vector", "one", 9)
    columns = pa.schema([made.field, Space("vector", "other", 9).passages_field])
    assert [space.has_passages for space in spaces(columns)] == [False]
    assert free_column(["passages"]) == "vector_2"


async def test_a_sentence_deep_in_a_long_text_of_another_language_is_found_by_its_meaning(
    tmp_path: Path,
):
    others = [
        "The heating was serviced in March, and the invoice is in the blue folder.",
        "The garden needs a new fence before the winter.",
        "The car is due for its inspection next week.",
    ]
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        await memory.remember_many([{"content": text} for text in [LONG, *others]])
        found = await memory.recall("Wo hängt der Schlüssel zum Keller?")
    assert found.memories[0].text == LONG


def holds(folder: Path, given: bytes) -> bool:
    files = (path for path in folder.rglob("*") if path.is_file())
    return any(given in path.read_bytes() for path in files)


async def test_the_numbers_of_purged_passages_leave_the_disk(tmp_path: Path):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        await memory.remember(SHORT)
        gone = (await memory.remember(LONG)).results[0].memory_id
        numbers = (await of_text(tmp_path, LONG)).passages.astype(np.float16).tobytes()[:64]
        assert holds(tmp_path, numbers)
        await memory.forget(gone, purge=True)
    assert not holds(tmp_path, numbers)


async def test_a_long_text_stored_after_a_question_is_found_by_its_passages(tmp_path: Path):
    async with AsyncMemory.open(settings(tmp_path)) as memory:
        await memory.remember_many([{"content": f"Note {n} on the garden."} for n in range(9)])
        await memory.recall("Wo hängt der Schlüssel zum Keller?")
        await memory.remember(LONG)
        found = await memory.recall("Wo hängt der Schlüssel zum Keller?")
    assert found.memories[0].text == LONG
