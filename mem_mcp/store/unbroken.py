"""Calls that go on to their end when their caller gives up.

A LanceDB future that is dropped while it loads an index leaves that index unusable: every later
read of the process would wait for it for ever (seen with lancedb 0.40). And a lock must not be let
go while the commit that it guards is still under way.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
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
