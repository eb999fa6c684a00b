"""Make the content hashes of an older store anew, by which duplicates meet.

The column's metadata says how its hashes were made. That is written last, so that whoever opens the
store after an interruption goes on with the rows that are left.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pyarrow as pa

from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.table import Store
from mem_mcp.text import content_hash

_COLUMNS = ("version_id", "text", "content_hash")
_AT_ONCE = 20_000
"""Rows of one commit."""
logger = logging.getLogger(__name__)


@unbroken
async def renew_content_hashes(store: Store) -> None:
    """Make the hashes of a store anew, unless that is done or the store takes no writes.

    One process does it, and others that open the store meanwhile wait. Where it fails the store
    opens all the same: a text that it holds may then be stored again.
    """
    if store.rescue.refusal(schema.TABLE):
        return
    try:
        if await _are_new(store):
            return
        async with store.alone("create"):
            if not await _are_new(store):  # another process may have been first
                await _renew(store)
    except StoreError as error:
        logger.warning("content hashes were not made anew, which is tried again: %s", error)


async def _are_new(store: Store) -> bool:
    async with store.call("read"):
        columns = await store.table.schema()
    metadata = columns.field(schema.HASH).metadata or {}
    return bool(metadata.get(schema.HASHED_KEY) == schema.HASHED_AS)


async def _renew(store: Store) -> None:
    async with store.call("read"):
        rows = await store.table.query().select(list(_COLUMNS)).to_arrow()
    changes = await asyncio.to_thread(_changes, rows)
    for start in range(0, len(changes), _AT_ONCE):
        await _write(store, changes[start : start + _AT_ONCE])
    async with store.call("write"), store.alone("write"):
        metadata = {schema.HASHED_KEY.decode(): schema.HASHED_AS.decode()}
        await store.table.update_field_metadata({"path": schema.HASH, "metadata": metadata})
    await store.settle()


def _changes(rows: pa.Table) -> list[dict[str, Any]]:
    columns = (rows[name].to_pylist() for name in _COLUMNS)
    return [
        {"version_id": version_id, schema.HASH: renewed}
        for version_id, text, stored in zip(*columns, strict=True)
        if (renewed := content_hash(text or "")) != stored
    ]


async def _write(store: Store, changes: list[dict[str, Any]]) -> None:
    columns = schema.table_schema(None)
    rows = pa.Table.from_pylist(
        changes, schema=pa.schema([columns.field(name) for name in ("version_id", schema.HASH)])
    )
    async with store.call("write"):
        merge = store.table.merge_insert("version_id").when_matched_update_all()
        async with store.alone("write"):
            await merge.use_index(use_index=False).execute(rows)
