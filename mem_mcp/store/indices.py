"""Indices of tables, but for those over vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lancedb
from lancedb.index import FTS, Bitmap, BTree, LabelList

_TEXT = {
    "text": FTS(
        base_tokenizer="icu/split",
        language="English",
        stem=True,
        remove_stop_words=True,
        ascii_folding=True,
        lower_case=True,
        with_position=True,
    )
}
_BTREE = (
    "version_id",
    "memory_id",
    "user_id",
    "run_id",
    "content_hash",
    "request_key",
    "occurred_at",
    "recorded_at",
    "task_type",
    "tool_name",
)
# Not superseded_at and expires_at: nearly every row is current, and an index that keeps nearly
# every row costs each read time in proportion to the whole table.
_BITMAP = ("kind", "status", "agent_id", "outcome_type", "severity")
_LABEL_LIST = ("tags", "entities", "used")
INDICES: Mapping[str, Any] = {
    **_TEXT,
    **dict.fromkeys(_BTREE, BTree()),
    **dict.fromkeys(_BITMAP, Bitmap()),
    **dict.fromkeys(_LABEL_LIST, LabelList()),
}
"""Of the table of memories: column to index."""


async def ensure_text_index(table: lancedb.AsyncTable) -> None:
    """Make the index that a search for words needs, unless it is there."""
    await ensure(table, _TEXT)


async def ensure_indices(table: lancedb.AsyncTable) -> None:
    """Make those that are missing: a table begins without, as none covers rows before a pass."""
    await ensure(table, INDICES)


async def ensure(table: lancedb.AsyncTable, wanted: Mapping[str, Any]) -> None:
    """Make those indices of a table that are missing.

    Args:
        table: any.
        wanted: column to index.
    """
    present = {column for index in await table.list_indices() for column in index.columns}
    for column, config in wanted.items():
        if column not in present:
            await table.create_index(column, config=config)
