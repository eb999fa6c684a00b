"""Calls that go on to their end when their caller gives up, and a gate that one may close.

A LanceDB future that is dropped while it loads an index leaves that index unusable: every later
read of the process would wait for it for ever (seen with lancedb 0.40). And a lock must not be let
go while the commit that it guards is still under way.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_under_way: set[asyncio.Task[Any]] = set()


def unbroken(work: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Awaitable[T]]:
    """Decorate a coroutine function: a cancelled caller leaves at once, its work does not."""

    @functools.wraps(work)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(work(*args, **kwargs))
        _under_way.add(task)
        task.add_done_callback(_forget)
        return await asyncio.shield(task)

    return call


async def all_done() -> None:
    """Wait for the calls under way on this event loop, whoever began them."""
    loop = asyncio.get_running_loop()
    mine = [task for task in _under_way if task.get_loop() is loop]
    await asyncio.gather(*mine, return_exceptions=True)


def _forget(task: asyncio.Task[Any]) -> None:
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()  # seen: the caller who would have heard of it may be gone


class Gate:
    """Calls inside keep the gate from closing; while it is closed, new calls wait."""

    def __init__(self) -> None:
        self._inside = 0
        self._closed = False
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Be inside."""
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
        """Be alone: waits until all inside have left."""
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
