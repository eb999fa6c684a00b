"""Conversations: a message is understood with the messages around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.constants import (
    CENTRING_PRIOR,
    COHERENCE_PRIOR,
    COHERENCE_SAMPLE,
    COMPANIONS,
    CONTEXT_TERMS,
    LIKENESS_OF_NEIGHBOURS,
    STRANGERS,
)
from mem_mcp.ranking.fusion import ramp

_TINY = 1e-9

SPANS: tuple[tuple[int, ...], ...] = ((-1,), (-1, 1), (-2, -1, 1, 2))
"""The windows of a message: with what it answers, with both sides, with two on each side."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """For each candidate the one at a fixed distance in its run."""

    rows: NDArray[np.int64]
    """Its row; the candidate's own where there is none."""
    weight: NDArray[np.float64]
    """How much it counts beside the candidate: 0 (there is none) to 1."""

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each candidate's neighbour's values (n,) or (n, q), weighted."""
        return np.asarray((values[self.rows].T * self.weight).T)


Neighbours = dict[int, Neighbour]
"""By distance: -2, -1, 1 and 2."""


def neighbours(
    run_ids: Sequence[str | None],
    positions: NDArray[np.int64],
    lengths: NDArray[np.float64],
    vectors: NDArray[np.float32],
) -> Neighbours:
    """Find each candidate's neighbours within its run.

    The longer two messages are, the less each counts for the other: short ones need their context,
    while long ones carry their own and would only drown each other. Where neighbours are no more
    alike than strangers, a run is a mere list, and its order tells nothing.

    Args:
        run_ids: (n) None where there is no run.
        positions: (n,) -1 where there is none.
        lengths: (n,) in terms.
        vectors: (n, d), a row of NaN where there is none.
    """
    before, after = _links(run_ids, positions)
    trust = _coherence(before, vectors)
    rows = {-2: _follow(before, before), -1: before, 1: after, 2: _follow(after, after)}
    return {distance: _neighbour(near, lengths, trust) for distance, near in rows.items()}


def window(
    values: NDArray[np.float64], span: tuple[int, ...], near: Neighbours
) -> NDArray[np.float64]:
    """Return `values` (n,) or (n, q) summed over each candidate's window."""
    total = values.copy()
    for distance in span:
        total += near[distance].of(values)
    return total


def window_cosines(
    cosines: NDArray[np.float64], span: tuple[int, ...], near: Neighbours
) -> NDArray[np.float64]:
    """Return the query's cosine to the mean vector of each candidate's window.

    It follows from the single cosines once the vectors' likeness to each other is known, and the
    usual likeness does as well as the true one.
    """
    ones = np.ones_like(cosines)
    total = window(ones, span, near)
    squares = ones + sum(near[distance].weight ** 2 for distance in span)
    length = np.sqrt(squares + LIKENESS_OF_NEIGHBOURS * (total**2 - squares))
    return window(cosines, span, near) / length


def _neighbour(near: NDArray[np.int64], lengths: NDArray[np.float64], trust: float) -> Neighbour:
    rows = np.where(near < 0, np.arange(near.size), near)
    mean_length = (lengths + lengths[rows]) / 2
    weight = np.where(near < 0, 0.0, trust / (1 + (mean_length / CONTEXT_TERMS) ** 2))
    return Neighbour(rows, weight)


def _coherence(before: NDArray[np.int64], vectors: NDArray[np.float32]) -> float:
    """Return 0 for runs in no order to 1 for conversations, from a sample spread over them."""
    linked = np.flatnonzero(before >= 0)
    sample = linked[:: max(1, linked.size // COHERENCE_SAMPLE)]
    one, two = vectors[sample], vectors[before[sample]]
    known = np.isfinite(one).all(axis=1) & np.isfinite(two).all(axis=1)
    if not known.any():
        return 1.0
    one, two = one[known], two[known]
    mean = (one + two).sum(axis=0) / (2 * len(one) + CENTRING_PRIOR)
    one, two = one - mean, two - mean
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    likeness = (one * two).sum(axis=1) / np.maximum(lengths, _TINY)
    # Of few neighbours it is presumed: a run is a conversation until it proves otherwise.
    usual = COHERENCE_PRIOR * LIKENESS_OF_NEIGHBOURS
    return ramp(
        (float(likeness.sum()) + usual) / (len(one) + COHERENCE_PRIOR), STRANGERS, COMPANIONS
    )


def _follow(first: NDArray[np.int64], then: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(first < 0, -1, then[first])


def _links(
    run_ids: Sequence[str | None], positions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    codes: dict[str | None, int] = {None: -1}
    runs = np.array([codes.setdefault(run, len(codes)) for run in run_ids], dtype=np.int64)
    order = np.lexsort((positions, runs))
    one, two = order[:-1], order[1:]
    linked = (
        (runs[one] == runs[two])
        & (runs[one] >= 0)
        & (positions[one] >= 0)
        & (positions[two] == positions[one] + 1)
    )
    before, after = np.full(runs.size, -1), np.full(runs.size, -1)
    before[two[linked]] = one[linked]
    after[one[linked]] = two[linked]
    return before, after
