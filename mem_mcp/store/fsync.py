"""Make commits survive a power cut, since LanceDB never calls fsync."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path


def disk_sync(folder: Path) -> Callable[[], None]:
    """Return a function that blocks until everything written under a folder is on the disk.

    A commit may name files that another process has written and not synced. So the function syncs
    the whole file system where it can (syncfs, Linux), else every file under the folder that has
    changed since its last call. It raises OSError if the disk fails.
    """
    libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    if libc is not None and hasattr(libc, "syncfs"):
        return lambda: _syncfs(libc, folder)
    return _NewerFiles(folder)


def _syncfs(libc: ctypes.CDLL, folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


class _NewerFiles:
    """Syncs the files and folders that have changed since the last call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._since = 0.0

    def __call__(self) -> None:
        # Time stamps have steps of up to two seconds. Syncing a file twice does no harm.
        started = time.time() - 2
        for root, _, names in os.walk(self._folder):
            for path in (*(Path(root, name) for name in names), Path(root)):
                self._sync(path)
        self._since = started

    def _sync(self, path: Path) -> None:
        try:
            if path.stat().st_mtime < self._since or (os.name == "nt" and path.is_dir()):
                return
            descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
        except FileNotFoundError:  # another process has removed it
            return
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
