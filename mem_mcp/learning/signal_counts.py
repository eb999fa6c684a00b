"""The marks of all memories of a store, to be counted: what ratings and outcomes say of them."""

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
_OUTCOME = ("outcome_type", "task_type", "tool_name", "occurred_at", "used")
_LATEST = pc.ScalarAggregateOptions(skip_nulls=False)
_LONGEST = 100


async def ratings(runtime: Runtime) -> pa.Table:
    """Return what counts of all ratings: memory_id, mark, at."""
    rows = await runtime.ratings.log.read([*_KEY, "rating", "created_at"])
    # In one thread: only then is the last row of a group the latest.
    latest = rows.sort_by("created_at").group_by(_KEY, use_threads=False)
    rows = latest.aggregate([("rating", "last", _LATEST), ("created_at", "last", _LATEST)])
    marks = pa.table(
        {
            "memory_id": rows["memory_id"],
            "mark": rows["rating_last"],
            "at": rows["created_at_last"],
        }
    )
    return marks.filter(pc.is_in(marks["mark"], pa.array([*WEIGHTS])))  # others were taken back


async def outcomes(runtime: Runtime) -> pa.Table:
    """Return the outcomes that count: outcome_type, task_type, tool_name, occurred_at, used."""
    conditions = {"kind": "outcome", "status": {"in": [*RECALLABLE]}}
    return await runtime.store.scan(every(current(), conditions), _OUTCOME)


def marks(rated: pa.Table, ended: pa.Table) -> pa.Table:
    """Return the marks of `ratings` and of `outcomes` together: memory_id, mark, at."""
    credited = exploded(ended, "used", ["outcome_type", "occurred_at"])
    credited = credited.rename_columns(["memory_id", "mark", "at"])
    credited = credited.filter(pc.is_in(credited["mark"], pa.array([*WEIGHTS])))
    return pa.concat_tables([rated, credited])


def tallies(marked: pa.Table) -> dict[str, Tally]:
    """Count marks by memory."""
    groups = marked.group_by(["memory_id", "mark"]).aggregate([([], "count_all")])
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in groups.to_pylist():
        counts[row["memory_id"]][FIELDS[row["mark"]]] = row["count_all"]
    return {memory_id: Tally(**fields) for memory_id, fields in counts.items()}


def help_and_harm(tally: Tally) -> tuple[float, float]:
    """Weigh the marks for a memory and those against it."""
    weights = {word: WEIGHTS[word] * getattr(tally, field) for word, field in FIELDS.items()}
    return (
        sum(weight for weight in weights.values() if weight > 0),
        -sum(weight for weight in weights.values() if weight < 0),
    )


def trace_window(runtime: Runtime) -> timedelta:
    """Return how long traces are kept, also those from before they were switched off."""
    return timedelta(days=runtime.settings.recall.trace_days)


async def recalled(runtime: Runtime, since: datetime) -> tuple[int, pa.Table]:
    """Return how many answers are still traced, and the memories in them: memory_id, at."""
    rows = await runtime.traces.log.read(["memory_ids", "created_at"], since=since)
    answers = exploded(rows, "memory_ids", ["created_at"])
    return rows.num_rows, answers.rename_columns(["memory_id", "at"])


def exploded(rows: pa.Table, lists: str, beside: Iterable[str]) -> pa.Table:
    """Return a row for each element of a column of lists, with what stands beside it."""
    column = rows[lists].combine_chunks()
    parents = pc.list_parent_indices(column)
    others = {name: rows[name].take(parents) for name in beside}
    return pa.table({lists: pc.list_flatten(column), **others})


def shortened(text: str) -> str:
    """Return enough of a text to know it by, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
