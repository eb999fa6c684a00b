"""Processes that share one data directory: who is alive, and who may do what alone."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from mem_mcp.errors import StoreError
from mem_mcp.store.failures import not_writable

_ALIVE = "alive-"
_RETRY_SECONDS = 0.005


class Processes:
    """Locks in a folder; the operating system drops those of a dead process.

    `alone_at("append")` and the like are exclusive among all processes on the folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._presence = FileLock(folder / f"{_ALIVE}{os.getpid()}-{uuid.uuid4().hex[:8]}")

    def __enter__(self) -> Self:
        self._presence.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._presence.release()
        Path(self._presence.lock_file).unlink(missing_ok=True)

    @asynccontextmanager
    async def alone_at(self, work: str, *, wait: bool = True) -> AsyncIterator[None]:
        """Be the only one at one kind of work.

        Args:
            work: its name.
            wait: whether to wait for the turn; without, `filelock.Timeout` is raised at once.
        """
        lock = FileLock(self.folder / work, blocking=False)
        # Taking a free lock costs microseconds, so no thread is asked to do it.
        while not lock.is_locked:
            try:
                lock.acquire()
            except OSError as error:
                if not isinstance(error, Timeout):
                    raise _unusable(lock.lock_file, error) from error
                if not wait:
                    raise
                await asyncio.sleep(_RETRY_SECONDS)
        try:
            yield
        finally:
            lock.release()

    def others_alive(self) -> bool:
        """Tell whether another open store uses the folder; traces of dead ones are removed."""
        return any(
            self._held(path)
            for path in self.folder.glob(f"{_ALIVE}*")
            if path != Path(self._presence.lock_file)
        )

    def _held(self, path: Path) -> bool:
        probe = FileLock(path, timeout=0)
        try:
            with probe:
                path.unlink(missing_ok=True)
        except Timeout:
            return True
        return False


def _unusable(path: str, error: OSError) -> StoreError:
    if Path(path).is_dir():
        return StoreError(f"{path!r} is a folder, and a file is needed", "remove it and try again")
    return not_writable(path, error.strerror or str(error), error.errno)
