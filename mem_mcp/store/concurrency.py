"""Calls that a cancelled caller does not cut off, and a gate that waits for all calls to end.

If a LanceDB future is dropped while it loads an index, every later read of the process waits for
that index for ever (seen with lancedb 0.40). And a lock must be held until its commit has ended.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()


def unbroken(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Awaitable[T]]:
    """Decorate a coroutine function: if its caller is cancelled, it still runs to its end."""

    @functools.wraps(work)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(work(*args, **kwargs))
        _running.add(task)
        task.add_done_callback(_forget)
        return await asyncio.shield(task)

    return call


async def all_done() -> None:
    """Wait for every running call on this event loop."""
    loop = asyncio.get_running_loop()
    tasks = [task for task in _running if task.get_loop() is loop]
    await asyncio.gather(*tasks, return_exceptions=True)


def _forget(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # marks it as retrieved: the caller may be gone


class Gate:
    """A readers-writer lock: it closes when no call is inside, and then new calls wait."""

    def __init__(self) -> None:
        self._inside = 0
        self._closed = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Be inside for the body of a `with` statement."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if self._closed:
                await self._tell()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        """Close the gate for the body of a `with` statement, after all calls have left."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._closed)
            self._closed = True
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._inside == 0)
            yield
        finally:
            self._closed = False
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
