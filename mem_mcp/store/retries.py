"""Repeat what failed for load, a network or other writers, after waits that grow and vary."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from mem_mcp.errors import StoreBusy

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 8
# Before each failure the client of the object store has repeated its request by itself.
_LONGEST_SECONDS = 30.0
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 3.0


def retried(
    work: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Decorate a coroutine function that may run twice: on StoreBusy it is called again.

    The waits are drawn from zero to a bound that doubles ("full jitter"), so that those who met do
    not meet again. Half a minute after the first call there is no further one.
    """

    @functools.wraps(work)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        begun = time.monotonic()
        attempt = 0
        while True:
            try:
                return await work(*args, **kwargs)
            except StoreBusy:
                attempt += 1
                if attempt == _ATTEMPTS or time.monotonic() - begun > _LONGEST_SECONDS:
                    raise
            bound = min(_FIRST_WAIT * 2**attempt, _LONGEST_WAIT)
            await asyncio.sleep(random.uniform(0, bound))  # noqa: S311 - no secret

    return call
