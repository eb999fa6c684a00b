from __future__ import annotations

from datetime import timedelta

import pytest

from mem_mcp import AsyncMemory
from mem_mcp.api.models import Scope
from mem_mcp.retrieval.row_filters import view
from mem_mcp.retrieval.scope_cache import ScopeCache
from mem_mcp.times import utc_now


@pytest.mark.anyio
async def test_a_count_is_kept_for_a_minute_less_what_was_touched(memory: AsyncMemory):
    for text in ("Tea is at five.", "Lunch is at noon."):
        (stored,) = (await memory.remember(text)).results
    store, cache, now = memory._runtime.store, ScopeCache(), utc_now()
    seen = view(Scope(user_id="default"), now)
    assert cache.at_least(store, seen) == 0
    assert await cache.whole(store, seen, 1) is None
    assert cache.at_least(store, seen) == 2
    await memory.forget(stored.memory_id)
    assert cache.at_least(store, seen) == 1
    later = view(Scope(user_id="default"), now + timedelta(minutes=2))
    assert cache.at_least(store, later) == 0
