"""Feedback in the ranking: how useful memories were, in general and for similar queries."""

from dataclasses import dataclass

import numpy as np

from mem_mcp.ranking.arrays import Floats, Integers, Vectors
from mem_mcp.ranking.constants import PSEUDO_COUNT, PSEUDO_COUNT_HERE, QUERY_SIMILARITY_POWER


@dataclass(frozen=True, slots=True)
class FeedbackSignals:
    """Ratings of candidates, and outcomes of tasks that used them (m signals)."""

    rows: Integers
    """(m,) the candidate that each is about."""
    weights: Floats
    """(m,) above 0 for help, below 0 for harm."""
    vectors: Vectors
    """(m, d) normalised vectors of the queries that the memories were used for; NaN for none."""


def usefulness(signals: FeedbackSignals, size: int, query: Vectors | None) -> tuple[Floats, Floats]:
    """Return how useful each candidate was: in general, and for queries similar to this one.

    Both are means of the signals' weights, shrunk towards 0 by neutral signals (`PSEUDO_COUNT`), so
    that a single signal has little effect and contradicting ones cancel. In the second mean each
    signal counts by the similarity of its query to this one.

    Args:
        signals: Of the candidates.
        size: Number of candidates.
        query: (d,) normalised vector of this query; None if there is none.

    Returns:
        Two columns (size,), each above -1 and below 1 if no weight is beyond 1.
    """
    everywhere = np.ones(signals.weights.size)
    here = query_similarity(signals.vectors, query)
    return (
        _shrunk_mean(signals, size, everywhere, PSEUDO_COUNT),
        _shrunk_mean(signals, size, here, PSEUDO_COUNT_HERE),
    )


def query_similarity(vectors: Vectors, query: Vectors | None) -> Floats:
    """Return (m,) the cosine of each query to this one to the power QUERY_SIMILARITY_POWER, 0..1.

    It is 0 where a vector is missing.

    Args:
        vectors: (m, d) normalised; NaN for none.
        query: (d,) normalised; None for none.
    """
    if query is None or not vectors.size:
        return np.zeros(len(vectors))
    cosines = np.nan_to_num(vectors @ query, nan=0.0)
    return np.asarray(np.clip(cosines, 0.0, 1.0).astype(np.float64) ** QUERY_SIMILARITY_POWER)


def _shrunk_mean(
    signals: FeedbackSignals, size: int, shares: Floats, pseudo_count: float
) -> Floats:
    weights = signals.weights * shares
    total = np.bincount(signals.rows, weights, minlength=size)
    evidence = np.bincount(signals.rows, np.abs(weights), minlength=size)
    return np.asarray(total / (evidence + pseudo_count))
