"""Another embedder's vectors: a column of their own, filled while the active one serves."""

from __future__ import annotations

from collections.abc import Sequence

import lancedb
import pyarrow as pa

from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.filters import quote
from mem_mcp.store.schema import Vector
from mem_mcp.store.table import Store
from mem_mcp.store.vector_columns import (
    ACTIVE_KEY,
    EMBEDDER_KEY,
    RECORD,
    Space,
    active,
    free_column,
    named,
    spaces,
)


@unbroken
async def adopt(store: Store, embedder: str, dimension: int) -> None:
    """Work in the space of an embedder, which becomes the active one where there is none.

    Args:
        store: to work with from now on.
        embedder: identity.
        dimension: length of its vectors, where it has no space yet.

    Nothing is done where the store takes no writes: search is by words, then.
    """
    if store.refusal():
        return
    async with store.alone("create"):
        space = await _space_of(store, embedder)
        if space is None:
            try:
                space = await _made(store, embedder, dimension)
            except StoreError:  # on an object store another process may have been faster
                space = await _space_of(store, embedder)
                if space is None:
                    raise
    store.work_in(space)


async def _space_of(store: Store, embedder: str) -> Space | None:
    async with store.calling("read"):
        return named(spaces(await store.table.schema()), embedder)


async def _made(store: Store, embedder: str, dimension: int) -> Space:
    async with store.calling("open"), store.alone("write"):
        found = await store.table.schema()
        space = Space(free_column(found.names), embedder, dimension)
        await store.table.add_columns(pa.schema([space.field]))
        if active(found) is None:
            await _activate(store, space)
    return space


@unbroken
async def activate(store: Store) -> None:
    """Make the space that the store works in the one that every process opens from now on."""
    if store.space is None:
        return
    async with store.calling("write"), store.alone("write"):
        await _activate(store, store.space)
    await store.settle()


async def _activate(store: Store, space: Space) -> None:
    record = {ACTIVE_KEY.decode(): space.column}
    await store.table.update_field_metadata({"path": RECORD, "metadata": record})


async def is_active(store: Store) -> bool:
    """Whether the space that the store works in is the active one."""
    async with store.calling("read"):
        return active(await store.table.schema()) == store.space


async def name_space(table: lancedb.AsyncTable, space: Space) -> None:
    """Note whose vectors a column holds."""
    metadata = {EMBEDDER_KEY.decode(): space.embedder}
    await table.update_field_metadata({"path": space.column, "metadata": metadata})


@unbroken
async def unfilled(
    store: Store, columns: Sequence[str], *, limit: int | None = None, trusting: bool = True
) -> pa.Table:
    """Read versions without a vector in the space that the store works in.

    Forgotten ones have none, and are not among them.

    Args:
        store: with a space.
        columns: of the rows.
        limit: at most so many; None for all.
        trusting: believe a version that names the embedder. Else its vector is looked for: the name
            may be of vectors that were dropped since.
    """
    if store.space is None:  # as long as nobody knows how long vectors are, none can be made
        return _nothing(columns)
    # The vectors are looked at only where the names say that some may be missing: reading them
    # costs more than all the rest.
    embedder = quote(store.space.embedder)
    others = "status <> 'deleted'"
    if trusting:
        others += f" AND ({RECORD} IS NULL OR {RECORD} <> {embedder})"
    async with store.calling("read"):
        if not await store.table.count_rows(others):
            return _nothing(columns)
        query = store.table.query().where(f"{others} AND {store.space.column} IS NULL")
        query = query.select(list(columns))
        return await (query if limit is None else query.limit(limit)).to_arrow()


def _nothing(columns: Sequence[str]) -> pa.Table:
    whole = schema.table_schema(None)
    return pa.schema([whole.field(name) for name in columns]).empty_table()


@unbroken
async def fill(store: Store, version_ids: Sequence[str], vectors: Vector) -> None:
    """Give versions their vectors in the space that the store works in, in one commit.

    Nothing else of them changes, whatever others do to them meanwhile.

    Args:
        store: with a space.
        version_ids: which; those that are gone are left out.
        vectors: (n, dimension), in their order.
    """
    space = store.space
    if space is None or not version_ids:
        return
    whole = schema.table_schema(space)
    rows = pa.Table.from_arrays(
        [
            pa.array(version_ids),
            pa.array([space.embedder] * len(version_ids)),
            schema.vectors_of(vectors, space.field.type),
        ],
        schema=pa.schema([whole.field("version_id"), whole.field(RECORD), space.field]),
    )
    async with store.calling("write"):
        merge = store.table.merge_insert("version_id").when_matched_update_all()
        async with store.alone("write"):
            result = await merge.use_index(use_index=False).execute(rows)
    await store.make_durable(result.version)


@unbroken
async def drop_others(store: Store) -> bool:
    """Remove every space but the one that the store works in, where nobody else may use one.

    Returns:
        Whether none is left. False while other processes are alive, and on an object store, where
        nobody can tell.
    """
    async with store.calling("read"):
        found = await store.table.schema()
    others = [space.column for space in spaces(found) if space != store.space]
    if not others:
        return True
    if store.processes is None:
        return False
    async with store.alone("create"):  # nobody opens the store meanwhile
        if store.processes.others_alive():
            return False
        async with store.calling("write"), store.alone("write"):
            await store.table.drop_columns(others)
    await store.settle()
    return True
