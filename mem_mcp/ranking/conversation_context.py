"""Conversations: a message is ranked together with the messages around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mem_mcp.ranking.arrays import Floats, Integers, Vectors
from mem_mcp.ranking.constants import (
    CENTRING_PRIOR,
    COHERENCE_PRIOR,
    COHERENCE_RAMP,
    COHERENCE_SAMPLE,
    CONTEXT_TERMS,
    EPSILON,
    NEIGHBOUR_COSINE,
)
from mem_mcp.ranking.dense import has_vector
from mem_mcp.ranking.ramp import ramp

WINDOWS: tuple[tuple[int, ...], ...] = ((-1,), (-1, 1), (-2, -1, 1, 2))
"""Distances of the messages in a window: the one before, one on each side, two on each side."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """For each of n candidates the one at a fixed distance in its run."""

    rows: Integers
    """(n,) the neighbour's row; the candidate's own if it has no neighbour."""
    weight: Floats
    """(n,) the neighbour's weight, where the candidate has 1: 0 (no neighbour) to 1."""

    def of(self, values: Floats) -> Floats:
        """Return the weighted values of each candidate's neighbour; values are (n,) or (n, q)."""
        return np.asarray((values[self.rows].T * self.weight).T)


Neighbours = dict[int, Neighbour]
"""By distance: -2, -1, 1 and 2."""


def neighbours_in_runs(
    run_ids: Sequence[str | None],
    positions: Integers,
    lengths: Floats,
    vectors: Vectors,
    owner: Integers | None = None,
) -> Neighbours:
    """Find the neighbours within its run of each candidate, or of each of its passages.

    The longer two messages are, the less each counts for the other: short ones need their context,
    long ones carry their own. Where neighbours are no more similar than unrelated texts, a run is
    a mere list and its order says nothing: then the weights are 0. The passages of one text always
    count for each other.

    Args:
        run_ids: (n) None for no run.
        positions: (n,) -1 for none.
        lengths: (p,) of the passages, in terms.
        vectors: (n, d) of the candidates; a row of NaN or zeros for none.
        owner: (p,) the candidate of each passage, ascending; None where each has one.
    """
    before, after = _adjacent(run_ids, positions)
    trust = _coherence(before, vectors)
    owner = np.arange(before.size) if owner is None else owner
    before, after = _between_passages(before, after, owner)
    rows = {-2: _next(before, before), -1: before, 1: after, 2: _next(after, after)}
    return {distance: _neighbour(near, lengths, trust, owner) for distance, near in rows.items()}


def window(values: Floats, distances: tuple[int, ...], neighbours: Neighbours) -> Floats:
    """Return (n,) or (n, q) values summed over each candidate's window."""
    total = values.copy()
    for distance in distances:
        total += neighbours[distance].of(values)
    return total


def window_cosines(cosines: Floats, distances: tuple[int, ...], neighbours: Neighbours) -> Floats:
    """Return (n,) the query's cosine to the mean vector of each candidate's window.

    It follows from the single cosines and the similarity of the window's vectors to each other, for
    which the usual one (`NEIGHBOUR_COSINE`) does as well as the true one.
    """
    ones = np.ones_like(cosines)
    total = window(ones, distances, neighbours)
    squares = ones + sum(neighbours[distance].weight ** 2 for distance in distances)
    length = np.sqrt(squares + NEIGHBOUR_COSINE * (total**2 - squares))
    return window(cosines, distances, neighbours) / length


def _neighbour(near: Integers, lengths: Floats, trust: float, owner: Integers) -> Neighbour:
    rows = np.where(near < 0, np.arange(near.size), near)
    mean_length = (lengths + lengths[rows]) / 2
    trusted = np.where(owner == owner[rows], 1.0, trust)
    weight = np.where(near < 0, 0.0, trusted / (1 + (mean_length / CONTEXT_TERMS) ** 2))
    return Neighbour(rows, weight)


def _between_passages(
    before: Integers, after: Integers, owner: Integers
) -> tuple[Integers, Integers]:
    """Return the passages right before and after each passage, given the candidates' own."""
    if owner.size == before.size:
        return before, after
    first = np.searchsorted(owner, np.arange(before.size))
    last = np.append(first[1:], owner.size) - 1
    rows = np.arange(owner.size)
    previous, following = rows - 1, rows + 1
    previous[first] = _next(before, last)
    following[last] = _next(after, first)
    return previous, following


def _coherence(before: Integers, vectors: Vectors) -> float:
    """Return 0 for texts in random order to 1 for conversations, from a sample of neighbours."""
    linked = np.flatnonzero(before >= 0)
    sample = linked[:: max(1, linked.size // COHERENCE_SAMPLE)]
    first, second = vectors[sample], vectors[before[sample]]
    embedded = has_vector(first) & has_vector(second)
    if not embedded.any():
        return 1.0
    first, second = first[embedded], second[embedded]
    mean = (first + second).sum(axis=0) / (2 * len(first) + CENTRING_PRIOR)
    first, second = first - mean, second - mean
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = (first * second).sum(axis=1) / np.maximum(lengths, EPSILON)
    # The prior presumes that a run is a conversation.
    prior = COHERENCE_PRIOR * NEIGHBOUR_COSINE
    return ramp((float(cosines.sum()) + prior) / (len(first) + COHERENCE_PRIOR), *COHERENCE_RAMP)


def _next(rows: Integers, step: Integers) -> Integers:
    """Return the row that each of `rows` leads to by `step`; -1 where there is none."""
    return np.where(rows < 0, -1, step[rows])


def _adjacent(run_ids: Sequence[str | None], positions: Integers) -> tuple[Integers, Integers]:
    """Return the rows right before and right after each candidate in its run; -1 for none."""
    codes: dict[str | None, int] = {None: -1}
    runs = np.array([codes.setdefault(run, len(codes)) for run in run_ids], dtype=np.int64)
    order = np.lexsort((positions, runs))
    first, second = order[:-1], order[1:]
    linked = (
        (runs[first] == runs[second])
        & (runs[first] >= 0)
        & (positions[first] >= 0)
        & (positions[second] == positions[first] + 1)
    )
    before, after = np.full(runs.size, -1), np.full(runs.size, -1)
    before[second[linked]] = first[linked]
    after[first[linked]] = second[linked]
    return before, after
