"""The log of recalls: a feedback, an outcome or `why` names the recall that it is about."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from mem_mcp.logs.buffered import WriteBehind
from mem_mcp.store import LogTable, Vector, log_schema
from mem_mcp.times import utc_now

_TEXTS = ("recall_id", "tool", "user_id", "agent_id", "query", "arguments")
SCHEMA = log_schema(
    *((name, pa.string()) for name in _TEXTS),
    ("memory_ids", pa.list_(pa.string())),
    ("relevance", pa.string()),
)
"""The columns of the log."""
_COLUMNS = (*_TEXTS, "memory_ids", "relevance", "vector", "created_at")


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
    """The other arguments of the call, as JSON values."""
    created_at: datetime
    relevance: Mapping[str, float] = field(default_factory=dict)
    """What a reranking model said of each memory that it read, by memory_id."""


# One user's answers of a month: a model copies it, and pays for each character.
_ID_BYTES = 8


def new_recall_id() -> str:
    """Return a random recall_id."""
    return f"r{secrets.token_hex(_ID_BYTES)}"


class Traces(WriteBehind[Trace]):
    """The log of a store's traces.

    Args:
        log: the table to write to.
        keep: how long traces are kept; None if they are switched off.
    """

    def __init__(self, log: LogTable, keep: timedelta | None) -> None:
        super().__init__(log)
        self.keep = keep

    def add(self, entry: Trace) -> None:
        """Write a trace soon, unless traces are switched off; return at once."""
        if self.keep is not None:
            super().add(entry)

    async def find(self, recall_id: str, user_id: str) -> Trace | None:
        """Return a user's trace; None if it is unknown or too old.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        return (await self.find_all([recall_id], user_id)).get(recall_id)

    async def find_all(self, recall_ids: Sequence[str], user_id: str) -> dict[str, Trace]:
        """Return a user's traces by recall_id, those that are unknown or too old left out.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        wanted = set(recall_ids)
        traces = {trace.recall_id: trace for trace in self._waiting if trace.recall_id in wanted}
        if missing := [recall_id for recall_id in recall_ids if recall_id not in traces]:
            rows = await self.log.read(_COLUMNS, any_of={"recall_id": missing})
            traces |= {row["recall_id"]: _trace(row) for row in rows.to_pylist()}
        oldest = utc_now() - self.keep if self.keep else None
        return {
            recall_id: trace
            for recall_id, trace in traces.items()
            if trace.user_id == user_id and (oldest is None or trace.created_at >= oldest)
        }

    async def every(self, user_id: str = "", since: datetime | None = None) -> list[Trace]:
        """Return the traces of a user, or of everybody, oldest first.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        whose: dict[str, Sequence[str]] = {"user_id": [user_id]} if user_id else {}
        rows = await self.log.read(_COLUMNS, any_of=whose, since=since)
        traces = {row["recall_id"]: _trace(row) for row in rows.to_pylist()}
        for trace in self._waiting:
            if user_id in ("", trace.user_id) and (since is None or trace.created_at >= since):
                traces[trace.recall_id] = trace
        return sorted(traces.values(), key=lambda trace: trace.created_at)

    async def known(self, recall_ids: Sequence[str]) -> set[str]:
        """Return which of some recall_ids there are traces of.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        if not recall_ids:
            return set()
        rows = await self.log.read(["recall_id"], any_of={"recall_id": recall_ids})
        return {*rows["recall_id"].to_pylist()}

    async def store(self, entries: Sequence[Trace]) -> None:
        """Store traces of another store, durably and in one commit.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        await self.log.append([self.row(entry) for entry in entries], durable=True)

    def row(self, entry: Trace) -> dict[str, Any]:
        """Return a trace's values by the log's columns."""
        values = {name: getattr(entry, name) for name in _COLUMNS}
        values["arguments"] = json.dumps(entry.arguments, ensure_ascii=False, default=str)
        values["relevance"] = json.dumps(entry.relevance) if entry.relevance else None
        return values


def _trace(row: dict[str, Any]) -> Trace:
    texts = {"arguments": row["arguments"], "relevance": row["relevance"] or "{}"}
    return Trace(**{**row, **{name: json.loads(text) for name, text in texts.items()}})
