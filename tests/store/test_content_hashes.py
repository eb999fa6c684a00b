"""Stores whose content hashes an earlier version made: they are made anew once, by themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import lancedb
import pyarrow as pa
import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.text import content_hash, digest, normalised

TEXTS = [f"Fact  Number {n}" for n in range(30)]


async def open_table(folder: Path) -> lancedb.AsyncTable:
    return await (await lancedb.connect_async(str(folder))).open_table("memories")


async def hashes(folder: Path) -> list[tuple[str, str]]:
    rows = await (await open_table(folder)).query().select(["text", "content_hash"]).to_arrow()
    return [*zip(rows["text"].to_pylist(), rows["content_hash"].to_pylist(), strict=True)]


async def commits(folder: Path) -> int:
    return int(await (await open_table(folder)).version())


def is_renewed(rows: list[tuple[str, str]]) -> bool:
    return all(content_hash(text) == stored for text, stored in rows)


@pytest.fixture
async def older(settings: Settings) -> Path:
    """Return the folder of a store as an earlier version leaves it, indexed."""
    async with AsyncMemory.open(settings) as memory:
        await memory.remember_many([{"content": text} for text in TEXTS])
        (one,) = (await memory.list_memories(limit=1)).memories
        await memory.update_memory(one.memory_id, tags=["second version"])
        await memory.maintain()
    folder = settings.data_dir
    table = await open_table(folder)
    rows = await table.query().select(["version_id", "text"]).to_arrow()
    old = [digest(normalised(text)) for text in rows["text"].to_pylist()]
    column = pa.field("content_hash", pa.string())
    stale = rows.select(["version_id"]).append_column(column, pa.array(old))
    await table.merge_insert("version_id").when_matched_update_all().execute(stale)
    await table.replace_field_metadata("content_hash", {})
    assert not is_renewed(await hashes(folder))
    return folder


@pytest.mark.anyio
async def test_rows_and_ids_stay_and_their_texts_are_known(settings: Settings, older: Path):
    async with AsyncMemory.open(settings) as memory:
        before = {one.text: one for one in (await memory.list_memories(limit=200)).memories}
        again = await memory.remember_many([{"content": text} for text in TEXTS])
        assert {one.event for one in again.results} == {"NONE"}
        assert {one.text: one.memory_id for one in again.results} == {
            text: one.memory_id for text, one in before.items()
        }
        assert (await memory.remember("fact  number 3")).results[0].event == "ADD"
        assert {one.version for one in before.values()} == {1, 2}
    assert is_renewed(await hashes(older))
    assert len(await hashes(older)) == len(TEXTS) + 2


@pytest.mark.anyio
async def test_it_is_done_once(settings: Settings, older: Path):
    async with AsyncMemory.open(settings):
        pass
    before = await commits(older)
    for _ in range(2):
        async with AsyncMemory.open(settings):
            pass
    assert await commits(older) == before


KILLED = """
import asyncio, os
from mem_mcp import AsyncMemory
from mem_mcp.store import content_hashes

content_hashes._AT_ONCE = 7
write, done = content_hashes._write, []

async def write_two(*args):
    if len(done) == 2:
        os.kill(os.getpid(), 9)
    await write(*args)
    done.append(args)

content_hashes._write = write_two

async def main():
    async with AsyncMemory.open():
        pass

asyncio.run(main())
"""


@pytest.mark.anyio
async def test_one_that_was_killed_half_way_is_ended_by_the_next(settings: Settings, older: Path):
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert killed.returncode == -9
    renewed = [content_hash(text) == stored for text, stored in await hashes(older)]
    assert 0 < sum(renewed) < len(renewed)
    async with AsyncMemory.open(settings) as memory:
        again = await memory.remember_many([{"content": text} for text in TEXTS])
        assert {one.event for one in again.results} == {"NONE"}
    assert is_renewed(await hashes(older))
    (before,) = older.parent.glob(f"{older.name}-before-upgrade-*")
    assert not any(content_hash(text) == stored for text, stored in await hashes(before))


SPEAKER = """
from mem_mcp import Memory
with Memory.open() as memory:
    items = [{"content": f"Fact  Number {n}"} for n in range(30)]
    print({one.event for one in memory.remember_many(items).results})
"""


@pytest.mark.anyio
@pytest.mark.slow
async def test_processes_that_open_it_at_once_lose_and_double_nothing(older: Path):
    doors = [
        subprocess.Popen([sys.executable, "-c", SPEAKER], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [door.communicate(timeout=120)[0] for door in doors] == ["{'NONE'}\n"] * 3
    rows = await hashes(older)
    assert is_renewed(rows)
    assert len(rows) == len(TEXTS) + 1
    assert len([*older.parent.glob(f"{older.name}-before-upgrade-*")]) == 1
