"""What to tell of a failure of LanceDB or of the disk: what is wrong, and what helps."""

from __future__ import annotations

import errno
import functools
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import lancedb
import pyarrow as pa

from mem_mcp.errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")

ANOTHER_FOLDER = "choose another folder with MEM_MCP_DATA_DIR"
REPAIR = "mem-mcp doctor --repair"
_LONGEST = 300
_NUMBER = re.compile(r"\(os error (\d+)\)")
_SOURCE = re.compile(r",? ?(?:/\S+\.rs|<[^>]*>):\d+:\d+")
"""Places in LanceDB's own source, which tell nobody anything."""
_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def not_writable(place: object, reason: str, number: int | None) -> StoreError:
    """Return what to raise where a place takes no writes.

    Args:
        place: a path.
        reason: the operating system's words.
        number: its number for it, where it is known.
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


@contextmanager
def mapped(deed: str, location: str = "") -> Iterator[None]:
    """Turn what LanceDB and the disk raise into StoreError.

    Args:
        deed: what is tried, as a verb.
        location: of the store, where it is known.
    """
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        raise _explained(error, deed, location) from error


class _Rescuable(Protocol):
    async def fall_back(self) -> bool:
        """Read what is left from now on; tell whether that is new."""
        ...


Rescuable = TypeVar("Rescuable", bound=_Rescuable)


def rescued(
    read: Callable[Concatenate[Rescuable, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Rescuable, P], Coroutine[Any, Any, T]]:
    """Decorate a read: where it fails for damage, it is done again on what is left."""

    @functools.wraps(read)
    async def call(self: Rescuable, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await read(self, *args, **kwargs)
        except StoreError:
            if not await self.fall_back():
                raise
            return await read(self, *args, **kwargs)

    return call


def whole(rows: pa.Table) -> pa.Table:
    """Return rows whose texts are texts: LanceDB gives the bytes of a damaged file as they are.

    Raises:
        ValueError: some are not.
    """
    for name in rows.column_names:
        if pa.types.is_string(rows.schema.field(name).type):
            rows[name].validate(full=True)
    return rows


async def check_whole(table: lancedb.AsyncTable, columns: Sequence[str] = ()) -> None:
    """Read every row of a table.

    Args:
        table: any.
        columns: only these.

    Raises:
        RuntimeError, ValueError, OSError: a file is damaged.
    """
    query = table.query()
    async for batch in await (query.select(list(columns)) if columns else query).to_batches():
        batch.validate(full=True)


def _explained(error: Exception, deed: str, location: str) -> StoreError:
    reason = _SOURCE.sub("", " ".join(str(error).split()))
    number = error.errno if isinstance(error, OSError) else None
    if found := _NUMBER.search(reason):
        number = int(found[1])
    place = f"the store at {location!r}" if location else "the store"
    if number in _FULL:
        return StoreError(
            f"cannot {deed} {place}: no space is left on its disk; nothing that was stored before "
            "is lost",
            "free some space and try again",
        )
    if number in _CLOSED and location:
        path = error.filename if isinstance(error, OSError) and error.filename else location
        return not_writable(path, _NUMBER.split(reason)[0][-80:].split(": ")[-1].strip(), number)
    problem = f"cannot {deed} {place}: {reason[:_LONGEST]}"
    return StoreError(problem, "mem-mcp doctor tells whether it is damaged")
