"""Why a candidate is not in an answer: its rank, and the bound that left it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking import Candidates, Ranking, Room, belonging, select
from mem_mcp.ranking.selection import DistinctMemories

Cause = Literal["min_score", "limit", "duplicate", "room"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of an answer."""

    limit: int
    """Maximum number of memories."""
    room: Room | None = None
    """For their texts; None for no bound."""
    min_score: float = 0.0
    """Least score of a memory."""
    share: float = 0.0
    """Of the best score, below which a memory may not belong; 0 for no such bound."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The rank of a candidate, and why it was left out."""

    rank: int
    """1 for the best."""
    of: int
    """Number of candidates ranked, this one included."""
    cause: Cause | None
    """The bound that left it out; None if it is in the answer."""
    better: Sequence[int] = ()
    """Indices of the higher-ranked candidates that are in the answer."""
    twin: int | None = None
    """Index of the one in `better` that this one is a copy of; None if there is none."""


def placement(
    ranking: Ranking,
    candidates: Candidates,
    row: int,
    bounds: Bounds,
    among: NDArray[np.bool_] | None = None,
) -> Placement:
    """Return the rank of a candidate, and why `select` left it out.

    Args:
        ranking: the ranking of the candidates.
        candidates: the n ranked candidates.
        row: index of the candidate.
        bounds: the bounds of the answer.
        among: (n,) true for candidates that may be in the answer; None for all. It must be true
            for `row`.
    """
    order = ranking.order if among is None else ranking.order[among[ranking.order]]
    place = int(np.flatnonzero(order == row)[0])
    higher = replace(ranking, order=order[:place])
    better = select(higher, candidates, bounds.limit, bounds.min_score)
    belongs = belonging(replace(ranking, order=order), bounds.share)
    distinct = DistinctMemories(candidates)
    for other in better:
        distinct.add(other)
    twin = distinct.original(row)
    full, better = len(better) >= bounds.limit, [other for other in better if belongs[other]]
    shares = [1] * (len(better) + 1)
    if bounds.room:
        shares = bounds.room.shares(
            [bounds.room.size(candidates.texts[other]) for other in (*better, row)]
        )
        better = [other for other, share in zip(better, shares, strict=False) if share]
    cause: Cause | None = None
    if ranking.score[row] < bounds.min_score or not belongs[row]:
        cause = "min_score"
    elif twin is not None:
        cause = "duplicate"
    elif full:
        cause = "limit"
    elif not shares[-1]:
        cause = "room"
    return Placement(place + 1, len(order), cause, better, twin)
