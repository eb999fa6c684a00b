"""What recalls answered: written off their path, so that feedback can name the question."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mem_mcp.errors import StoreError
from mem_mcp.store import Log, Vector
from mem_mcp.times import utc_now

# Long enough to write many at once, short enough that others can read them within a second.
_GATHER_SECONDS = 0.3
_COLUMNS = (
    "recall_id", "tool", "user_id", "agent_id", "query", "memory_ids", "arguments", "vector",
    "created_at",
)  # fmt: skip
logger = logging.getLogger(__name__)


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


class Traces:
    """The traces of a store.

    Args:
        log: the table behind them.
        keep: how long; None where they are switched off.
    """

    def __init__(self, log: Log, keep: timedelta | None) -> None:
        self.log = log
        self.keep = keep
        self._waiting: dict[str, Trace] = {}
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def add(self, trace: Trace) -> None:
        """Have a trace written soon; nothing waits for it."""
        if self.keep is None:
            return
        self._waiting[trace.recall_id] = trace
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())

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
        found = {one: self._waiting[one] for one in recall_ids if one in self._waiting}
        if missing := [one for one in recall_ids if one not in found]:
            rows = await self.log.read(_COLUMNS, any_of={"recall_id": missing})
            found |= {row["recall_id"]: _trace(row) for row in rows.to_pylist()}
        oldest = utc_now() - self.keep if self.keep else None
        return {
            recall_id: trace
            for recall_id, trace in found.items()
            if trace.user_id == user_id and (oldest is None or trace.created_at >= oldest)
        }

    async def close(self) -> None:
        """Write what waits."""
        self._hurry.set()
        if self._task is not None:
            await self._task

    async def _write(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _GATHER_SECONDS)
            batch = list(self._waiting.values())
            try:
                await self.log.append([_row(trace) for trace in batch], durable=False)
            except StoreError as error:  # the answers were given; only feedback on them suffers
                logger.warning("recall traces were not written: %s", error)
            for trace in batch:
                self._waiting.pop(trace.recall_id, None)


def _row(trace: Trace) -> dict[str, Any]:
    return {
        "recall_id": trace.recall_id,
        "tool": trace.tool,
        "user_id": trace.user_id,
        "agent_id": trace.agent_id,
        "query": trace.query,
        "vector": trace.vector,
        "memory_ids": trace.memory_ids,
        "arguments": json.dumps(trace.arguments, ensure_ascii=False, default=str),
        "created_at": trace.created_at,
    }


def _trace(row: dict[str, Any]) -> Trace:
    return Trace(**{**row, "arguments": json.loads(row["arguments"])})
