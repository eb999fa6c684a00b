"""Repairing a store: alone, and after a copy of it was made."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel

from mem_mcp.errors import StoreError
from mem_mcp.store.access import entered
from mem_mcp.store.damage import SUFFIX, tables
from mem_mcp.store.failures import ANOTHER_FOLDER, REPAIR, mapped
from mem_mcp.store.fsync import disk_sync
from mem_mcp.store.mending import Mended, mend
from mem_mcp.store.table import BACKUP

UNFINISHED = "repair-unfinished"
"""File in a store whose repair has begun and not ended; it names the copy that was made first."""


class Repaired(BaseModel):
    """What a repair of a store came to."""

    location: str
    copy_at: str | None = None
    """A folder with everything as it was; None where nothing was damaged."""
    tables: list[Mended] = []


async def repair(folder: Path) -> Repaired:
    """Make a damaged local store whole, after a copy of it was made beside its tables.

    One that was interrupted is done again from that copy.

    Args:
        folder: of the store, which no process may be using.

    Raises:
        StoreError: another process uses the store, or it cannot be written to; it is as it was.
    """
    if not await asyncio.to_thread(tables, folder):
        raise StoreError(f"{str(folder)!r} holds no store", ANOTHER_FOLDER)
    async with AsyncExitStack() as stack:
        processes, refusal = entered(folder, stack)
        if processes is None:
            raise refusal or StoreError(f"{str(folder)!r} cannot be repaired")
        await stack.enter_async_context(processes.alone_at("create"))  # nobody opens it meanwhile
        if processes.others_alive():
            raise StoreError(
                f"another mem-mcp process uses {str(folder)!r}, and a repair needs it alone",
                f"close what started it (a client, a server), then run: {REPAIR}",
            )
        with mapped("repair", str(folder)):
            copy = await asyncio.to_thread(_set_aside, folder)
        return await _repaired(folder, copy)


async def _repaired(folder: Path, copy: Path) -> Repaired:
    marker, sync = folder / UNFINISHED, disk_sync(folder)
    with mapped("repair", str(folder)):
        await asyncio.to_thread(sync)
        marker.write_text(copy.name)
    try:
        done = await mend(folder, copy)
    except BaseException:
        _put_in_place(folder, copy)
        marker.unlink()
        raise
    with mapped("repair", str(folder)):
        await asyncio.to_thread(sync)
        marker.unlink()
        if not done:
            await asyncio.to_thread(shutil.rmtree, copy)
    for each in done:  # what was read is the copy; what was damaged is the store
        each.damaged = [one.replace(str(copy), str(folder)) for one in each.damaged]
    return Repaired(location=str(folder), copy_at=str(copy) if done else None, tables=done)


def _set_aside(folder: Path) -> Path:
    """Copy the tables of a store into a folder of their own; an interrupted repair has done it."""
    marker = folder / UNFINISHED
    named = marker.read_bytes().decode(errors="replace") if marker.exists() else ""
    if named in {path.name for path in folder.glob(f"{BACKUP}*")}:
        _put_in_place(folder, folder / named)
        return folder / named
    number, stamp = 1, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    while (copy := folder / f"{BACKUP}{stamp}{f'-{number}' if number > 1 else ''}").exists():
        number += 1
    copy.mkdir()
    for table in tables(folder):
        shutil.copytree(table, copy / table.name, copy_function=_copied)
    return copy


def _put_in_place(folder: Path, copy: Path) -> None:
    """Undo what a repair did."""
    for table in tables(folder):
        shutil.rmtree(table)
    for table in tables(copy):
        shutil.copytree(table, folder / table.name, copy_function=_copied)


def _copied(source: str, target: str) -> None:
    """Copy a file; one that LanceDB never writes again needs no second place on the disk."""
    if source.endswith(SUFFIX):
        with suppress(OSError):
            os.link(source, target)
            return
    shutil.copy2(source, target)
