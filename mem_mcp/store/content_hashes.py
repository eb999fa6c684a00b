"""The content hashes of an older store, by which duplicates meet: they are made anew.

The column's metadata says how its hashes were made. That is written last, so that after an
interruption only the rows that are left are changed.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pyarrow as pa

from mem_mcp.store import schema
from mem_mcp.store.table import Store
from mem_mcp.text import content_hash

_COLUMNS = ("version_id", "text", "content_hash")
_AT_ONCE = 20_000
"""Rows of one commit."""


def are_stale(columns: pa.Schema) -> bool:
    """Return whether the hashes of a table were made in another way than today's."""
    metadata = columns.field(schema.HASH).metadata or {}
    return bool(metadata.get(schema.HASHED_KEY) != schema.HASHED_AS)


async def renew(store: Store) -> None:
    """Make the hashes of a store anew."""
    async with store.call("read"):
        rows = await store.table.query().select(list(_COLUMNS)).to_arrow()
    changes = await asyncio.to_thread(_changes, rows)
    for start in range(0, len(changes), _AT_ONCE):
        await _write(store, changes[start : start + _AT_ONCE])
    async with store.call("write"), store.alone("write"):
        metadata = {schema.HASHED_KEY.decode(): schema.HASHED_AS.decode()}
        await store.table.update_field_metadata({"path": schema.HASH, "metadata": metadata})


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
