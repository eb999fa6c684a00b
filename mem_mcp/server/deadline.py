"""The time that a call may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mem_mcp.config import Settings
from mem_mcp.errors import MemError

# Beside what a language model may take.
_LEAST_BESIDE = 30


def seconds_per_call(settings: Settings) -> float:
    """Return how long a call may take: as the settings say, and what a model takes at least."""
    return max(settings.limits.seconds_per_call, settings.llm.deadline_seconds + _LEAST_BESIDE)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Give up what takes longer.

    Raises:
        MemError: it did.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise MemError(
            f"deadline: the call took longer than {seconds:g} seconds, so it was given up; what it "
            "had stored by then stays. Ask for less, or try again"
        ) from error
