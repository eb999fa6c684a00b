"""Usage statistics: recalls, ratings and outcomes of a store, by week, task type and tool."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.api.models import RECALLABLE, Tally
from mem_mcp.api.stats import (
    FeedbackStats,
    FeedbackWeek,
    Learning,
    Marked,
    OutcomeStats,
    OutcomeWeek,
)
from mem_mcp.display import one_line
from mem_mcp.learning.signal_counts import (
    all_signals,
    help_and_harm,
    outcomes,
    ratings,
    recalled,
    tallies,
    trace_window,
)
from mem_mcp.retrieval.feedback_signals import FIELDS
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.times import utc_now

COLUMNS = ("memory_id", "status", "recorded_at", "expires_at")
"""What `learning_stats` needs of a memory."""
MOST_NAMES = 20
"""Task types, and tools, that have statistics of their own."""
MOST_MEMORIES = 10
"""Memories in each list."""
WEEKS = timedelta(weeks=52)
"""How far back the weekly counts go."""
_DIGITS = 4


async def learning_stats(runtime: Runtime, memories: pa.Table) -> Learning:
    """Count the recalls, ratings and outcomes of a store.

    Args:
        runtime: what to work with.
        memories: all current ones that were not forgotten, with COLUMNS.

    Raises:
        StoreError: LanceDB or the disk refused.
    """
    now, window = utc_now(), trace_window(runtime)
    rating_rows, outcome_rows = await ratings(runtime), await outcomes(runtime)
    recalls, recall_rows = await recalled(runtime, now - window)
    signals = all_signals(rating_rows, outcome_rows)
    signals = signals.filter(pc.is_in(signals["memory_id"], memories["memory_id"]))
    tally_of = tallies(signals)
    worth = {memory_id: _worth(tally) for memory_id, tally in tally_of.items()}
    stats = Learning(
        traces=recalls,
        feedback=_feedback(rating_rows, recall_rows, now - window, now),
        outcomes=_outcome_stats("", outcome_rows, now),
        by_task_type=_by_name(outcome_rows, "task_type", now),
        by_tool=_by_name(outcome_rows, "tool_name", now),
        most_helpful=await _best(runtime, tally_of, worth),
        most_harmful=await _best(runtime, tally_of, {id_: -each for id_, each in worth.items()}),
    )
    if runtime.traces.keep is None:
        return stats
    unused = _never_recalled(memories, recall_rows, now)
    return stats.model_copy(
        update={
            "window_days": window.days,
            "never_recalled": unused.num_rows,
            "never_recalled_ids": unused["memory_id"][:MOST_MEMORIES].to_pylist(),
        }
    )


def _feedback(
    rating_rows: pa.Table, recall_rows: pa.Table, since: datetime, now: datetime
) -> FeedbackStats:
    memories = pc.unique(recall_rows["memory_id"])
    recent = rating_rows.filter(pc.greater_equal(rating_rows["at"], since))
    rated = pc.sum(pc.is_in(memories, pc.unique(recent["memory_id"]))).as_py() or 0
    words = rating_rows["signal"]
    return FeedbackStats(
        recalled=len(memories),
        rated=rated,
        share=round(rated / len(memories), _DIGITS) if len(memories) else None,
        **{FIELDS[word]: count for word, count in _counts(words).items()},
        weeks=[
            FeedbackWeek(week=week, **{FIELDS[word]: count for word, count in counts.items()})
            for week, counts in _weekly(words, rating_rows["at"], now).items()
        ],
    )


def _by_name(outcome_rows: pa.Table, column: str, now: datetime) -> list[OutcomeStats]:
    counts = _counts(outcome_rows[column])
    names = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_NAMES]
    return [
        _outcome_stats(name, outcome_rows.filter(pc.equal(outcome_rows[column], name)), now)
        for name in names
    ]


def _outcome_stats(name: str, rows: pa.Table, now: datetime) -> OutcomeStats:
    counts = _counts(rows["outcome_type"])
    successes = counts.get("success", 0) + counts.get("partial", 0) / 2
    trials = rows.num_rows - counts.get("unknown", 0)
    rows = rows.filter(pc.not_equal(rows["outcome_type"], "unknown"))
    return OutcomeStats(
        name=name,
        **counts,
        rate=round(successes / trials, _DIGITS) if trials else None,
        weeks=[
            OutcomeWeek(week=week, **words)
            for week, words in _weekly(rows["outcome_type"], rows["occurred_at"], now).items()
        ],
    )


def _counts(words: pa.ChunkedArray) -> dict[str, int]:
    """Return how often each word occurs, nulls left out."""
    counted = pc.value_counts(words.drop_null()).to_pylist()
    return {pair["values"]: pair["counts"] for pair in counted}


def _weekly(
    words: pa.ChunkedArray, at: pa.ChunkedArray, now: datetime
) -> dict[str, dict[str, int]]:
    """Count words by ISO week, oldest first, from WEEKS ago to now."""
    rows = pa.table({"word": words, "at": at})
    in_range = pc.and_(pc.greater_equal(rows["at"], now - WEEKS), pc.less_equal(rows["at"], now))
    rows = rows.filter(in_range)
    # Without the zone, which is UTC: some platforms have no database of time zones.
    calendar = pc.iso_calendar(rows["at"].combine_chunks().cast(pa.timestamp("us")))
    names = ["year", "week", "word"]
    weeks = [calendar.field("iso_year"), calendar.field("iso_week"), rows["word"]]
    groups = pa.table(weeks, names).group_by(names).aggregate([([], "count_all")])
    by_week: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in groups.to_pylist():
        by_week[f"{row['year']:04}-W{row['week']:02}"][row["word"]] = row["count_all"]
    return dict(sorted(by_week.items()))


def _worth(tally: Tally) -> float:
    help_, harm = help_and_harm(tally)
    return help_ - harm


async def _best(
    runtime: Runtime, tally_of: Mapping[str, Tally], worth: Mapping[str, float]
) -> list[Marked]:
    """Return the memories worth most, at most MOST_MEMORIES, all of them worth more than 0."""
    order = sorted((id_ for id_ in worth if worth[id_] > 0), key=lambda id_: (-worth[id_], id_))
    ids = order[:MOST_MEMORIES]
    rows = await runtime.store.scan(
        every(current(), {"memory_id": {"in": ids}}), ["memory_id", "text"]
    )
    texts = dict(zip(rows["memory_id"].to_pylist(), rows["text"].to_pylist(), strict=True))
    return [
        Marked(memory_id=id_, text=one_line(texts[id_]), marks=tally_of[id_])
        for id_ in ids
        if id_ in texts
    ]


def _never_recalled(memories: pa.Table, recall_rows: pa.Table, now: datetime) -> pa.Table:
    """Return the memories that recall could return and did not, oldest first."""
    is_expired = pc.fill_null(pc.less_equal(memories["expires_at"], now), fill_value=False)
    was_recalled = pc.is_in(memories["memory_id"], pc.unique(recall_rows["memory_id"]))
    is_recallable = pc.is_in(memories["status"], pa.array(RECALLABLE))
    unused = memories.filter(pc.and_not(is_recallable, pc.or_(was_recalled, is_expired)))
    return unused.sort_by([("recorded_at", "ascending"), ("memory_id", "ascending")])
