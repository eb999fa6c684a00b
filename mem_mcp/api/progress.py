"""Progress: how far a call came that asks a language model more than once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable

Progress = Callable[[float, int], Awaitable[None] | None]
"""Told how many parts are done, a begun one counting half, and how many there are."""


class PartsReport:
    """Tells a caller when each part of the work begins and ends; what the callback raises goes on.

    Args:
        on_progress: the caller's callback; None tells nobody.
        parts: how many parts there are.
    """

    def __init__(self, on_progress: Progress | None, parts: int) -> None:
        self._on_progress = on_progress
        self._parts = parts
        self._steps = 0

    def expect(self, parts: int) -> None:
        """Correct how many parts there are."""
        self._parts = parts

    async def begin(self) -> None:
        """Tell that a part begins."""
        await self._step()

    async def end(self) -> None:
        """Tell that a part ends, whether it went well or not."""
        await self._step()

    def in_parts(self) -> Progress:
        """Begin a part that tells of parts of its own; its end is told by `end`."""
        done = self._steps / 2
        self._steps += 1

        async def told(part: float, parts: int) -> None:
            if part < parts:
                await self._tell(done + part / parts)

        return told

    async def _step(self) -> None:
        self._steps += 1
        await self._tell(self._steps / 2)

    async def _tell(self, done: float) -> None:
        if self._on_progress is None:
            return
        answer = self._on_progress(done, self._parts)
        if isawaitable(answer):
            await answer
