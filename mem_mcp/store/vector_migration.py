"""Move a store to another embedder: its vectors fill a new column while the active one serves."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.filters import quote
from mem_mcp.store.schema import RECORD, Space, Vector, active, free_column, space_of, spaces
from mem_mcp.store.table import Store


@unbroken
async def adopt(store: Store, embedder: str, dimension: int) -> None:
    """Work in the space of an embedder from now on. It becomes the active one if there is none.

    Where the store takes no writes nothing is done, and search is by words.
    """
    if store.rescue.refusal(schema.TABLE):
        return
    async with store.alone("create"):
        space = space_of(await _schema(store), embedder)
        if space is None:
            try:
                space = await _add_space(store, embedder, dimension)
            except StoreError:  # on an object store another process may have been first
                space = space_of(await _schema(store), embedder)
                if space is None:
                    raise
    store.work_in(space)


async def _schema(store: Store) -> pa.Schema:
    async with store.call("read"):
        return await store.table.schema()


async def _add_space(store: Store, embedder: str, dimension: int) -> Space:
    async with store.call("open"), store.alone("write"):
        columns = await store.table.schema()
        space = Space(free_column(columns.names), embedder, dimension)
        await store.table.add_columns(pa.schema([space.field]))
        if active(columns) is None:
            await _activate(store, space)
    return space


@unbroken
async def activate(store: Store) -> None:
    """Make the space of the store the one that every process opens from now on."""
    if store.space is None:
        return
    async with store.call("write"), store.alone("write"):
        await _activate(store, store.space)
    await store.settle()


async def _activate(store: Store, space: Space) -> None:
    record = {schema.ACTIVE_KEY.decode(): space.column}
    await store.table.update_field_metadata({"path": RECORD, "metadata": record})


async def is_active(store: Store) -> bool:
    """Return whether the space of the store is the active one."""
    return active(await _schema(store)) == store.space


@unbroken
async def unfilled(
    store: Store, columns: Sequence[str], *, limit: int | None = None, trusting: bool = True
) -> pa.Table:
    """Read versions without a vector in the space of the store, except deleted ones.

    A version that names the embedder counts as one with a vector, unless `trusting` is false: the
    name may be of vectors that were dropped since.
    """
    empty = pa.schema([schema.table_schema(None).field(name) for name in columns]).empty_table()
    if store.space is None:  # no vector can be made while their length is unknown
        return empty
    where = "status <> 'deleted'"
    if trusting:
        where += f" AND ({RECORD} IS NULL OR {RECORD} <> {quote(store.space.embedder)})"
    async with store.call("read"):
        # Reading vectors costs most, so they are read only if the names leave rows.
        if not await store.table.count_rows(where):
            return empty
        query = store.table.query().where(f"{where} AND {store.space.column} IS NULL")
        query = query.select(list(columns))
        return await (query if limit is None else query.limit(limit)).to_arrow()


@unbroken
async def fill(store: Store, version_ids: Sequence[str], vectors: Vector) -> None:
    """Write vectors of versions, in the space of the store, in one commit; nothing else changes.

    The vectors, (n, dimension), are in the order of the ids; ids that no longer exist are skipped.
    """
    space = store.space
    if space is None or not version_ids:
        return
    columns = schema.table_schema(space)
    rows = pa.Table.from_arrays(
        [
            pa.array(version_ids),
            pa.array([space.embedder] * len(version_ids)),
            pa.array([*vectors], space.field.type),
        ],
        schema=pa.schema([columns.field("version_id"), columns.field(RECORD), space.field]),
    )
    async with store.call("write"):
        merge = store.table.merge_insert("version_id").when_matched_update_all()
        async with store.alone("write"):
            result = await merge.use_index(use_index=False).execute(rows)
    await store.make_durable(result.version)


@unbroken
async def drop_others(store: Store) -> bool:
    """Drop every space but that of the store, if no other process may use one.

    Returns:
        Whether none is left. False while other processes are alive, and on an object store, where
        that cannot be known.
    """
    others = [space.column for space in spaces(await _schema(store)) if space != store.space]
    if not others:
        return True
    if store.processes is None:
        return False
    async with store.alone("create"):  # so that nobody opens the store
        if store.processes.others_alive():
            return False
        async with store.call("write"), store.alone("write"):
            await store.table.drop_columns(others)
    await store.settle()
    return True
