"""Move a store to another embedder: its vectors fill a new column while the active one serves."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
from lancedb.query import ColumnOrdering

from mem_mcp.errors import StoreError
from mem_mcp.store import older_tables, schema
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.filters import Filters, compile_filters, quote
from mem_mcp.store.retries import retried
from mem_mcp.store.schema import (
    RECORD,
    Space,
    Vector,
    active,
    flat,
    free_column,
    space_of,
    spaces,
)
from mem_mcp.store.table import Store

logger = logging.getLogger(__name__)

_AS_MISSED = [
    ColumnOrdering(column_name="superseded_at", ascending=False, nulls_first=True),
    ColumnOrdering(column_name="recorded_at", ascending=False),
]


@unbroken
async def adopt(store: Store, embedder: str, dimension: int) -> None:
    """Work in the space of an embedder from now on. It becomes the active one if there is none.

    Where the store takes no writes and has no such space nothing is done, and search is by words.
    """
    space = space_of(await _schema(store), embedder)
    if space is None:
        if store.rescue.refusal(schema.TABLE):
            return
        async with store.alone("create"):
            space = await _made(store, embedder, dimension)
    store.work_in(space)
    store.moving = True
    await is_active(store)


async def _made(store: Store, embedder: str, dimension: int) -> Space:
    """Return the space of an embedder, which is made unless another process was first."""
    if space := space_of(await _schema(store), embedder):
        return space
    try:
        return await _add_space(store, embedder, dimension)
    except StoreError:  # on an object store nobody waits for the other
        if space := space_of(await _schema(store), embedder):
            return space
        raise


async def _schema(store: Store) -> pa.Schema:
    async with store.call("read"):
        return await store.table.schema()


async def _add_space(store: Store, embedder: str, dimension: int) -> Space:
    async with store.call("open"), store.alone("write"):
        columns = await store.table.schema()
        space = Space(free_column(columns.names), embedder, dimension)
        await store.table.add_columns(pa.schema(space.fields))
        if active(columns) is None:
            await _activate(store, space)
    return space


def is_without_passages(columns: pa.Schema) -> bool:
    """Return whether a table has no column for the passages of its active vectors."""
    space = active(columns)
    return space is not None and space.passages_field.name not in columns.names


async def add_passages(store: Store) -> None:
    """Add the column of passages of the active space, and note that they are still to be made."""
    space = active(await _schema(store))
    if space is None:
        return
    due = {**space.passages_field.metadata, schema.PASSAGES_DUE_KEY: b"yes"}
    wanted = pa.schema([space.passages_field.with_metadata(due)])
    async with store.call("write"), store.alone("write"):
        await older_tables.add_missing_columns(store.table, wanted)


async def lacks_passages(store: Store) -> bool:
    """Return whether long texts may lack vectors of passages, since they are older than these."""
    if store.space is None or not store.space.has_passages:
        return False
    column = (await _schema(store)).field(store.space.passages_field.name)
    return bool((column.metadata or {}).get(schema.PASSAGES_DUE_KEY))


@unbroken
@retried
async def without_passages(store: Store, size: int) -> list[str]:
    """Return the version_ids of texts with a vector and no passages, the latest first.

    Args:
        store: the store.
        size: bytes that a text has more than.
    """
    space = store.space
    if space is None or not space.has_passages:
        return []
    lacking = f"{space.passages_field.name} IS NULL AND {space.column} IS NOT NULL"
    long = f"octet_length(text) > {size}"
    async with store.call("read"):
        rows = store.table.query().where(f"{long} AND {lacking}")
        found = await rows.select(["version_id", "recorded_at"]).to_arrow()
    latest = found.sort_by([("recorded_at", "descending")])
    return [str(version_id) for version_id in latest["version_id"].to_pylist()]


@unbroken
@retried
async def note_passages(store: Store) -> None:
    """Note that every long text has its passages, so that nobody looks for them again."""
    if store.space is None:
        return
    metadata = {schema.PASSAGES_DUE_KEY.decode(): ""}
    path = store.space.passages_field.name
    async with store.call("write"), store.alone("write"):
        await store.table.update_field_metadata({"path": path, "metadata": metadata})
    await store.settle()


@unbroken
@retried
async def activate(store: Store) -> None:
    """Make the space of the store the one that every process opens from now on."""
    if store.space is None:
        return
    async with store.call("write"), store.alone("write"):
        await _activate(store, store.space)
    store.moving = False
    await store.settle()


async def _activate(store: Store, space: Space) -> None:
    record = {schema.ACTIVE_KEY.decode(): space.column}
    await store.table.update_field_metadata({"path": RECORD, "metadata": record})


async def is_active(store: Store) -> bool:
    """Return whether the space of the store is the active one, as it is of most stores.

    If not, its vectors are being made anew, and what has none yet is found by words only.
    """
    if store.moving:
        store.moving = active(await _schema(store)) != store.space
    return not store.moving


async def others(store: Store, embedders: Collection[str] | None = None) -> list[Space]:
    """Return the spaces beside that of the store; those of some embedders, or None for all."""
    return [
        space
        for space in spaces(await _schema(store))
        if space != store.space and (embedders is None or space.embedder in embedders)
    ]


@unbroken
@retried
async def unfilled(
    store: Store, columns: Sequence[str], *, limit: int | None = None, trusting: bool = True
) -> pa.Table:
    """Read versions without a vector in the space of the store, except deleted ones.

    With a limit the current ones come first, and of these and of the others the latest. A version
    that names the embedder counts as one with a vector, unless `trusting` is false: the name may be
    of vectors that were dropped since.
    """
    empty = pa.schema([schema.table_schema(None).field(name) for name in columns]).empty_table()
    if store.space is None:  # no vector can be made while their length is unknown
        return empty
    where = "status <> 'deleted'"
    if trusting:
        where += f" AND {_not_of(store.space)}"
    async with store.call("read"):
        # Reading vectors costs most, so they are read only if the names leave rows.
        if not await store.table.count_rows(where):
            return empty
        query = store.table.query().where(f"{where} AND {store.space.column} IS NULL")
        if limit is None:
            return await query.select(list(columns)).to_arrow()
        ordered = query.select(list({*columns, *(each.column_name for each in _AS_MISSED)}))
        return (await ordered.order_by(_AS_MISSED).limit(limit).to_arrow()).select(list(columns))


async def count_unembedded(store: Store, filters: Filters) -> int:
    """Count the rows that meet conditions and do not name the embedder of the store's space."""
    if store.space is None:
        return await store.count(filters)
    async with store.call("read"):
        where = f"({compile_filters(filters)}) AND {_not_of(store.space)}"
        return int(await store.table.count_rows(where))


