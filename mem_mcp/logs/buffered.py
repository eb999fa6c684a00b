"""A buffered log: entries are collected and written in the background."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Generic, TypeVar

from mem_mcp.errors import StoreError
from mem_mcp.store import LogTable

T = TypeVar("T")

# Long enough to write many entries at once; others can read them within a second.
_DELAY_SECONDS = 0.3
WRITTEN_WITHIN_SECONDS = 1.0
"""After that long other processes have written what waited."""
logger = logging.getLogger(__name__)


class WriteBehind(ABC, Generic[T]):
    """Writes entries to a log in the background. If a write fails they are lost, with a warning.

    Args:
        log: the table to write to.
    """

    def __init__(self, log: LogTable) -> None:
        self.log = log
        self._waiting: list[T] = []
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def add(self, entry: T) -> None:
        """Write an entry soon, unless the log is read-only; return at once."""
        if self.log.refusal:
            return
        self._waiting.append(entry)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Write the waiting entries now."""
        hurried = self._hurry.is_set()
        await self.close()
        if not hurried:
            self._hurry.clear()

    async def close(self) -> None:
        """Write the waiting entries, and later ones at once."""
        self._hurry.set()
        if self._task is not None:
            await self._task

    @abstractmethod
    def row(self, entry: T) -> dict[str, Any]:
        """Return an entry's values by the log's columns."""

    async def _write(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _DELAY_SECONDS)
            batch = list(self._waiting)
            try:
                await self.log.append([self.row(entry) for entry in batch], durable=False)
            except StoreError as error:  # answers do not depend on it
                logger.warning("%s were not written: %s", type(self).__name__.lower(), error)
            del self._waiting[: len(batch)]
