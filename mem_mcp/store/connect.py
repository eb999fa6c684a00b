"""Opening a store: made at first use, refused where it is not ours or of another embedder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import lancedb
import pyarrow as pa

from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.access import entered
from mem_mcp.store.concurrency import all_done
from mem_mcp.store.damage import damages
from mem_mcp.store.failures import ANOTHER_FOLDER, REPAIR, mapped
from mem_mcp.store.fsync import disk_sync
from mem_mcp.store.indices import ensure_text_index
from mem_mcp.store.repair import UNFINISHED
from mem_mcp.store.rescue import Rescue
from mem_mcp.store.schema import TABLE
from mem_mcp.store.table import Store
from mem_mcp.store.vector_columns import FIRST_COLUMN, RECORD, Space, active, unnamed_space
from mem_mcp.store.vector_migration import adopt, name_space

# LanceDB's own bounds are gigabytes, and it keeps what it read of indices long replaced. The cache
# of indices is a share of the table within these bounds; that of metadata a share of this.
_LEAST_CACHE_BYTES, _MOST_CACHE_BYTES = 32_000_000, 256_000_000
_OF_TABLE = 4
_FAILS = (RuntimeError, ValueError, OSError)
"""What LanceDB raises for files that are not what they should be."""
# Embedder in the metadata of a table of an older mem-mcp, made while none could work.
_UNKNOWN = "unknown"


@asynccontextmanager
async def open_store(
    location: Path | str,
    *,
    dimension: int | None,
    embedder: str | None,
    durable: bool,
    any_embedder: bool = False,
) -> AsyncIterator[Store]:
    """Open a store, made at first use.

    Args:
        location: a local folder, or the URI of an object store.
        dimension: length of the vectors; None while it is not known, `adopt` tells it then.
        embedder: identity of what makes the vectors; None while it cannot work.
        durable: whether a write waits until the disk has it.
        any_embedder: accept a store with vectors of another one, to read it.

    Raises:
        StoreError: not writable, not a store, made by a newer version or for another embedder.
    """
    async with AsyncExitStack() as stack:
        processes, sync, refusal, rescue = None, None, None, None
        damaged: Collection[str] = ()
        if isinstance(location, Path):
            processes, refusal = entered(location, stack)
            sync = disk_sync(location) if durable and not refusal else None
            rescue = Rescue(location, stack)
        with mapped("open", str(location)):
            database = await lancedb.connect_async(
                str(location),
                read_consistency_interval=timedelta(0),
                session=_session(location),
            )
            stack.callback(database.close)
            async with processes.alone_at("create") if processes else nullcontext():
                if isinstance(location, Path):
                    _check_repaired(location)
                    damaged = await asyncio.to_thread(damages, location)
                space = Space(FIRST_COLUMN, embedder, dimension) if embedder and dimension else None
                try:
                    home = await rescue.database(TABLE) if rescue and TABLE in damaged else None
                    table = await _table(home or database, space, None if home else refusal)
                except _FAILS:
                    home = await rescue.database(TABLE) if rescue else None
                    if home is None:
                        raise
                    table = await _table(home, space, None)
                    damaged = {*damaged, TABLE}
        found = await table.schema()
        _check_schema(str(location), found)
        if embedder and not any_embedder:
            _check_embedder(str(location), active(found), embedder)
        stack.push_async_callback(all_done)
        store = Store(database, table, active(found), str(location), processes, sync)
        await store.protect(refusal, rescue, damaged)
        if space and store.space is None and not any_embedder:
            await adopt(store, space.embedder, space.dimension)
        yield store


def _session(location: Path | str) -> lancedb.Session:
    """Return LanceDB's caches for a store; those of an object store are as large as may be."""
    size = _MOST_CACHE_BYTES
    if isinstance(location, Path):
        files = (location / f"{schema.TABLE}.lance" / "data").glob("*")
        share = sum(_bytes(file) for file in files) // _OF_TABLE
        size = min(max(share, _LEAST_CACHE_BYTES), _MOST_CACHE_BYTES)
    return lancedb.Session(size, size // _OF_TABLE)


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone meanwhile, or damaged
        return 0


async def _open_table(database: lancedb.AsyncConnection, space: Space | None) -> lancedb.AsyncTable:
    if schema.TABLE in (await database.list_tables()).tables:
        table = await database.open_table(schema.TABLE)
    else:
        table = await database.create_table(schema.TABLE, schema=schema.table_schema(space))
    found = await table.schema()
    if schema.VERSION_KEY in (found.metadata or {}):
        if unnamed := await _known(table, unnamed_space(found)):
            await name_space(table, unnamed)
        await ensure_text_index(table)
    return table


async def _known(table: lancedb.AsyncTable, space: Space | None) -> Space | None:
    """Return a space with its embedder, which its rows know where the table was made without."""
    if space is None or space.embedder != _UNKNOWN:
        return space
    rows = await table.query().where(f"{RECORD} IS NOT NULL").select([RECORD]).limit(1).to_arrow()
    return replace(space, embedder=rows[RECORD][0].as_py()) if rows.num_rows else None


async def _table(
    database: lancedb.AsyncConnection, space: Space | None, refusal: StoreError | None
) -> lancedb.AsyncTable:
    """Open the table; where it cannot be written to, as it is."""
    if refusal is None:
        return await _open_table(database, space)
    if schema.TABLE not in (await database.list_tables()).tables:
        raise StoreError(
            f"there are no memories yet, and none can be stored: {refusal.problem}",
            refusal.helps,
        )
    return await database.open_table(schema.TABLE)


def _check_repaired(location: Path) -> None:
    if (location / UNFINISHED).exists():
        raise StoreError(
            f"the repair of {str(location)!r} was interrupted", f"end it with: {REPAIR}"
        )


def _check_schema(location: str, found: pa.Schema) -> None:
    metadata = found.metadata or {}
    version = metadata.get(schema.VERSION_KEY, b"")
    if not version.isdigit():
        raise StoreError(
            f"{location!r} holds a table {schema.TABLE!r} that mem-mcp did not make",
            ANOTHER_FOLDER,
        )
    if int(version) > schema.SCHEMA_VERSION:
        raise StoreError(
            f"{location!r} was written by a newer mem-mcp (schema {int(version)}, this one knows "
            f"{schema.SCHEMA_VERSION})",
            "upgrade mem-mcp",
        )


def _check_embedder(location: str, space: Space | None, embedder: str) -> None:
    if space is not None and space.embedder != embedder:
        raise StoreError(
            f"{location!r} holds vectors of {space.embedder!r}, this mem-mcp makes those of "
            f"{embedder!r}",
            "set MEM_MCP_EMBEDDING__MODEL to the model of the store (that in the package is called "
            "bundled), or make the vectors anew with: mem-mcp reembed",
        )
