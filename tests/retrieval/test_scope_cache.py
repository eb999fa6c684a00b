"""What is kept of a scope between two recalls never changes an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import RecallResult

pytestmark = pytest.mark.anyio
USERS = ("ann", "bob", "global")


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[AsyncMemory, AsyncMemory]]:
    settings = Settings(data_dir=tmp_path / "memory")
    async with AsyncMemory.open(settings) as one, AsyncMemory.open(settings) as other:
        yield one, other


def answer(found: RecallResult) -> list[tuple[str, str, float]]:
    return [(memory.memory_id, memory.text, memory.score) for memory in found.memories]


@pytest.mark.slow
async def test_answers_after_any_changes_are_those_of_a_fresh_process(
    both: tuple[AsyncMemory, AsyncMemory], tmp_path: Path
):
    draw = np.random.default_rng(7)
    known: list[tuple[str, str]] = []
    asked: list[dict[str, Any]] = [
        {"user_id": "ann"},
        {"user_id": "ann", "tags": ["even"]},
        {"user_id": "bob", "include_global": False},
    ]
    for step in range(40):
        # The process that is asked, and as often nearly another one.
        writer = both[int(draw.random() < 0.4)]
        user = USERS[int(draw.integers(len(USERS)))]
        deed = draw.random()
        if deed < 0.6 or not known:
            tags = ["even"] if step % 2 == 0 else []
            done = await writer.remember(
                f"The lamp in room {step} is broken", user_id=user, tags=tags
            )
            known.append((done.results[0].memory_id, user))
        elif deed < 0.8:
            memory_id, user = known[int(draw.integers(len(known)))]
            changes: list[dict[str, Any]] = [
                {"content": f"The lamp of step {step} works again"},
                {"tags": ["even"]},
                {"status": "archived"},
                {"status": "active"},
            ]
            change = changes[int(draw.integers(len(changes)))]
            await writer.update_memory(memory_id, user_id=user, **change)
        else:
            memory_id, user = known.pop(int(draw.integers(len(known))))
            await writer.forget(memory_id, user_id=user, purge=bool(draw.random() < 0.5))
        if step % 6 == 0:
            await writer.maintain()
        kept = [await both[0].recall("Which lamp is broken?", limit=50, **one) for one in asked]
        if step % 4:
            continue
        async with AsyncMemory.open(Settings(data_dir=tmp_path / "memory")) as fresh:
            for one, found in zip(asked, kept, strict=True):
                again = await fresh.recall("Which lamp is broken?", limit=50, **one)
                assert answer(found) == answer(again), (step, one)


async def test_a_scope_that_outgrows_its_bound_is_searched(tmp_path: Path):
    settings = Settings.model_validate({"data_dir": tmp_path / "memory", "recall": {"whole": 5}})
    async with AsyncMemory.open(settings) as memory:
        for number in range(12):
            await memory.remember(f"Shelf {number} holds jam")
            found = await memory.recall("Which shelves hold jam?", limit=50)
            assert len(found.memories) == number + 1
