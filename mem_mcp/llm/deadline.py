"""One tool call's share of the model: a deadline for all that it asks, and what that used."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mem_mcp.llm.usage import Usage

_current: ContextVar[Turn | None] = ContextVar("turn", default=None)


class Turn:
    """What is asked inside shares its deadline and counts in its usage.

    Turns nest: an inner one ends no later than its outer, and what it uses counts in both.
    """

    def __init__(self, seconds: float, outer: Turn | None = None) -> None:
        ends = asyncio.get_running_loop().time() + seconds
        self.ends: float = min(ends, outer.ends) if outer else ends
        """The event loop's time at which calls are given up."""
        self.usage = Usage()
        self._outer = outer

    @property
    def over(self) -> bool:
        """Whether its deadline has passed."""
        return asyncio.get_running_loop().time() >= self.ends

    def add(self, usage: Usage) -> None:
        """Count what was used."""
        self.usage += usage
        if self._outer:
            self._outer.add(usage)


@contextmanager
def turn(seconds: float) -> Iterator[Turn]:
    """Open a turn for what is asked inside, also by tasks started there."""
    opened = Turn(seconds, _current.get())
    token = _current.set(opened)
    try:
        yield opened
    finally:
        _current.reset(token)
