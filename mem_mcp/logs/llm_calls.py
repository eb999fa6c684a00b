"""What models were asked for, by every process: written off the path of answers, and counted."""

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
"""Of the log: no texts, neither asked nor answered."""
_SUMS = ("input_tokens", "output_tokens", "retries", "cost_usd")


class Calls(WriteBehind[Call]):
    """The calls of a store's models."""

    async def since(self, moment: datetime) -> pa.Table:
        """Return the calls that ended at a moment or later, with all columns; the newest may miss.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        return await self.log.read(SCHEMA.names, since=moment)

    def row(self, entry: Call) -> dict[str, Any]:
        """Return a call as the log's columns have it."""
        return {
            "model": entry.model,
            "call": entry.kind,
            "input_tokens": entry.usage.input_tokens,
            "output_tokens": entry.usage.output_tokens,
            "cost_usd": entry.usage.cost_usd,
            "seconds": entry.usage.seconds,
            "retries": entry.usage.retries,
            "failure": entry.failure,
            "created_at": entry.ended_at,
        }


def by_model(asked: pa.Table) -> list[ModelUse]:
    """Sum up calls by model and kind, the most asked first."""
    keys = asked.group_by(["model", "call"]).aggregate([([], "count_all")])
    order = [("count_all", "descending"), ("model", "ascending"), ("call", "ascending")]
    return [_use(asked, key["model"], key["call"]) for key in keys.sort_by(order).to_pylist()]


def in_all(asked: pa.Table) -> ModelsUse:
    """Sum up calls."""
    return ModelsUse(calls=asked.num_rows, **_sums(asked))


def _use(asked: pa.Table, model: str, call: str) -> ModelUse:
    calls = asked.filter((pc.field("model") == model) & (pc.field("call") == call))
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
    """Sum up columns; what is known of no call stays unknown, and no calls take nothing."""
    sums = {name: pc.sum(calls[name]).as_py() for name in _SUMS}
    return {name: sums[name] if name == "cost_usd" else sums[name] or 0 for name in _SUMS}
