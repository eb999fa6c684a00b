"""What became of one candidate of a question: its place, or what kept it out of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking import Candidates, Ranking, select
from mem_mcp.ranking.selection import DistinctMemories
from mem_mcp.text import count_tokens

Cause = Literal["min_score", "limit", "duplicate", "max_tokens"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an answer may hold."""

    limit: int
    max_tokens: int = 0
    min_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a candidate stands."""

    rank: int
    """1 for the best."""
    of: int
    """Candidates it was held against, itself among them."""
    cause: Cause | None
    """What kept it out; None where nothing did."""
    better: Sequence[int] = ()
    """Candidates that the answer took before it came to this one."""
    twin: int | None = None
    """The one of these that says the same."""


def placement(
    ranking: Ranking,
    candidates: Candidates,
    row: int,
    bounds: Bounds,
    among: NDArray[np.bool_] | None = None,
) -> Placement:
    """Find out what `select` did with a candidate, and why.

    Args:
        ranking: of these candidates.
        candidates: what was ranked.
        row: which of them.
        bounds: of the answer.
        among: (n,) which of them the answer's list may show; None for all.
    """
    order = ranking.order if among is None else ranking.order[among[ranking.order]]
    place = int(np.flatnonzero(order == row)[0])
    before = replace(ranking, order=order[:place])
    better = select(before, candidates, bounds.limit, bounds.max_tokens, bounds.min_score)
    twin = next((one for one in better if _same(candidates, one, row)), None)
    left = bounds.max_tokens - sum(count_tokens(candidates.texts[one]) for one in better)
    cause: Cause | None = None
    if ranking.score[row] < bounds.min_score:
        cause = "min_score"
    elif twin is not None:
        cause = "duplicate"
    elif len(better) >= bounds.limit:
        cause = "limit"
    elif bounds.max_tokens and count_tokens(candidates.texts[row]) > left:
        cause = "max_tokens"
    return Placement(place + 1, len(order), cause, better, twin)


def _same(candidates: Candidates, one: int, other: int) -> bool:
    distinct = DistinctMemories(candidates)
    distinct.add(one)
    return not distinct.add(other)
