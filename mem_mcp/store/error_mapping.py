"""Map errors of LanceDB, disks and object stores to StoreError: what is wrong, and what helps."""

from __future__ import annotations

import errno
import re
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mem_mcp.errors import StoreBusy, StoreError
from mem_mcp.store.remote_errors import meaning, passes

T = TypeVar("T")

ANOTHER_FOLDER = "choose another folder with MEM_MCP_DATA_DIR"
REPAIR = "mem-mcp doctor --repair"
_LONGEST = 300
_NUMBER = re.compile(r"\(os error (\d+)\)")
# Places in LanceDB's own source.
_SOURCE = re.compile(r",? ?(?:/\S+\.rs|<[^>]*>):\d+:\d+")
# Of LanceDB's commits: the same one succeeds on top of what was committed meanwhile.
_CONFLICT = re.compile(
    r"commit conflict|Incompatible transaction|preempted by concurrent|Too many concurrent writers",
    re.IGNORECASE,
)
# In the location of a store that is no folder.
_SCHEME = "://"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def store_errors(action: str, location: str = "") -> Iterator[None]:
    """Raise StoreError in place of the errors of LanceDB and of the disk.

    `action` is a verb for the message "cannot ... the store"; an empty `location` is unknown.
    """
    try:
        yield
    except Exception as error:
        if not of_lancedb(error):
            raise
        raise _explain(error, action, location) from error


async def attempt(call: Awaitable[T]) -> T | None:
    """Return the result of a call of LanceDB, or None if it fails, as for a damaged file."""
    try:
        return await call
    except Exception as error:
        if not of_lancedb(error):
            raise
        return None


def of_lancedb(error: Exception) -> bool:
    """Return whether LanceDB, the disk or an object store has raised an error."""
    # A panic, which some damaged indices cause, has a class of its own that cannot be imported.
    is_panic = type(error).__name__ == "RustPanic"
    is_remote = type(error).__module__.partition(".")[0] == "obstore"
    return is_panic or is_remote or isinstance(error, RuntimeError | ValueError | OSError)


def not_writable(place: object, reason: str, number: int | None) -> StoreError:
    """Return the error for a path that takes no writes.

    `reason` is the operating system's message, and `number` its error number, None if unknown.
    """
    if number in _FULL:
        helps = "free some space there"
    elif number == errno.EROFS:
        helps = "mount it writable"
    else:
        helps = "let this user write there (chown or chmod)"
    return StoreError(
        f"{str(place)!r} cannot be written to ({reason}): nothing was stored, and what is there "
        "can be read",
        f"{helps}, or {ANOTHER_FOLDER}",
    )


def _explain(error: Exception, action: str, location: str) -> StoreError:
    reason = _SOURCE.sub("", " ".join(str(error).split()))
    number = error.errno if isinstance(error, OSError) else None
    if found := _NUMBER.search(reason):
        number = int(found[1])
    place = f"the store at {location!r}" if location else "the store"
    if number in _FULL:
        return StoreError(
            f"cannot {action} {place}: no space is left on its disk; nothing that was stored "
            "before is lost",
            "free some space and try again",
        )
    if number in _CLOSED and location:
        path = error.filename if isinstance(error, OSError) and error.filename else location
        return not_writable(path, _NUMBER.split(reason)[0][-80:].split(": ")[-1].strip(), number)
    problem = f"cannot {action} {place}: {reason[:_LONGEST]}"
    if _CONFLICT.search(reason):
        return StoreBusy(problem, "others were at it; try again")
    if _SCHEME in location:
        return _explain_remote(reason, action, location) or StoreError(problem)
    return StoreError(problem, "mem-mcp doctor tells whether it is damaged")


def _explain_remote(reason: str, action: str, location: str) -> StoreError | None:
    place = f"the store at {location!r}"
    if known := meaning(reason, location.partition(_SCHEME)[0]):
        problem, helps = known
        return StoreError(f"cannot {action} {place}: {problem}", helps)
    if not passes(reason):
        return None
    return StoreBusy(
        f"cannot {action} {place}: it does not answer, or has too much to do",
        "try again; if it stays so, check its address (storage_uri, store.options)",
    )
