"""Changes of place in a ranking: what is put before another gets its score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mem_mcp.ranking.arrays import Floats
from mem_mcp.ranking.candidates import Candidates, Ranking
from mem_mcp.ranking.feedback_boost import FeedbackSignals

_STATEMENTS = ("fact", "procedure")
_LONGEST = 200
"""Characters of a statement: a longer text says more than one thing."""


def is_statement(candidates: Candidates, row: int) -> bool:
    """Return whether a memory says one thing, so that it can be held against another."""
    return candidates.kinds[row] in _STATEMENTS and len(candidates.texts[row]) <= _LONGEST


def marks_of(candidates: Candidates, signals: FeedbackSignals | None) -> Floats:
    """Return (n,) the sum of the marks on each memory."""
    marks = np.zeros(len(candidates))
    if signals is not None:
        np.add.at(marks, signals.rows, signals.weights)
    return marks


def put_before(
    ranking: Ranking, before: Mapping[int, Sequence[int]], marks: Floats, part: str
) -> Ranking:
    """Put memories before others that stand before them.

    Args:
        ranking: in which they stand.
        before: rows, in the order of their moves, each with those that it is to come before.
        marks: (n,) of each memory; where they tell two apart nothing moves.
        part: of the score, which gets what is gained.
    """
    order, score = ranking.order.tolist(), ranking.score.copy()
    for row, others in before.items():
        places = [order.index(other) for other in others if marks[other] == marks[row]]
        first = min(places, default=len(order))
        if first < order.index(row):
            score[row] = score[order[first]]
            order.remove(row)
            order.insert(first, row)
    if not (gain := score - ranking.score).any():
        return ranking
    parts = {**ranking.parts, part: gain}
    return replace(ranking, order=np.array(order), score=score, parts=parts)
