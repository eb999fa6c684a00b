"""Open a store: make it at first use, and refuse one that is not ours or of another embedder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path

import lancedb
import pyarrow as pa

from mem_mcp.errors import StoreError
from mem_mcp.store import restore, schema
from mem_mcp.store.bucket import Bucket
from mem_mcp.store.concurrency import all_done
from mem_mcp.store.damage.repair import UNFINISHED
from mem_mcp.store.damage.rescue import Rescue
from mem_mcp.store.damage.survey import damages
from mem_mcp.store.error_mapping import ANOTHER_FOLDER, REPAIR, of_lancedb, store_errors
from mem_mcp.store.fsync import disk_sync
from mem_mcp.store.lease import Lease
from mem_mcp.store.locks import join
from mem_mcp.store.migrations import migrate
from mem_mcp.store.retries import retried
from mem_mcp.store.schema import FIRST_COLUMN, Space, active
from mem_mcp.store.table import Store
from mem_mcp.store.vector_migration import adopt

# LanceDB's own bounds are gigabytes, and it keeps what it read of replaced indices. The cache of
# indices is a share of the table within these bounds, the cache of metadata a share of that.
_LEAST_CACHE_BYTES, _MOST_CACHE_BYTES = 32_000_000, 256_000_000
_OF_TABLE = 4
_CLOUD = "db://"


@asynccontextmanager
async def open_store(
    location: Path | str,
    *,
    dimension: int | None,
    embedder: str | None,
    durable: bool,
    any_embedder: bool = False,
    succeeds: Collection[str] = (),
    options: Mapping[str, str] | None = None,
) -> AsyncIterator[Store]:
    """Open a store, and make it at first use.

    Args:
        location: a local folder, or the URI of an object store.
        dimension: length of the vectors; None if unknown, until `adopt` is called.
        embedder: identity of the embedder; None while it is not available.
        durable: whether a write waits until it is on the disk.
        any_embedder: accept a store with vectors of another embedder, to read it.
        succeeds: embedders that this one takes the place of: a store with vectors of one of them is
            accepted, and works in a space of its own that is still to be filled.
        options: how an object store is reached, as in `store.options` of the settings.

    Raises:
        StoreError: it cannot be made or opened, is no store, or was made by a newer version or for
            another embedder.
    """
    async with AsyncExitStack() as stack:
        folder = location if isinstance(location, Path) else None
        bucket = None
        if not folder and not str(location).startswith(_CLOUD):
            bucket = Bucket(str(location), options or {})
        processes, refusal = join(folder, stack) if folder else (None, None)
        if bucket:
            refusal = await bucket.refusal()
        sync = disk_sync(folder) if folder and durable and not refusal else None
        rescue = Rescue(folder, stack, refusal)
        space = Space(FIRST_COLUMN, embedder, dimension) if embedder and dimension else None
        creating = Lease(bucket, "create") if bucket else None
        database = await _connect(location, bucket)
        stack.callback(database.close)
        with store_errors("open", str(location)):
            async with processes.alone_at("create") if processes else nullcontext():
                for name in await _damaged_tables(folder) if folder else ():
                    await rescue.fall_back(name)
                try:
                    if creating:
                        table = await _open_or_meet(database, rescue, space, creating)
                    else:
                        table = await _open_table(database, rescue, space)
                except Exception as error:
                    if not of_lancedb(error) or await rescue.fall_back(schema.TABLE) is None:
                        raise
                    table = await _open_table(database, rescue, space)
        _check_schema(str(location), await table.schema())
        stack.push_async_callback(all_done)
        lease = Lease(bucket, "maintain") if bucket else None
        store = Store(
            database, table, None, str(location), processes, sync, rescue, lease, creating
        )
        await migrate(store)
        columns = await table.schema()
        if embedder and not any_embedder:
            _check_embedder(str(location), active(columns), embedder, succeeds)
        store.work_in(active(columns))
        store.fit(columns)
        known = store.space.embedder if store.space else None
        if space and known != embedder and not any_embedder:
            await adopt(store, space.embedder, space.dimension)
        yield store


def _session(folder: Path | None) -> lancedb.Session:
    """Return LanceDB's caches; those for an object store have their largest size."""
    size = _MOST_CACHE_BYTES
    if folder:
        table = 0
        for file in (folder / f"{schema.TABLE}.lance" / "data").glob("*"):
            with suppress(OSError):  # another process has just removed it, or it is damaged
                table += file.stat().st_size
        size = min(max(table // _OF_TABLE, _LEAST_CACHE_BYTES), _MOST_CACHE_BYTES)
    return lancedb.Session(size, size // _OF_TABLE)


async def _damaged_tables(folder: Path) -> list[str]:
    """Return the names of the tables with damaged files.

    Raises:
        StoreError: a repair or a restore was interrupted.
    """
    if (folder / UNFINISHED).exists():
        raise StoreError(f"the repair of {str(folder)!r} was interrupted", f"end it with: {REPAIR}")
    if (folder / restore.UNFINISHED).exists():
        raise StoreError(f"the restore of {str(folder)!r} was interrupted", restore.AGAIN)
    return [*await asyncio.to_thread(damages, folder)]


@retried
async def _connect(location: Path | str, bucket: Bucket | None) -> lancedb.AsyncConnection:
    with store_errors("open", str(location)):
        return await lancedb.connect_async(
            str(location),
            read_consistency_interval=timedelta(0),
            session=_session(location if isinstance(location, Path) else None),
            storage_options=bucket.storage_options if bucket else None,
        )


@retried
async def _open_or_meet(
    database: lancedb.AsyncConnection, rescue: Rescue, space: Space | None, creating: Lease
) -> lancedb.AsyncTable:
    """Open the table of memories in a bucket, where others may be making it as well."""
    with store_errors("open", database.uri):
        exists = schema.TABLE in (await database.list_tables()).tables
        async with nullcontext() if exists or rescue.refusals else creating.alone():
            return await _open_table(database, rescue, space)


async def _open_table(
    database: lancedb.AsyncConnection, rescue: Rescue, space: Space | None
) -> lancedb.AsyncTable:
    """Open the table of memories, or make it; one that takes no writes is opened as it is."""
    copy = rescue.copy_of(schema.TABLE)
    database = copy or database
    exists = schema.TABLE in (await database.list_tables()).tables
    if not copy and (refusal := rescue.refusal(schema.TABLE)):
        if exists:
            return await database.open_table(schema.TABLE)
        raise StoreError(
            f"there are no memories yet, and none can be stored: {refusal.problem}", refusal.helps
        )
    if exists:
        table = await database.open_table(schema.TABLE)
    else:
        table = await database.create_table(schema.TABLE, schema=schema.table_schema(space))
    columns = await table.schema()
    if schema.VERSION_KEY in (columns.metadata or {}):
        await schema.ensure_text_index(table)
    return table


def _check_schema(location: str, columns: pa.Schema) -> None:
    number = schema.number(columns)
    if not number:
        raise StoreError(
            f"{location!r} holds a table {schema.TABLE!r} that mem-mcp did not make",
            ANOTHER_FOLDER,
        )
    if number > schema.SCHEMA_VERSION:
        raise StoreError(
            f"{location!r} was written by a newer mem-mcp (schema {number}, this one knows "
            f"{schema.SCHEMA_VERSION})",
            "upgrade mem-mcp",
        )


def _check_embedder(
    location: str, space: Space | None, embedder: str, succeeds: Collection[str]
) -> None:
    if space is not None and space.embedder not in (embedder, *succeeds):
        raise StoreError(
            f"{location!r} holds vectors of {space.embedder!r}, this mem-mcp makes those of "
            f"{embedder!r}",
            "set MEM_MCP_EMBEDDING__MODEL to the model of the store (that in the package is called "
            "bundled), or make the vectors anew with: mem-mcp reembed",
        )
