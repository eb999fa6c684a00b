"""Newer first: of two statements on the same thing, the newer where a question asks for now.

The bounds were chosen on one half of tests/data/changed_minds.jsonl and of tests/data/everyday.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mem_mcp.ranking.arrays import Booleans, Floats
from mem_mcp.ranking.candidates import Candidates, Ranking
from mem_mcp.ranking.changed_minds import likeness
from mem_mcp.ranking.feedback_boost import FeedbackSignals
from mem_mcp.ranking.reordering import is_statement, marks_of, put_before
from mem_mcp.ranking.same_subject import Wording, least_share
from mem_mcp.ranking.temporal import asks_for_past

_COMPARED = 12
"""Best statements that are held against one another."""
_LEAST_OF_BEST = 0.2
"""Of the best statement's score that those have which are held against one another."""
_ABOUT = 0.5
"""Of it that one of two has: else neither is what the question is about."""
_LEAST_LIKENESS = 0.4
_MOST_REPLACED = 2
"""Older statements that one may replace: more are a crowd of the like, not a mind that changed."""


def newer_first(
    question: str,
    candidates: Candidates,
    ranking: Ranking,
    is_current: Booleans,
    signals: FeedbackSignals | None = None,
) -> Ranking:
    """Put newer statements before older ones that they may replace, and say which are which.

    Nothing changes places where the question asks about the past, names a time or asks for an order
    in time, or where marks tell the two apart.

    Args:
        question: what is asked.
        candidates: the memories that may answer it.
        ranking: of these; what is put before another gets its score, as the part `newer`.
        is_current: (n,) whether a memory still holds.
        signals: feedback on the candidates.
    """
    embedded = candidates.vector_set.present
    rows = [
        row
        for row in ranking.order.tolist()
        if is_current[row] and embedded[row] and is_statement(candidates, row)
    ]
    rows = rows[:_COMPARED]
    best = max((ranking.score[row] for row in rows), default=0.0)
    rows = [row for row in rows if ranking.score[row] >= _LEAST_OF_BEST * best]
    later = _without_crowds(_replaced(question, candidates, ranking.score, rows))
    if not later:
        return ranking
    ranking = replace(ranking, later=later)
    if asks_for_past(question) or not {"period", "order"}.isdisjoint(ranking.parts):
        return ranking
    return put_before(ranking, later, marks_of(candidates, signals), "newer")


def _without_crowds(pairs: Sequence[tuple[int, int]]) -> dict[int, list[int]]:
    """Return the older ones of each newer statement, of those that are few enough."""
    crowd: dict[int, set[int]] = {}
    for pair in pairs:
        joined = set[int]().union(*(crowd.get(row, {row}) for row in pair))
        crowd |= dict.fromkeys(joined, joined)
    later: dict[int, list[int]] = {}
    for new, old in pairs:
        if len(crowd[new]) <= _MOST_REPLACED + 1:
            later.setdefault(new, []).append(old)
    return later


def _replaced(
    question: str, candidates: Candidates, score: Floats, rows: Sequence[int]
) -> list[tuple[int, int]]:
    """Return which of some rows may replace which, as (newer, older), the oldest newer first."""
    language, best = candidates.language, score[rows].max(initial=0.0)
    asked, pairs = Wording.of(question, language), list[tuple[int, int]]()
    times = {row: (candidates.occurred_at[row], candidates.recorded_at[row]) for row in rows}
    for new in sorted(rows, key=times.__getitem__):
        said = Wording.of(candidates.texts[new], language)
        olds = [row for row in rows if times[row] < times[new]]
        if not olds:
            continue
        cosines = candidates.vectors[olds] @ candidates.vectors[new]
        like = likeness(said.text, [candidates.texts[row] for row in olds], cosines)
        for row, one in zip(olds, like, strict=True):
            if one < _LEAST_LIKENESS or max(score[new], score[row]) < _ABOUT * best:
                continue
            share = least_share(asked, Wording.of(candidates.texts[row], language), said)
            if share is not None and score[new] >= share * score[row]:
                pairs.append((new, row))
    return pairs
