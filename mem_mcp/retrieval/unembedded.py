"""What is found by words only, since its vectors are being made anew."""

from __future__ import annotations

from mem_mcp.retrieval.row_filters import RowFilter
from mem_mcp.runtime import Runtime
from mem_mcp.store import count_unembedded, is_active


async def unembedded_note(runtime: Runtime, row_filter: RowFilter) -> list[str]:
    """Say, while the store's vectors are made anew, how many of some rows have none yet.

    Returns:
        A note for `degraded`; nothing where all have one, and in a store that is not being moved.
    """
    store = runtime.store
    if await is_active(store):
        return []
    left = await count_unembedded(store, row_filter.conditions)
    if not left:
        return []
    memories = "memory waits" if left == 1 else "memories wait"
    return [f"{left:,} {memories} to be embedded anew, and until then words alone find them"]
