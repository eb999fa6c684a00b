"""A store that was made when the schema had number 2: every later mem-mcp reads and writes it.

`tests/data/schema-2.tar.xz` is a backup of it; it stays as it is, whatever becomes of the schema.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.store import back_up, restore

pytestmark = pytest.mark.anyio

ARCHIVE = Path(__file__).parents[1] / "data" / "schema-2.tar.xz"
TEA = "Ada drinks her tea with milk"


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    await restore(tmp_path / "schema-2", tmp_path / "memory")
    return Settings(data_dir=tmp_path / "memory", user_id="ada")


async def test_what_it_holds_is_read(settings: Settings):
    async with AsyncMemory.open(settings) as memory:
        assert await memory.examine() == []
        found = (await memory.recall("how does Ada take her tea?", explain=True)).memories
        assert found[0].text == TEA
        assert found[0].scores["useful"] > 0  # a mark and an outcome speak for it
        assert found[0].metadata == {"cups": 2}
        assert [one.target for one in found[0].relations] == ["tea"]
        history = (await memory.get_memory(found[0].memory_id, history=True)).versions
        assert [one.event for one in history] == ["ADD", "UPDATE"]
        assert (await memory.recall("แมวชอบนอนที่ไหน")).memories[0].text.startswith("แมวชื่อส้ม")
        assert (await memory.recall_lessons("serve tea")).successes[0].task_type == "hospitality"
        assert "4711" not in str((await memory.list_memories()).memories)
        again = await memory.remember("Ada drinks her tea without milk", idempotency_key="first")
        assert again.results[0].memory_id == found[0].memory_id


async def test_it_takes_every_sort_of_write(settings: Settings, tmp_path: Path):
    async with AsyncMemory.open(settings) as memory:
        (known,) = (await memory.remember(TEA)).results
        assert known.event == "NONE"
        await memory.update_memory(known.memory_id, tags=["drinks"])
        await memory.give_feedback(known.memory_id, "NEGATIVE", query="coffee?")
        (new,) = (await memory.remember("Bob drinks coffee")).results
        assert (await memory.maintain()).ran
        assert (await memory.forget(new.memory_id, purge=True)).gone_by is None
    await back_up(settings.data_dir, tmp_path / "backup")
    await restore(tmp_path / "backup", settings.data_dir, replace=True)
    async with AsyncMemory.open(settings) as memory:
        (one,) = (await memory.list_memories(tags=["drinks"])).memories
        assert (one.text, one.version) == (TEA, 3)
        history = (await memory.get_memory(one.memory_id, history=True)).versions
        assert [version.client for version in history] == [None, None, "python"]
    assert not [*tmp_path.glob("*-before-upgrade-*")]
