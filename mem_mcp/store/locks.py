"""Processes that share a data directory: locks, who is alive, and whether it can be written to."""

from __future__ import annotations

import asyncio
import errno
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mem_mcp.errors import StoreError
from mem_mcp.store.error_mapping import ANOTHER_FOLDER, not_writable
from mem_mcp.store.lance_files import table_folders

LOCKS = "locks"
"""Folder of the locks in a store."""
UPGRADING = "upgrading"
"""A file among the locks while rows of an older store are changed; it names the backup."""
_ALIVE = "alive-"
RETRY_SECONDS = 0.005
"""Between two looks at a lock that is taken."""


class Processes:
    """Locks in a folder; the operating system releases those of a dead process.

    Making one makes the folder, and lets this process count as alive until `leave` is called.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._presence = FileLock(folder / f"{_ALIVE}{os.getpid()}-{uuid.uuid4().hex[:8]}")
        self._presence.acquire()

    def leave(self) -> None:
        """Count as dead from now on."""
        self._presence.release()
        Path(self._presence.lock_file).unlink(missing_ok=True)

    @asynccontextmanager
    async def alone_at(
        self, work: str, *, wait: bool = True, retry: float = RETRY_SECONDS
    ) -> AsyncIterator[None]:
        """Hold the lock of a kind of work, such as `write`, for the body of a `with` statement.

        Args:
            work: the kind of work.
            wait: whether to wait while the lock is taken.
            retry: seconds between two looks at a lock that is taken.

        Raises:
            filelock.Timeout: the lock is taken, and `wait` is false.
            StoreError: the file of the lock cannot be used.
        """
        lock = FileLock(self.folder / work, blocking=False)
        # Taking a free lock takes microseconds, so no thread is needed.
        while not lock.is_locked:
            try:
                lock.acquire()
            except OSError as error:
                if not isinstance(error, Timeout):
                    raise _unusable(lock.lock_file, error) from error
                if not wait:
                    raise
                await asyncio.sleep(retry)
        try:
            yield
        finally:
            lock.release()

    def others_alive(self) -> bool:
        """Return whether another store has the folder open; files of dead processes are removed."""
        for path in self.folder.glob(f"{_ALIVE}*"):
            if path != Path(self._presence.lock_file):
                try:
                    with FileLock(path, timeout=0):
                        path.unlink(missing_ok=True)
                except Timeout:
                    return True
        return False


def join(folder: Path, stack: AsyncExitStack) -> tuple[Processes | None, StoreError | None]:
    """Make the folder of a store unless it exists, and join the processes that use it.

    Returns:
        The processes, until the stack closes; or None, and the error with which to refuse writes.

    Raises:
        StoreError: a file is in the way, or the folder can be neither made nor read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        next(folder.iterdir(), None)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(
            f"data_dir: {str(folder)!r} cannot be used: {error.filename!r} is a file, and a folder "
            "is needed",
            f"move it away, or {ANOTHER_FOLDER}",
        ) from error
    except OSError as error:
        raise StoreError(
            f"data_dir: {str(folder)!r} cannot be used ({error.strerror})",
            "choose a folder you can write to with MEM_MCP_DATA_DIR",
        ) from error
    if refusal := _closed_place(folder):
        return None, refusal
    try:
        processes = Processes(folder / LOCKS)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        return None, StoreError(
            f"{error.filename!r} is not what it should be: nothing was stored, and what is there "
            "can be read",
            "remove it and start again",
        )
    except OSError as error:
        place = error.filename or folder / LOCKS
        return None, not_writable(place, str(error.strerror), error.errno)
    stack.callback(processes.leave)
    return processes, None


def _closed_place(folder: Path) -> StoreError | None:
    """Return an error if this process may not write to a folder or lock of a store."""
    places = [folder, folder / LOCKS]
    for table in table_folders(folder):
        names = ("_versions", "_transactions", "data", "_indices")
        places += [table, *(table / name for name in names)]
    places += [path for path in (folder / LOCKS).glob("*") if path.is_file()]
    for place in places:
        if place.exists() and not os.access(place, os.W_OK):
            flags = os.statvfs(place).f_flag if hasattr(os, "statvfs") else 0  # not on Windows
            number = errno.EROFS if flags and flags & os.ST_RDONLY else errno.EACCES
            return not_writable(place, os.strerror(number), number)
    return None


def _unusable(path: str, error: OSError) -> StoreError:
    if Path(path).is_dir():
        return StoreError(f"{path!r} is a folder, and a file is needed", "remove it and try again")
    return not_writable(path, error.strerror or str(error), error.errno)
