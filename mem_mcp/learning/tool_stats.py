"""How tools have done on a kind of task: counts and ranges, never a forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.api.models import ToolStats
from mem_mcp.retrieval.row_filters import RowFilter, every
from mem_mcp.retrieval.search import SearchResult
from mem_mcp.runtime import Runtime

_COLUMNS = ("memory_id", "kind", "tool_name", "outcome_type", "occurred_at")
_TRIED = ("success", "failure", "partial")
# Without a task type the tasks most like this one are its kind: so many of each list, and of those
# that score at least half as well as the best.
_MOST_ALIKE = 50
_LEAST_SHARE = 0.5
_Z = 1.6448536269514722
"""Quantile of the normal distribution for an interval of 90 %."""


async def tool_stats(
    runtime: Runtime, everything: RowFilter, founds: Mapping[str, SearchResult], *, known: bool
) -> list[ToolStats]:
    """Count how the tools used on a kind of task have done, most used first.

    Args:
        runtime: what to work with.
        everything: which outcomes and lessons the question may see.
        founds: what was ranked for the task, by list.
        known: whether the question names the kind of task, so that all of it counts.
    """
    if known:
        whole = runtime.settings.recall.whole
        small = await runtime.scopes.whole(runtime.store, everything, whole)
        if small is not None:
            rows = small.rows.select(list(_COLUMNS))
        else:
            used = {"kind": "outcome", "tool_name": {"exists": True}}
            rows = await runtime.store.scan(every(everything.conditions, used), _COLUMNS)
    else:
        distinct = {id(found): found for found in founds.values()}
        rows = pa.concat_tables([_alike(found) for found in distinct.values()])
    return _counted(rows)


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """Return the 90 % interval of a success rate.

    The score interval of Wilson (1927), "Probable inference, the law of succession, and statistical
    inference".

    Args:
        successes: 0 to `trials`; a partial success counts half.
        trials: at least 1.
    """
    rate, spread = successes / trials, _Z**2 / trials
    centre = (rate + spread / 2) / (1 + spread)
    reach = _Z * math.sqrt(rate * (1 - rate) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _alike(found: SearchResult) -> pa.Table:
    order = found.ranking.order[: 2 * _MOST_ALIKE]
    scores = found.ranking.score[order]
    near = order[(scores > 0) & (scores >= _LEAST_SHARE * scores[:1])]
    return found.candidacy.rows.select(list(_COLUMNS)).take(pa.array(near, pa.int64()))


def _counted(rows: pa.Table) -> list[ToolStats]:
    # A lesson may name a tool and an outcome as well; it is not one more use of the tool.
    used = pc.and_(pc.equal(rows["kind"], "outcome"), pc.is_valid(rows["tool_name"]))
    tried = pc.and_(used, pc.is_in(rows["outcome_type"], pa.array(_TRIED)))
    grouped = (
        rows.filter(tried)
        .group_by(["tool_name", "outcome_type"])
        .aggregate([("memory_id", "count"), ("occurred_at", "max")])
        .to_pylist()
    )
    tools: dict[str, dict[str, tuple[int, datetime]]] = {}
    for row in grouped:
        counts = tools.setdefault(row["tool_name"], {})
        counts[row["outcome_type"]] = (row["memory_id_count"], row["occurred_at_max"])
    stats = [_stats(name, counts) for name, counts in tools.items()]
    return sorted(stats, key=lambda one: (-one.success - one.failure - one.partial, one.tool_name))


def _stats(name: str, counts: Mapping[str, tuple[int, datetime]]) -> ToolStats:
    success, failure, partial = (counts[word][0] if word in counts else 0 for word in _TRIED)
    low, high = wilson(success + partial / 2, success + failure + partial)
    return ToolStats(
        tool_name=name,
        success=success,
        failure=failure,
        partial=partial,
        rate_low=round(low, 4),
        rate_high=round(high, 4),
        last_used_at=max(when for _, when in counts.values()),
    )
