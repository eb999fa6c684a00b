"""How the memories of a store are used and how they do, counted by week, task and tool."""

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
from mem_mcp.learning.signal_counts import (
    help_and_harm,
    marks,
    outcomes,
    ratings,
    recalled,
    shortened,
    tallies,
    trace_window,
)
from mem_mcp.retrieval.feedback_signals import FIELDS
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.times import utc_now

COLUMNS = ("memory_id", "status", "recorded_at", "expires_at")
"""What `learning` needs of a memory."""
MOST_NAMES = 20
"""Task types, and tools, that are told apart."""
MOST_MEMORIES = 10
"""Memories that each list names."""
WEEKS = timedelta(weeks=52)
"""How far back the weeks go."""
_DIGITS = 4


async def learning(runtime: Runtime, memories: pa.Table) -> Learning:
    """Count what recalls, ratings and outcomes say of a store.

    Args:
        runtime: what to work with.
        memories: all current ones that were not forgotten, with COLUMNS.

    Raises:
        StoreError: LanceDB or the disk refused.
    """
    now, window = utc_now(), trace_window(runtime)
    rated, ended = await ratings(runtime), await outcomes(runtime)
    answers, held = await recalled(runtime, now - window)
    marked = marks(rated, ended)
    said = tallies(marked.filter(pc.is_in(marked["memory_id"], memories["memory_id"])))
    worth = {memory_id: _worth(tally) for memory_id, tally in said.items()}
    found = Learning(
        traces=answers,
        feedback=_feedback(rated, held, now - window, now),
        outcomes=_ended("", ended, now),
        by_task_type=_by_name(ended, "task_type", now),
        by_tool=_by_name(ended, "tool_name", now),
        most_helpful=await _best(runtime, said, worth),
        most_harmful=await _best(runtime, said, {id_: -each for id_, each in worth.items()}),
    )
    if runtime.traces.keep is None:
        return found
    unused = _never_recalled(memories, held, now)
    oldest = unused["memory_id"][:MOST_MEMORIES].to_pylist()
    return found.model_copy(
        update={
            "window_days": window.days,
            "never_recalled": unused.num_rows,
            "never_recalled_ids": oldest,
        }
    )


def _feedback(rated: pa.Table, held: pa.Table, since: datetime, now: datetime) -> FeedbackStats:
    returned = pc.unique(held["memory_id"])
    lately = rated.filter(pc.greater_equal(rated["at"], since))
    both = pc.sum(pc.is_in(returned, pc.unique(lately["memory_id"]))).as_py() or 0
    return FeedbackStats(
        recalled=len(returned),
        rated=both,
        share=round(both / len(returned), _DIGITS) if len(returned) else None,
        **{FIELDS[word]: count for word, count in _counts(rated["mark"]).items()},
        weeks=[
            FeedbackWeek(week=week, **{FIELDS[word]: count for word, count in words.items()})
            for week, words in _weekly(rated["mark"], rated["at"], now).items()
        ],
    )


def _by_name(ended: pa.Table, column: str, now: datetime) -> list[OutcomeStats]:
    counts = _counts(ended[column])
    names = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_NAMES]
    return [_ended(name, ended.filter(pc.equal(ended[column], name)), now) for name in names]


def _ended(name: str, rows: pa.Table, now: datetime) -> OutcomeStats:
    counts = _counts(rows["outcome_type"])
    good = counts.get("success", 0) + counts.get("partial", 0) / 2
    tried = rows.num_rows - counts.get("unknown", 0)
    rows = rows.filter(pc.not_equal(rows["outcome_type"], "unknown"))
    return OutcomeStats(
        name=name,
        **counts,
        rate=round(good / tried, _DIGITS) if tried else None,
        weeks=[
            OutcomeWeek(week=week, **words)
            for week, words in _weekly(rows["outcome_type"], rows["occurred_at"], now).items()
        ],
    )


def _counts(words: pa.ChunkedArray) -> dict[str, int]:
    """Count each word; missing ones do not count."""
    counted = pc.value_counts(words.drop_null()).to_pylist()
    return {pair["values"]: pair["counts"] for pair in counted}


def _weekly(
    words: pa.ChunkedArray, at: pa.ChunkedArray, now: datetime
) -> dict[str, dict[str, int]]:
    """Count words by ISO week, oldest first; what is dated in the future is left out."""
    rows = pa.table({"word": words, "at": at})
    lately = pc.and_(pc.greater_equal(rows["at"], now - WEEKS), pc.less_equal(rows["at"], now))
    rows = rows.filter(lately)
    # Without its zone, which is UTC: some platforms have no database of time zones.
    calendar = pc.iso_calendar(rows["at"].combine_chunks().cast(pa.timestamp("us")))
    groups = pa.table(
        {
            "year": calendar.field("iso_year"),
            "week": calendar.field("iso_week"),
            "word": rows["word"],
        }
    )
    groups = groups.group_by(["year", "week", "word"]).aggregate([([], "count_all")])
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in groups.to_pylist():
        found[f"{row['year']:04}-W{row['week']:02}"][row["word"]] = row["count_all"]
    return dict(sorted(found.items()))


def _worth(tally: Tally) -> float:
    good, bad = help_and_harm(tally)
    return good - bad


async def _best(
    runtime: Runtime, said: Mapping[str, Tally], worth: Mapping[str, float]
) -> list[Marked]:
    """Name the memories that are worth most; those worth nothing are left out."""
    order = sorted((id_ for id_ in worth if worth[id_] > 0), key=lambda id_: (-worth[id_], id_))
    ids = order[:MOST_MEMORIES]
    rows = await runtime.store.scan(
        every(current(), {"memory_id": {"in": ids}}), ["memory_id", "text"]
    )
    texts = dict(zip(rows["memory_id"].to_pylist(), rows["text"].to_pylist(), strict=True))
    return [
        Marked(memory_id=id_, text=shortened(texts[id_]), marks=said[id_])
        for id_ in ids
        if id_ in texts
    ]


def _never_recalled(memories: pa.Table, held: pa.Table, now: datetime) -> pa.Table:
    """Return the memories that recall could return and did not, oldest first."""
    expired = pc.fill_null(pc.less_equal(memories["expires_at"], now), fill_value=False)
    seen = pc.is_in(memories["memory_id"], pc.unique(held["memory_id"]))
    shown = pc.is_in(memories["status"], pa.array(RECALLABLE))
    unused = memories.filter(pc.and_not(shown, pc.or_(seen, expired)))
    return unused.sort_by([("recorded_at", "ascending"), ("memory_id", "ascending")])
