"""Serve a damaged store: from a mended copy made of links, while the store is open."""

from __future__ import annotations

import asyncio
import functools
import os
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import lancedb

from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.damage.repair import MendedTable, mend
from mem_mcp.store.error_mapping import REPAIR, store_errors
from mem_mcp.store.lance_files import copy_tables

P = ParamSpec("P")
T = TypeVar("T")


class Rescue:
    """Tells which tables of a store refuse writes, and where damaged ones are read.

    Args:
        folder: folder of the store, which is not written to; None for an object store, whose damage
            cannot be examined.
        stack: removes the copy when the store is closed.
        refusal: why the whole store takes no writes; None if it does.
    """

    def __init__(
        self, folder: Path | None, stack: AsyncExitStack, refusal: StoreError | None = None
    ) -> None:
        self._folder = folder
        self._stack = stack
        self._refusal = refusal
        self._refusals: dict[str, StoreError] = {}
        self._making = asyncio.Lock()
        self._copy: lancedb.AsyncConnection | None = None
        self._mended: dict[str, MendedTable] = {}

    @property
    def notes(self) -> list[str]:
        """A sentence for each table that is read from the copy; every answer carries them."""
        return [str(refusal) for refusal in self._refusals.values()]

    @property
    def refusals(self) -> list[StoreError]:
        """Every reason why a table takes no writes."""
        return [*([self._refusal] if self._refusal else []), *self._refusals.values()]

    def refusal(self, table: str) -> StoreError | None:
        """Return why a table takes no writes; None if it does."""
        return self._refusal or self._refusals.get(table)

    def copy_of(self, table: str) -> lancedb.AsyncConnection | None:
        """Return the copy if a table is read from it by now."""
        return self._copy if table in self._refusals else None

    async def fall_back(self, table: str) -> lancedb.AsyncConnection | None:
        """Read a table from the copy from now on, and refuse writes to it.

        Returns:
            The copy; None if the table is whole, or was read from the copy before.

        Raises:
            StoreError: the copy cannot be made.
        """
        if self._folder is None or table in self._refusals:
            return None
        async with self._making:
            self._copy = self._copy or await self._mended_copy(self._folder)
        if table not in self._mended:
            return None
        self._refusals[table] = _refusal(self._mended[table])
        return self._copy

    async def examine(self) -> list[str]:
        """Read every file of the store; return a sentence for each damaged table."""
        await self.fall_back(schema.TABLE)
        for table in self._mended:
            await self.fall_back(table)
        return self.notes

    async def _mended_copy(self, folder: Path) -> lancedb.AsyncConnection:
        with store_errors("read", str(folder)):
            place = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mem-mcp-"))
            copy = Path(place) / "store"
            await asyncio.to_thread(_link_tables, folder, copy)
            self._mended = {each.table: each for each in await mend(copy, folder)}
            database = await lancedb.connect_async(
                str(copy), read_consistency_interval=timedelta(0)
            )
        self._stack.callback(database.close)
        return database


class _Readable(Protocol):
    @property
    def table(self) -> object: ...

    async def fall_back(self) -> None:
        """Let `table` be that of the mended copy, if it is damaged."""


Readable = TypeVar("Readable", bound=_Readable)


def with_fallback(
    read: Callable[Concatenate[Readable, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Readable, P], Coroutine[Any, Any, T]]:
    """Decorate a method that reads: if it fails for damage, it is repeated on the mended copy."""

    @functools.wraps(read)
    async def call(self: Readable, /, *args: P.args, **kwargs: P.kwargs) -> T:
        table = self.table
        try:
            return await read(self, *args, **kwargs)
        except StoreError:
            await self.fall_back()
            if self.table is table:
                raise
            return await read(self, *args, **kwargs)

    return call


def _refusal(mended: MendedTable) -> StoreError:
    more = f" and {len(mended.damaged) - 1} more" if len(mended.damaged) > 1 else ""
    lost = f", {mended.rows_lost:,} versions are lost" if mended.rows_lost else ""
    memories = mended.table == schema.TABLE
    what = "the store is damaged" if memories else f"the {mended.table} are damaged"
    return StoreError(
        f"{what}: {mended.damaged[0]}{more}{lost}; what can be read is served and exported, "
        "and nothing can be stored there until it is mended",
        f"run: {REPAIR}",
    )


def _link_tables(folder: Path, copy: Path) -> None:
    copy_tables(folder.absolute(), copy, os.symlink)
    for place in copy.glob("**/"):  # copies of a read-only store's folders are read-only, too
        place.chmod(0o700)
