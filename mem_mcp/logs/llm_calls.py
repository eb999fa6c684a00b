"""The log of the model calls of all processes, and their sums."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.api.stats import ModelsUse, ModelUse
from mem_mcp.errors import StoreError
from mem_mcp.llm import Call, Usage
from mem_mcp.logs.buffered import WriteBehind
from mem_mcp.store import LogTable
from mem_mcp.times import utc_now

SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        ("call", pa.string()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("cost_usd", pa.float64()),
        ("seconds", pa.float64()),
        ("retries", pa.int64()),
        ("failure", pa.string()),
        ("created_at", pa.timestamp("us", tz="UTC")),
        ("process", pa.string()),
    ]
)
"""The columns of the log: neither prompts nor answers."""
_SUMMED = ("input_tokens", "output_tokens", "retries", "cost_usd")


_REFRESH_SECONDS = 2.0

logger = logging.getLogger(__name__)


class Calls(WriteBehind[Call]):
    """The log of a store's model calls."""

    def __init__(self, log: LogTable) -> None:
        super().__init__(log)
        # Distinguishes its rows from those of others, also of those on the store before it.
        self._process = secrets.token_hex(8)
        self._day: date | None = None
        self._elsewhere = Usage()
        self._version = 0
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def elsewhere(self) -> Usage:
        """Return the usage of language models since midnight UTC by others on the store.

        It may be two seconds old. What cannot be read counts as what was read last.
        """
        async with self._reading:
            now = utc_now()
            is_new_day = self._day != now.date()
            if is_new_day:
                self._day, self._elsewhere, self._version = now.date(), Usage(), 0
            if is_new_day or time.monotonic() - self._read_at >= _REFRESH_SECONDS:
                try:
                    await self._read(now)
                except StoreError as error:
                    logger.warning("what others asked models today cannot be read: %s", error)
                self._read_at = time.monotonic()
        return self._elsewhere

    async def _read(self, now: datetime) -> None:
        version = await self.log.version()
        if version == self._version:
            return
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        calls = await self.log.read([*_SUMMED, "call", "process"], since=midnight)
        asked = pc.equal(calls["call"], "completion")
        # Rows of an older mem-mcp name no process.
        others = pc.fill_null(pc.not_equal(calls["process"], self._process), fill_value=True)
        self._elsewhere = Usage(**total(calls.filter(pc.and_(asked, others))).model_dump())
        self._version = version

    async def since(self, moment: datetime) -> pa.Table:
        """Return the calls that ended at a time or later, with all columns.

        Those of other processes may be missing for a second.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        await self.flush()
        return await self.log.read(SCHEMA.names, since=moment)

    def row(self, entry: Call) -> dict[str, Any]:
        """Return a call's values by the log's columns."""
        usage = {name: getattr(entry.usage, name) for name in (*_SUMMED, "seconds")}
        return {
            **usage,
            "model": entry.model,
            "call": entry.kind,
            "failure": entry.failure,
            "created_at": entry.ended_at,
            "process": self._process,
        }


def by_model(calls: pa.Table) -> list[ModelUse]:
    """Sum up calls by model and kind of call, those with most calls first."""
    keys = calls.group_by(["model", "call"]).aggregate([([], "count_all")])
    order = [("count_all", "descending"), ("model", "ascending"), ("call", "ascending")]
    return [_use(calls, key["model"], key["call"]) for key in keys.sort_by(order).to_pylist()]


def total(calls: pa.Table) -> ModelsUse:
    """Sum up all calls."""
    return ModelsUse(calls=calls.num_rows, **_sums(calls))


def _use(calls: pa.Table, model: str, call: str) -> ModelUse:
    calls = calls.filter((pc.field("model") == model) & (pc.field("call") == call))
    failures = Counter(calls["failure"].drop_null().to_pylist())
    return ModelUse(
        model=model,
        call=call,
        calls=calls.num_rows,
        failed=failures.total(),
        failures=dict(failures.most_common()),
        seconds_mean=round(pc.mean(calls["seconds"]).as_py(), 3),
        **_sums(calls),
    )


def _sums(calls: pa.Table) -> dict[str, Any]:
    """Sum up columns; the cost is None if no call has one, the others are 0 then."""
    sums = {name: pc.sum(calls[name]).as_py() for name in _SUMMED}
    return {name: sums[name] if name == "cost_usd" else sums[name] or 0 for name in _SUMMED}
