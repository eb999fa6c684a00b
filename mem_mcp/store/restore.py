"""Restore a store from a backup: everything is checked before anything is written."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from mem_mcp.errors import StoreError
from mem_mcp.store.backup import (
    LIST,
    BackupReport,
    Contents,
    Progress,
    check_files,
    copy_file,
    in_thread,
    read_contents,
    report,
)
from mem_mcp.store.change_feed import FEED
from mem_mcp.store.error_mapping import store_errors
from mem_mcp.store.fsync import disk_sync
from mem_mcp.store.lance_files import table_folders
from mem_mcp.store.locks import LOCKS, UPGRADING, join

UNFINISHED = "restore-unfinished"
"""A file in a store of which a restore has replaced some tables and not yet all."""
AGAIN = "run mem-mcp restore again"
_STAGE = "restoring-"


async def restore(
    source: Path,
    folder: Path,
    *,
    replace: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> BackupReport:
    """Make a store from a backup.

    Args:
        source: folder of the backup.
        folder: folder of the store.
        replace: give up the store that is there.
        progress: called while files are copied.

    Raises:
        StoreError: the backup is not whole or is of a newer version; a store is there and may not
            be replaced; or another process has it open. Nothing is changed then.
    """
    contents = await asyncio.to_thread(read_contents, source)
    await asyncio.to_thread(check_files, source, contents)
    async with AsyncExitStack() as stack:
        processes, refusal = join(folder, stack)
        if processes is None:
            raise refusal or StoreError(f"{str(folder)!r} cannot be written to")
        await stack.enter_async_context(processes.alone_at("create"))  # so that nobody opens it
        begun = (folder / UNFINISHED).exists()
        if table_folders(folder) and not (replace or begun):
            raise StoreError(
                f"{str(folder)!r} holds a store, which would be lost; nothing was changed",
                "choose another folder with MEM_MCP_DATA_DIR, or give it up with --replace",
            )
        if processes.others_alive():
            raise StoreError(
                f"another mem-mcp process uses {str(folder)!r}, and a restore needs it alone",
                f"close what started it (a client, a server), then {AGAIN}",
            )
        with store_errors("restore", str(folder)):
            await in_thread(lambda advance: _restore(source, folder, contents, advance), progress)
    return report(folder, source, contents)


def _restore(source: Path, folder: Path, contents: Contents, progress: Progress) -> None:
    for leftover in folder.glob(f"{_STAGE}*"):
        shutil.rmtree(leftover)
    sync = disk_sync(folder)
    with tempfile.TemporaryDirectory(prefix=_STAGE, dir=folder) as place:
        stage = Path(place)
        _fill(source, stage, contents, progress)
        sync()
        (folder / UNFINISHED).write_text(str(source), encoding="utf-8")
        sync()
        for table in table_folders(folder):
            shutil.rmtree(table)
        for table in table_folders(stage):
            table.rename(folder / table.name)
        # What they say is of the tables that were here before.
        stale = (FEED, "maintained", UPGRADING)
        for path in (folder / LOCKS).iterdir():
            if path.name in stale or path.name.startswith("indexed-"):
                with suppress(FileNotFoundError):
                    path.unlink()
        sync()
        (folder / UNFINISHED).unlink()
        sync()


def _fill(source: Path, stage: Path, contents: Contents, progress: Progress) -> None:
    total, done = sum(kept.size for kept in contents.files.values()), 0
    for name, kept in contents.files.items():
        if copy_file(source / name, stage / name) != kept:  # changed since it was checked
            raise StoreError(f"{str(source / name)!r} is not what {LIST} says", "take another one")
        done += kept.size
        progress(done, total)
