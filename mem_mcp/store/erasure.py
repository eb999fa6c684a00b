"""Take what was deleted off the disk: out of data files, indices and earlier versions.

LanceDB marks deleted rows and keeps their bytes: in the data file until most of its rows are
deleted, in the indices until these are made anew, in the files of earlier versions until somebody
removes them. Other processes may still read those, so while any is alive they stay for a while; a
file among the locks says since when, and whichever process comes first then removes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lancedb
from filelock import Timeout

from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.bucket_erasure import (
    KEEP_FOR_OTHERS,
    LOOK_EVERY,
    BucketErasure,
    announce_in_bucket,
)
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.error_mapping import store_errors
from mem_mcp.store.lance_files import BACKUP, Manifest, manifest_files, read_manifest
from mem_mcp.store.locks import Processes
from mem_mcp.store.log_table import LogTable
from mem_mcp.store.maintenance import vector_index
from mem_mcp.store.table import Store

_MARKER = "erasing"
_BEGUN = "begun"
_AT_ONCE = 100_000
"""Rows rewritten in one commit."""
_SOON = timedelta(milliseconds=1)
_KEEP_ALL = timedelta(days=36_500)


async def announce_erasure(store: Store) -> None:
    """Say before rows are deleted that they must leave the disk.

    If this process dies before it has done so, the next one that opens the store does.
    """
    if processes := store.processes:
        with store_errors("erase", store.location):
            (processes.folder / _MARKER).write_text(_BEGUN)
    elif store.lease:
        await announce_in_bucket(store.lease.bucket)


class Erasure:
    """Erases deleted rows of a store and of its logs for good.

    Args:
        store: the store.
        logs: its other tables.
    """

    def __init__(self, store: Store, logs: Sequence[LogTable]) -> None:
        self._store = store
        self._logs = logs
        self._asked = self._done = 0
        self._turn = asyncio.Lock()
        self._gone_by: datetime | None = None
        self._in_bucket = None
        if store.lease:
            self._in_bucket = BucketErasure(store.lease, self._rewrite, self._tables)

    @property
    def copies(self) -> list[str]:
        """Folders of the store in which a repair has kept its tables as they were."""
        if self._store.processes is None:
            return []
        return sorted(str(path) for path in Path(self._store.location).glob(f"{BACKUP}*"))

    @unbroken
    async def erase(self) -> datetime | None:
        """Take all that was deleted before off the disk.

        Calls that wait for the same pass share it.

        Returns:
            None if it is gone; else the time until which a process that has the store open will
            have removed it.

        Raises:
            StoreError: LanceDB or the disk failed; the next process that opens the store goes on.
        """
        self._asked += 1
        ticket = self._asked
        async with self._turn:
            if self._done < ticket:
                covered = self._asked
                self._gone_by = await self._erase()
                self._done = covered
            return self._gone_by

    @unbroken
    async def resume(self) -> None:
        """Go on with what is left of an erasure, if its time has come and nobody else does."""
        processes = self._store.processes
        if self._in_bucket and not self._store.rescue.refusals:
            await self._in_bucket.resume()
        if processes is None or (since := _since(processes)) is None or self._store.rescue.refusals:
            return
        if since == _BEGUN:
            await self.erase()
            return
        rewritten = datetime.fromisoformat(since)
        if processes.others_alive() and datetime.now(UTC) < rewritten + KEEP_FOR_OTHERS:
            return
        try:
            async with processes.alone_at("maintain", wait=False):
                await self._remove_earlier(processes, rewritten)
        except Timeout:
            return

    async def _erase(self) -> datetime | None:
        processes = self._store.processes
        for refusal in self._store.rescue.refusals:
            raise refusal
        await announce_erasure(self._store)
        if self._in_bucket:
            return await self._in_bucket.erase()
        if processes is None:
            raise StoreError("LanceDB Cloud does not say when earlier versions are removed")
        async with processes.alone_at("maintain"):
            with store_errors("erase", self._store.location):
                await self._rewrite()
                await self._store.sync_disk()  # the new files are safe before the old ones go
                rewritten = datetime.now(UTC)
                (processes.folder / _MARKER).write_text(rewritten.isoformat())
                if await self._remove_earlier(processes, rewritten):
                    return None
        return rewritten + KEEP_FOR_OTHERS + 3 * LOOK_EVERY

    async def _rewrite(self) -> None:
        """Write rows and indices anew, without what was deleted."""
        async with self._store.alone("write"):
            await self._rewrite_rows(self._store.table)
        await self._rewrite_indices(self._store.table, schema.INDICES)
        async with self._store.alone("logs"):
            for log in self._logs:
                if table := await log.opened():
                    await self._rewrite_rows(table)
                    await self._rewrite_indices(table, log.indices)

    async def _tables(self) -> list[lancedb.AsyncTable]:
        """Return every table."""
        logs = [await log.opened() for log in self._logs]
        return [self._store.table, *(table for table in logs if table)]

    async def _rewrite_rows(self, table: lancedb.AsyncTable) -> None:
        """Write the rows that are left in files with deleted ones to new files."""
        await table.checkout_latest()  # type: ignore[no-untyped-call]
        columns = (await table.schema()).names
        same = "recorded_at" if "recorded_at" in columns else "created_at"
        for where in await asyncio.to_thread(self._beside_deleted, table.name):
            await table.update(where=where, updates_sql={same: same})
        # Joins them, and takes files without rows out of the table.
        await table.optimize(cleanup_older_than=_KEEP_ALL)

    def _beside_deleted(self, name: str) -> list[str]:
        """Return conditions that together name all rows in files with deleted ones."""
        if self._store.processes is None:  # its manifests are not on this machine
            return ["true"]
        manifest = _newest(Path(self._store.location) / f"{name}.lance")
        ranges = []
        for fragment in manifest.fragments:
            if fragment.deletions:
                first, rows = fragment.number << 32, fragment.undeleted().rows
                ranges += [(first + at, first + at + _AT_ONCE) for at in range(0, rows, _AT_ONCE)]
        return [f"_rowid >= {first} AND _rowid < {end}" for first, end in ranges]

    async def _rewrite_indices(self, table: lancedb.AsyncTable, configs: Mapping[str, Any]) -> None:
        """Make every index anew: it holds words and values of rows that are deleted."""
        spaces = {space.column: space for space in schema.spaces(await table.schema())}
        present = {column for index in await table.list_indices() for column in index.columns}
        for column in present:
            config = configs.get(column) or vector_index(spaces[column])
            await table.create_index(column, config=config, replace=True)

    async def _remove_earlier(self, processes: Processes, rewritten: datetime) -> bool:
        """Remove earlier versions, if that is safe; return whether they are gone."""
        store = self._store
        tables = await self._tables()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(store.alone("logs"))
            await stack.enter_async_context(processes.alone_at("create"))  # nobody opens the store
            alone = not processes.others_alive()
            age = max(datetime.now(UTC) - rewritten, _SOON)
            if not alone and age < KEEP_FOR_OTHERS:
                return False
            if alone:
                await stack.enter_async_context(store.gate.closed())
            else:
                await stack.enter_async_context(store.alone("write"))
            with store_errors("erase", store.location):
                for table in tables:
                    await table.checkout_latest()  # type: ignore[no-untyped-call]
                    # What a killed writer left no version names. Logs are written without a lock.
                    unnamed = alone or table is store.table
                    await table.optimize(
                        cleanup_older_than=_SOON if alone else age, delete_unverified=unnamed
                    )
            if _since(processes) == rewritten.isoformat():
                (processes.folder / _MARKER).unlink()
        return True


def _since(processes: Processes) -> str | None:
    """Return when rows were rewritten whose earlier files are still there; None if none are."""
    try:
        return (processes.folder / _MARKER).read_text() or _BEGUN
    except FileNotFoundError:
        return None


def _newest(table: Path) -> Manifest:
    version, path = manifest_files(table)[0]
    return read_manifest(path, version)
