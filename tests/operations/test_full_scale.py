"""The promises of the store at full size; minutes long, so only on request: pytest -m full."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mem_mcp import AsyncMemory, Settings

pytestmark = [pytest.mark.full, pytest.mark.anyio]

WORKER = """
import asyncio, sys
from pathlib import Path
from mem_mcp import AsyncMemory, Settings

async def main(folder, job, number, count):
    async with AsyncMemory.open(Settings(data_dir=Path(folder))) as memory:
        for i in range(int(count)):
            if job == "own":
                result = await memory.remember(f"worker {number} knows the thing number {i}")
            elif job == "same":
                result = await memory.remember(f"everybody knows the thing number {i}")
            elif job == "update":
                await memory.update_memory(MEMORY, content=f"worker {number} wrote {i}")
                continue
            print(result.results[0].memory_id, flush=True)

MEMORY = sys.argv[5] if len(sys.argv) > 5 else ""
asyncio.run(main(*sys.argv[1:5]))
"""


def start(folder: Path, job: str, number: int, count: int, *more: str) -> subprocess.Popen[str]:
    arguments = [str(folder), job, str(number), str(count), *more]
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments], stdout=subprocess.PIPE, text=True
    )


def finish(workers: Sequence[subprocess.Popen[str]]) -> list[str]:
    printed = [worker.communicate()[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * len(workers)
    return [line for lines in printed for line in lines]


async def everything(memory: AsyncMemory) -> dict[str, str]:
    found: dict[str, str] = {}
    cursor = ""
    while True:
        page = await memory.list_memories(limit=200, cursor=cursor)
        assert not found.keys() & {m.memory_id for m in page.memories}
        found |= {m.memory_id: m.text for m in page.memories}
        if page.next_cursor is None:
            assert page.total == len(found)
            return found
        cursor = page.next_cursor


async def test_eight_processes_lose_nothing_and_store_nothing_twice(settings: Settings) -> None:
    acknowledged = finish([start(settings.data_dir, "own", n, 200) for n in range(8)])
    async with AsyncMemory.open(settings) as memory:
        stored = await everything(memory)
        assert len(acknowledged) == len(stored) == 1600
        assert set(acknowledged) == stored.keys()
        for text in random.Random(0).sample(sorted(stored.values()), 100):
            assert (await memory.recall(text, limit=1)).memories[0].text == text


async def test_the_same_fifty_texts_from_eight_processes_are_fifty(settings: Settings) -> None:
    acknowledged = finish([start(settings.data_dir, "same", n, 50) for n in range(8)])
    async with AsyncMemory.open(settings) as memory:
        assert len(await everything(memory)) == len(set(acknowledged)) == 50


async def test_racing_updates_make_one_history(settings: Settings) -> None:
    async with AsyncMemory.open(settings) as memory:
        memory_id = (await memory.remember("the first text")).results[0].memory_id
    finish([start(settings.data_dir, "update", n, 25, memory_id) for n in range(4)])
    async with AsyncMemory.open(settings) as memory:
        versions = (await memory.get_memory(memory_id, history=True)).versions
        assert [version.version for version in versions] == list(range(1, 102))
        assert [v.version for v in versions if v.superseded_at is None] == [101]


async def test_kill_dash_nine_loses_nothing_acknowledged(settings: Settings) -> None:
    chance = random.Random(1)
    acknowledged: set[str] = set()
    for number in range(100):
        worker = start(settings.data_dir, "own", number, 10_000)
        assert worker.stdout is not None
        lines = [worker.stdout.readline() for _ in range(chance.randint(1, 6))]
        # Somewhere inside a later call: how far depends on the machine, which is the point.
        await asyncio.sleep(chance.random() * 0.05)
        worker.kill()
        lines += worker.communicate()[0].splitlines(keepends=True)
        acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
    async with AsyncMemory.open(settings) as memory:
        assert acknowledged <= (await everything(memory)).keys()


async def test_ten_thousand_nearer_memories_of_others_change_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    own = [f"my own note {i} about tea from region {i}" for i in range(20)]
    question = "which green tea does grandmother drink in the morning?"
    near = [f"{question} she drinks green tea {i}" for i in range(10_000)]
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "alone")) as memory:
        await memory.remember_many([{"content": text, "user_id": "me"} for text in own])
        alone = await memory.recall(question, user_id="me", limit=50)
    async with AsyncMemory.open(settings) as memory:
        await memory.remember_many([{"content": text, "user_id": "me"} for text in own])
        for start_at in range(0, len(near), 1_000):
            await memory.remember_many(
                [
                    {"content": text, "user_id": f"other{n % 7}"}
                    for n, text in enumerate(near[start_at : start_at + 1_000])
                ]
            )
        crowded = await memory.recall(question, user_id="me", limit=50)
    assert len(alone.memories) == 20
    assert [(m.text, m.score) for m in crowded.memories] == [
        (m.text, m.score) for m in alone.memories
    ]


async def test_five_thousand_single_remembers_stay_small(settings: Settings) -> None:
    largest = 0
    async with AsyncMemory.open(settings) as memory:
        for i in range(5_000):
            await memory.remember(f"fact number {i}: the value is {i * 7919 % 10_007}")
            if i % 50 == 0:
                largest = max(largest, (await memory.stats()).data_bytes or 0)
        assert (await memory.stats()).memories == 5_000
    assert largest < 100_000_000, f"{largest:,} bytes"
