"""Background work of the language model (`llm.background`): process pending input after writes."""

from __future__ import annotations

import asyncio
import logging

from mem_mcp.errors import MemError
from mem_mcp.extraction.pending import WAITING, next_due
from mem_mcp.operations.reprocess import reprocess
from mem_mcp.runtime import Runtime
from mem_mcp.times import utc_now

logger = logging.getLogger(__name__)


class Background:
    """Processes pending input: at the start, what other processes left; then after each write."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._allowed = runtime.settings.llm.background and runtime.gateway is not None
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Process pending input now, or after the current run."""
        if not self._allowed:
            return
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Cancel the current run; the input stays pending for the next process."""
        self._allowed = False
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        while self._again:
            self._again = False
            try:
                if await self._runtime.store.count(WAITING):
                    result = await reprocess(self._runtime, unasked=True)
                    for note in result.degraded:
                        logger.warning("%s", note)
                    await self._wake_when_due()
            except MemError as error:  # the input stays pending; the next write tries again
                logger.warning("what waits for the language model was not read: %s", error)

    async def _wake_when_due(self) -> None:
        """Come back, without a write, when what the model failed at is to be asked for again."""
        if self._timer is not None:
            self._timer.cancel()
        due = await next_due(self._runtime.store)
        if due is not None and self._allowed:
            seconds = max((due - utc_now()).total_seconds(), 0)
            self._timer = asyncio.get_running_loop().call_later(seconds, self.wake)
