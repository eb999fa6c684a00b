"""Success rates of the tools used on a kind of task: counts and intervals, not forecasts."""

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
_OUTCOMES = ("success", "failure", "partial")
# Without a task type, the tasks most similar to this one are its kind: of the best so many rows of
# each list those that score at least this share of the best score.
_ROWS_MAX = 100
_SCORE_SHARE_MIN = 0.5
_Z = 1.6448536269514722
"""Quantile of the normal distribution for an interval of 90 %."""


async def tool_stats(
    runtime: Runtime, visible: RowFilter, results: Mapping[str, SearchResult], *, known: bool
) -> list[ToolStats]:
    """Count the outcomes of the tools used on a kind of task, most used tools first.

    Args:
        runtime: what to work with.
        visible: the outcomes and lessons that the caller may see.
        results: the search results for the task, by list.
        known: whether the caller named the task type: then all that is visible counts, and only the
            similar tasks among `results` otherwise.
    """
    if not known:
        distinct = {id(result): result for result in results.values()}
        return _by_tool(pa.concat_tables([_similar(result) for result in distinct.values()]))
    cached = await runtime.scopes.whole(runtime.store, visible, runtime.settings.recall.whole)
    if cached is not None:
        return _by_tool(cached.rows.select(list(_COLUMNS)))
    with_tool = {"kind": "outcome", "tool_name": {"exists": True}}
    return _by_tool(await runtime.store.scan(every(visible.conditions, with_tool), _COLUMNS))


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """Return the 90 % interval of a success rate.

    The score interval of Wilson (1927), "Probable inference, the law of succession, and statistical
    inference"; both ends are in 0..1.

    Args:
        successes: 0 to `trials`; a partial success counts half.
        trials: at least 1.
    """
    rate, spread = successes / trials, _Z**2 / trials
    centre = (rate + spread / 2) / (1 + spread)
    reach = _Z * math.sqrt(rate * (1 - rate) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def _similar(result: SearchResult) -> pa.Table:
    order = result.ranking.order[:_ROWS_MAX]
    scores = result.ranking.score[order]
    near = order[(scores > 0) & (scores >= _SCORE_SHARE_MIN * scores[:1])]
    return result.table.rows.select(list(_COLUMNS)).take(pa.array(near, pa.int64()))


def _by_tool(rows: pa.Table) -> list[ToolStats]:
    # Not lessons: one may name a tool and an outcome without being one more use of the tool.
    with_tool = pc.and_(pc.equal(rows["kind"], "outcome"), pc.is_valid(rows["tool_name"]))
    counted = pc.and_(with_tool, pc.is_in(rows["outcome_type"], pa.array(_OUTCOMES)))
    groups = (
        rows.filter(counted)
        .group_by(["tool_name", "outcome_type"])
        .aggregate([("memory_id", "count"), ("occurred_at", "max")])
        .to_pylist()
    )
    tools: dict[str, dict[str, tuple[int, datetime]]] = {}
    for row in groups:
        counts = tools.setdefault(row["tool_name"], {})
        counts[row["outcome_type"]] = (row["memory_id_count"], row["occurred_at_max"])
    stats = [_stats(name, counts) for name, counts in tools.items()]
    return sorted(stats, key=lambda one: (-one.success - one.failure - one.partial, one.tool_name))


def _stats(name: str, counts: Mapping[str, tuple[int, datetime]]) -> ToolStats:
    success, failure, partial = (counts[word][0] if word in counts else 0 for word in _OUTCOMES)
    low, high = wilson(success + partial / 2, success + failure + partial)
    return ToolStats(
        tool_name=name,
        success=success,
        failure=failure,
        partial=partial,
        rate_low=round(low, 4),
        rate_high=round(high, 4),
        last_used_at=max(at for _, at in counts.values()),
    )