def _not_of(space: Space) -> str:
    return f"({RECORD} IS NULL OR {RECORD} <> {quote(space.embedder)})"


@unbroken
@retried
async def fill(
    store: Store,
    version_ids: Sequence[str],
    vectors: Vector | None,
    passages: Sequence[Vector | None] | None = None,
) -> None:
    """Write vectors of versions, in the space of the store, in one commit; nothing else changes.

    Args:
        store: the store.
        version_ids: of the versions; those that no longer exist are skipped.
        vectors: (n, dimension) in the order of the ids; None where they are to stay.
        passages: (n) the vectors of the passages of each; None for short texts only.
    """
    space = store.space
    if space is None or not version_ids:
        return
    columns = schema.table_schema(space)
    values: dict[str, Sequence[Any]] = {
        "version_id": version_ids,
        RECORD: [space.embedder] * len(version_ids),
    }
    if vectors is not None:
        values[space.column] = [*vectors]
    if space.has_passages:
        values[space.passages_field.name] = flat(passages or [None] * len(version_ids))
    fields = pa.schema([columns.field(name) for name in values])
    arrays = [pa.array(values[each.name], each.type) for each in fields]
    rows = pa.Table.from_arrays(arrays, schema=fields)
    async with store.call("write"):
        merge = store.table.merge_insert("version_id").when_matched_update_all()
        async with store.alone("write"):
            result = await merge.use_index(use_index=False).execute(rows)
    await store.make_durable(result.version)


@unbroken
async def drop_others(store: Store, embedders: Collection[str] | None = None) -> bool:
    """Drop spaces other than that of the store, if no other process may use one.

    Args:
        store: the store.
        embedders: whose spaces; None for all.

    Returns:
        Whether none is left. False while other processes are alive, and on an object store, where
        that cannot be known.
    """
    columns = [field.name for space in await others(store, embedders) for field in space.fields]
    if not columns:
        return True
    if store.processes is None:
        return False
    async with store.alone("create"):  # so that nobody opens the store
        if store.processes.others_alive():
            return False
        async with store.call("write"), store.alone("write"):
            await store.table.drop_columns(columns)
    await store.settle()
    return True
