"""Open the memory for one command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import mem_mcp
from mem_mcp.config import load_settings
from mem_mcp.current_client import through

T = TypeVar("T")


def run(
    work: Callable[[mem_mcp.AsyncMemory], Awaitable[T]],
    *,
    any_embedder: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> T:
    """Open the memory, run an async function with it, close it, and return the result.

    Notes on damage that the result does not carry are printed on stderr.

    Args:
        work: the function.
        any_embedder: also open a store with vectors of another embedder; see AsyncMemory.open.
        settings: values that override the file and the environment.
    """
    loaded = load_settings(settings)

    async def opened() -> T:
        async with mem_mcp.AsyncMemory.open(loaded, any_embedder=any_embedder) as memory:
            result = await work(memory)
            if not hasattr(result, "degraded"):  # otherwise they are in `degraded`
                for note in memory.damage:
                    print(f"note: {note}", file=sys.stderr)
            return result

    with through("cli"):
        return asyncio.run(opened())
