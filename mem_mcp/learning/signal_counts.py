"""The signals on all memories of a store, counted: ratings, and outcomes of tasks that used them.

A signal is a rating (POSITIVE …) or an outcome (success, failure), as `WEIGHTS` lists them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.api.models import RECALLABLE, Tally
from mem_mcp.retrieval.feedback_signals import FIELDS, WEIGHTS
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime

_KEY = ["memory_id", "user_id", "agent_id", "question"]
_OUTCOME_COLUMNS = ("outcome_type", "task_type", "tool_name", "occurred_at", "used")
_WITH_NULLS = pc.ScalarAggregateOptions(skip_nulls=False)


async def ratings(runtime: Runtime) -> pa.Table:
    """Read all ratings that are in force: memory_id, signal, at."""
    rows = await runtime.ratings.log.read([*_KEY, "rating", "created_at"])
    # Only in a single thread the last row of a group is the latest.
    latest = rows.sort_by("created_at").group_by(_KEY, use_threads=False)
    rows = latest.aggregate([("rating", "last", _WITH_NULLS), ("created_at", "last", _WITH_NULLS)])
    columns = [rows[name] for name in ("memory_id", "rating_last", "created_at_last")]
    return _signals(pa.table(columns, ["memory_id", "signal", "at"]))  # "" takes a rating back


async def outcomes(runtime: Runtime) -> pa.Table:
    """Read the outcomes in force: outcome_type, task_type, tool_name, occurred_at, used."""
    conditions = {"kind": "outcome", "status": {"in": [*RECALLABLE]}}
    return await runtime.store.scan(every(current(), conditions), _OUTCOME_COLUMNS)


def all_signals(rating_rows: pa.Table, outcome_rows: pa.Table) -> pa.Table:
    """Join what `ratings` and `outcomes` return: memory_id, signal, at."""
    credited = exploded(outcome_rows, "used", ["outcome_type", "occurred_at"])
    credited = credited.rename_columns(["memory_id", "signal", "at"])
    return pa.concat_tables([rating_rows, _signals(credited)])


def tallies(signals: pa.Table) -> dict[str, Tally]:
    """Count signals by memory_id."""
    groups = signals.group_by(["memory_id", "signal"]).aggregate([([], "count_all")])
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in groups.to_pylist():
        counts[row["memory_id"]][FIELDS[row["signal"]]] = row["count_all"]
    return {memory_id: Tally(**fields) for memory_id, fields in counts.items()}


def help_and_harm(tally: Tally) -> tuple[float, float]:
    """Return the total weight of the signals for a memory and of those against it, both >= 0."""
    weights = [WEIGHTS[word] * getattr(tally, field) for word, field in FIELDS.items()]
    return (
        sum(weight for weight in weights if weight > 0),
        -sum(weight for weight in weights if weight < 0),
    )


def trace_window(runtime: Runtime) -> timedelta:
    """Return how long traces are kept, also those from before they were switched off."""
    return timedelta(days=runtime.settings.recall.trace_days)


async def recalled(runtime: Runtime, since: datetime) -> tuple[int, pa.Table]:
    """Count the traces since a time, and read memory_id, at of the memories in them."""
    rows = await runtime.traces.log.read(["memory_ids", "created_at"], since=since)
    memories = exploded(rows, "memory_ids", ["created_at"])
    return rows.num_rows, memories.rename_columns(["memory_id", "at"])


def exploded(rows: pa.Table, lists: str, others: Iterable[str]) -> pa.Table:
    """Return one row for each element of a column of lists, with the other columns repeated."""
    column = rows[lists].combine_chunks()
    parents = pc.list_parent_indices(column)
    repeated = {name: rows[name].take(parents) for name in others}
    return pa.table({lists: pc.list_flatten(column), **repeated})


def _signals(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.is_in(rows["signal"], pa.array([*WEIGHTS])))
