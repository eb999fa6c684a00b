"""Whether a data directory can be written to, and who uses it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from mem_mcp.errors import StoreError
from mem_mcp.store.damage import tables
from mem_mcp.store.failures import ANOTHER_FOLDER, not_writable
from mem_mcp.store.locks import Processes

LOCKS = "locks"


def entered(folder: Path, stack: AsyncExitStack) -> tuple[Processes | None, StoreError | None]:
    """Make the folder of a store where it is missing, and be one of its processes.

    Args:
        folder: of the store.
        stack: leaves it again.

    Returns:
        The processes on it; or None, and what a write is refused with.

    Raises:
        StoreError: it is no folder, or can be neither made nor read.
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
    if found := next(_closed(folder), None):
        return None, found
    try:
        return stack.enter_context(Processes(folder / LOCKS)), None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        return None, StoreError(
            f"{error.filename!r} is not what it should be: nothing was stored, and what is there "
            "can be read",
            "remove it and start again",
        )
    except OSError as error:
        place = error.filename or folder / LOCKS
        return None, not_writable(place, str(error.strerror), error.errno)


def _closed(folder: Path) -> Iterator[StoreError]:
    """Say which of a store's folders and locks this process may not write to."""
    for place in _written_to(folder):
        if place.exists() and not os.access(place, os.W_OK):
            number = errno.EROFS if _read_only(place) else errno.EACCES
            yield not_writable(place, os.strerror(number), number)


def _written_to(folder: Path) -> Iterator[Path]:
    yield folder
    yield folder / LOCKS
    for table in tables(folder):
        yield table
        yield from (table / name for name in ("_versions", "_transactions", "data", "_indices"))
    yield from (path for path in (folder / LOCKS).glob("*") if path.is_file())


def _read_only(place: Path) -> bool:
    if not hasattr(os, "statvfs"):  # Windows
        return False
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
