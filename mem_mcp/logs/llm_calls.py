"""The log of the model calls of all processes, and their sums."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.api.stats import ModelsUse, ModelUse
from mem_mcp.llm import Call
from mem_mcp.logs.buffered import WriteBehind

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
    ]
)
"""The columns of the log: neither prompts nor answers."""
_SUMMED = ("input_tokens", "output_tokens", "retries", "cost_usd")


class Calls(WriteBehind[Call]):
    """The log of a store's model calls."""

    async def since(self, moment: datetime) -> pa.Table:
        """Return the calls that ended at a time or later, with all columns.

        The last second's may be missing.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
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
