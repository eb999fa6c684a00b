"""How much a user may have: a clear refusal, and nothing half stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.config import LimitSettings
from mem_mcp.errors import QuotaExceeded


@asynccontextmanager
async def bounded(settings: Settings, **limits: Any) -> AsyncIterator[AsyncMemory]:
    named = settings.model_copy(update={"limits": LimitSettings(**limits)})
    async with AsyncMemory.open(named) as memory:
        yield memory


async def count(memory: AsyncMemory, user: str) -> int:
    return (await memory.list_memories(user_id=user)).total


@pytest.mark.anyio
async def test_a_user_has_at_most_so_many_memories_and_others_their_own(settings: Settings):
    async with bounded(settings, memories_per_user=3) as memory:
        for number in range(3):
            await memory.remember(f"Note {number}", user_id="alice")
        with pytest.raises(QuotaExceeded, match="3 that a user may have"):
            await memory.remember("Note 3", user_id="alice")
        with pytest.raises(QuotaExceeded):
            await memory.record_outcome("build", outcome="success", user_id="alice")
        said_again = await memory.remember("Note 1", user_id="alice")
        assert said_again.results[0].event == "NONE"
        await memory.remember("Note 3", user_id="bob")
        (gone, *_) = (await memory.list_memories(user_id="alice")).memories
        await memory.forget(gone.memory_id, user_id="alice")
        await memory.remember("Note 3", user_id="alice")
        assert await count(memory, "alice") == 3


@pytest.mark.anyio
async def test_messages_that_do_not_all_fit_are_not_stored_in_part(settings: Settings):
    said = [{"role": "user", "content": f"Message {number}"} for number in range(4)]
    async with bounded(settings, memories_per_user=3) as memory:
        with pytest.raises(QuotaExceeded):
            await memory.remember(messages=said, user_id="alice")
        with pytest.raises(QuotaExceeded):
            await memory.remember_many([{"content": str(n), "user_id": "bob"} for n in range(4)])
        assert await count(memory, "alice") == await count(memory, "bob") == 0
        await memory.remember(messages=said[:3], user_id="alice")


@pytest.mark.anyio
async def test_calls_at_once_do_not_get_past_the_bound(settings: Settings):
    async with bounded(settings, memories_per_user=5) as memory:
        calls = [memory.remember(f"Note {number}", user_id="alice") for number in range(12)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(one, QuotaExceeded) for one in done) == 7
        assert await count(memory, "alice") == 5


@pytest.mark.anyio
async def test_bytes_count_every_version_and_what_it_was_made_from(settings: Settings):
    async with bounded(settings, bytes_per_user=100) as memory:
        stored = await memory.remember("\N{SNOWMAN}" * 20, user_id="alice")
        memory_id = stored.results[0].memory_id
        with pytest.raises(QuotaExceeded, match="bytes"):
            await memory.record_outcome("x", outcome="success", logs=["y" * 90], user_id="alice")
        with pytest.raises(QuotaExceeded, match="bytes"):
            await memory.update_memory(memory_id, content="z" * 41, user_id="alice")
        unchanged = await memory.get_memory(memory_id, user_id="alice")
        assert unchanged.memory.version == 1
        await memory.update_memory(memory_id, content="z" * 40, user_id="alice")
        with pytest.raises(QuotaExceeded):
            await memory.remember("w", user_id="alice")
        await memory.forget(memory_id, purge=True, user_id="alice")
        await memory.remember("w" * 100, user_id="alice")
