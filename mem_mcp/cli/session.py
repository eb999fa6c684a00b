"""Opening the memory for one command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import mem_mcp
from mem_mcp.config import load_settings

T = TypeVar("T")


def run(
    work: Callable[[mem_mcp.AsyncMemory], Awaitable[T]],
    *,
    any_embedder: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> T:
    """Open the memory that the settings describe, do something with it, and close it.

    Args:
        work: what to do.
        any_embedder: also with a store whose vectors another embedder made; see AsyncMemory.open.
        settings: those that override what is read.
    """
    found = load_settings(settings)

    async def opened() -> T:
        async with mem_mcp.AsyncMemory.open(found, any_embedder=any_embedder) as memory:
            result = await work(memory)
            if not hasattr(result, "degraded"):  # else the answer says it
                for note in memory.damage:
                    print(f"note: {note}", file=sys.stderr)
            return result

    return asyncio.run(opened())
