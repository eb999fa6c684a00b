"""What recalls answered: written off their path, so that feedback can name the question."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from mem_mcp.logs.buffered import WriteBehind
from mem_mcp.store import Log, Vector, columns
from mem_mcp.times import utc_now

_TEXTS = ("recall_id", "tool", "user_id", "agent_id", "query", "arguments")
SCHEMA = columns(*((name, pa.string()) for name in _TEXTS), ("memory_ids", pa.list_(pa.string())))
"""Of the log."""
_COLUMNS = (*_TEXTS, "memory_ids", "vector", "created_at")


@dataclass(frozen=True, slots=True)
class Trace:
    """One answer of `recall` or `recall_lessons`."""

    recall_id: str
    tool: str
    user_id: str
    agent_id: str | None
    query: str
    vector: Vector | None
    memory_ids: list[str]
    arguments: Mapping[str, Any]
    """What else was asked for, as JSON values."""
    created_at: datetime


def new_recall_id() -> str:
    """Return an id for an answer."""
    return f"r{secrets.token_hex(12)}"


class Traces(WriteBehind[Trace]):
    """The traces of a store.

    Args:
        log: the table behind them.
        keep: how long; None where they are switched off.
    """

    def __init__(self, log: Log, keep: timedelta | None) -> None:
        super().__init__(log)
        self.keep = keep

    def add(self, entry: Trace) -> None:
        """Have a trace written soon, unless they are switched off; nothing waits for it."""
        if self.keep is not None:
            super().add(entry)

    async def find(self, recall_id: str, user_id: str) -> Trace | None:
        """Return a user's trace, unless it is unknown or too old.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        return (await self.find_all([recall_id], user_id)).get(recall_id)

    async def find_all(self, recall_ids: Sequence[str], user_id: str) -> dict[str, Trace]:
        """Return those of a user's traces that are known and not too old.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        named = set(recall_ids)
        found = {one.recall_id: one for one in self._waiting if one.recall_id in named}
        if missing := [one for one in recall_ids if one not in found]:
            rows = await self.log.read(_COLUMNS, any_of={"recall_id": missing})
            found |= {row["recall_id"]: _trace(row) for row in rows.to_pylist()}
        oldest = utc_now() - self.keep if self.keep else None
        return {
            recall_id: trace
            for recall_id, trace in found.items()
            if trace.user_id == user_id and (oldest is None or trace.created_at >= oldest)
        }

    def row(self, entry: Trace) -> dict[str, Any]:
        """Return a trace as the log's columns have it."""
        return {
            "recall_id": entry.recall_id,
            "tool": entry.tool,
            "user_id": entry.user_id,
            "agent_id": entry.agent_id,
            "query": entry.query,
            "vector": entry.vector,
            "memory_ids": entry.memory_ids,
            "arguments": json.dumps(entry.arguments, ensure_ascii=False, default=str),
            "created_at": entry.created_at,
        }


def _trace(row: dict[str, Any]) -> Trace:
    return Trace(**{**row, "arguments": json.loads(row["arguments"])})
