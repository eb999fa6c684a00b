"""Rows of a log that nobody waits for: gathered, and written off the path of answers."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Generic, TypeVar

from mem_mcp.errors import StoreError
from mem_mcp.store import Log

T = TypeVar("T")

# Long enough to write many at once, short enough that others can read them within a second.
_GATHER_SECONDS = 0.3
logger = logging.getLogger(__name__)


class WriteBehind(ABC, Generic[T]):
    """Entries on their way into a log; a failed write loses them and is logged.

    Args:
        log: the table they go to.
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self._waiting: list[T] = []
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def add(self, entry: T) -> None:
        """Have an entry written soon, unless nothing can be; nothing waits for it."""
        if self.log.refusal:
            return
        self._waiting.append(entry)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Write what waits."""
        self._hurry.set()
        if self._task is not None:
            await self._task

    @abstractmethod
    def row(self, entry: T) -> dict[str, Any]:
        """Return an entry as the log's columns have it."""

    async def _write(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _GATHER_SECONDS)
            batch = list(self._waiting)
            try:
                await self.log.append([self.row(entry) for entry in batch], durable=False)
            except StoreError as error:  # the answers were given
                logger.warning("%s were not written: %s", type(self).__name__.lower(), error)
            del self._waiting[: len(batch)]
