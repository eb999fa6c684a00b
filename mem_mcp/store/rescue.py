"""Serving a damaged store: from a mended copy of it that is made of links, while it is open."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import lancedb

from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.damage import tables
from mem_mcp.store.failures import REPAIR, mapped
from mem_mcp.store.mending import Mended, mend


class Rescue:
    """What can be read of a local store, made at the first need.

    Args:
        folder: of the store, to which nothing is written.
        stack: removes the copy when the store is closed.
    """

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._making = asyncio.Lock()
        self._database: lancedb.AsyncConnection | None = None
        self._found: dict[str, Mended] = {}

    async def database(self, table: str) -> lancedb.AsyncConnection | None:
        """Return where a damaged table can be read; None for one that is whole.

        Raises:
            StoreError: the copy cannot be made.
        """
        async with self._making:
            if self._database is None:
                self._database = await self._made()
        return self._database if table in self._found else None

    def refusal(self, table: str) -> StoreError:
        """Return what a write to a damaged table is refused with."""
        found = self._found[table]
        more = f" and {len(found.damaged) - 1} more" if len(found.damaged) > 1 else ""
        lost = f", {found.rows_lost:,} versions are lost" if found.rows_lost else ""
        what = "the store is damaged" if table == schema.TABLE else f"the {table} are damaged"
        return StoreError(
            f"{what}: {found.damaged[0]}{more}{lost}; what can be read is served and exported, "
            "and nothing can be stored there until it is mended",
            f"run: {REPAIR}",
        )

    async def _made(self) -> lancedb.AsyncConnection:
        with mapped("read", str(self._folder)):
            place = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="mem-mcp-"))
            copy = Path(place) / "store"
            await asyncio.to_thread(_linked, self._folder, copy)
            self._found = {each.table: each for each in await mend(copy, self._folder)}
            database = await lancedb.connect_async(
                str(copy), read_consistency_interval=timedelta(0)
            )
        self._stack.callback(database.close)
        return database


def _linked(folder: Path, copy: Path) -> None:
    """Copy the tables of a store, as links to their files: LanceDB writes none of them twice."""
    for table in tables(folder):
        for root, _, names in os.walk(table):
            place = copy / Path(root).relative_to(folder)
            place.mkdir(parents=True, exist_ok=True)
            for name in names:
                _link(Path(root, name).absolute(), place / name)


def _link(file: Path, place: Path) -> None:
    if file.suffix == ".lance":
        try:
            place.symlink_to(file)
        except OSError:  # Windows gives the right to few
            shutil.copy2(file, place)
    else:
        shutil.copy2(file, place)
