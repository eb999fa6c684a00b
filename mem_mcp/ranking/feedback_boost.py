"""Feedback in the ranking: how useful memories were, in general and for similar queries."""

from dataclasses import dataclass

import numpy as np

from mem_mcp.ranking.arrays import Floats, Integers, Vectors
from mem_mcp.ranking.constants import (
    EPSILON,
    FEEDBACK_BOOST,
    FEEDBACK_BOOST_HERE,
    FEEDBACK_BOOST_MAX,
    FEEDBACK_SPREAD,
    PSEUDO_COUNT,
    PSEUDO_COUNT_HARM,
    PSEUDO_COUNT_HERE,
    QUERY_LIKENESS_MIN,
    QUERY_LIKENESS_POWER,
    SAME_QUERY_POWER,
)
from mem_mcp.ranking.dense import VectorSet
from mem_mcp.ranking.marked_questions import MarkedQuestions


@dataclass(frozen=True, slots=True)
class FeedbackSignals:
    """Ratings of candidates, and outcomes of tasks that used them (m signals)."""

    rows: Integers
    """(m,) the candidate that each is about."""
    weights: Floats
    """(m,) above 0 for help, below 0 for harm."""
    general: Floats
    """(m,) the share of its weight that counts for any query, 0..1."""
    here: Floats
    """(m,) the share that counts for queries like its own, 0..1."""
    questions: Integers
    """(m,) which of `asked` it was given for; -1 for none."""
    asked: MarkedQuestions
    """The queries and tasks that signals were given for."""

    def similarity(self, text: str, vector: Vectors | None) -> Floats:
        """Return (m,) how like each signal's query is to this one, 0..1; 0 for none.

        Args:
            text: of this query.
            vector: (d,) normalised; None for none.
        """
        if not len(self.asked):
            return np.zeros(self.rows.size)
        return np.where(
            self.questions < 0, 0.0, self.asked.similarity(text, vector)[self.questions]
        )


def feedback_boosts(
    signals: FeedbackSignals, similarity: Floats, vectors: VectorSet, scores: Floats
) -> dict[str, Floats]:
    """Return what feedback adds to scores, by the name of the part.

    - `useful`: how useful the memory was for any query, as a share of its score.
    - `useful_here`: how useful it was for queries like this one.
    - `useful_near`: how much more like it is to what was useful for such queries than to what was
      not, as in Rocchio (1971), "Relevance Feedback in Information Retrieval".

    The latter two are shares of the best score, together at most `FEEDBACK_BOOST_MAX` of it.

    Args:
        signals: Of the n candidates.
        similarity: (m,) of each signal's query to this one, 0..1.
        vectors: Of the candidates.
        scores: (n,) without feedback.
    """
    positive, best = np.maximum(scores, 0.0), max(float(scores.max()), 0.0)
    general, same = usefulness(signals, scores.size, similarity)
    parts = {"useful": FEEDBACK_BOOST * positive * general}
    likeness = similarity**QUERY_LIKENESS_POWER
    likeness[likeness < QUERY_LIKENESS_MIN] = 0.0
    if not likeness.any():
        return parts
    ideal = _ideal(signals, scores.size, likeness)
    own, near = _likeness_to(ideal, vectors)
    here = FEEDBACK_SPREAD * own + FEEDBACK_BOOST_HERE * same
    near = FEEDBACK_SPREAD * near
    kept = best * np.minimum(FEEDBACK_BOOST_MAX / np.maximum(np.abs(here + near), EPSILON), 1.0)
    return parts | {"useful_here": kept * here, "useful_near": kept * near}


def usefulness(signals: FeedbackSignals, size: int, similarity: Floats) -> tuple[Floats, Floats]:
    """Return how useful each candidate was: in general, and for the same query in other words.

    Both are means of the signals' weights, shrunk towards 0 by neutral signals (`PSEUDO_COUNT`), so
    that contradicting ones cancel.

    Args:
        signals: Of the candidates.
        size: Number of candidates.
        similarity: (m,) of each signal's query to this one, 0..1.

    Returns:
        Two columns (size,), each above -1 and below 1.
    """
    same = signals.here * similarity**SAME_QUERY_POWER
    return (
        _shrunk_mean(signals, size, signals.general, PSEUDO_COUNT),
        _shrunk_mean(signals, size, same, PSEUDO_COUNT_HERE),
    )


def _shrunk_mean(
    signals: FeedbackSignals, size: int, shares: Floats, pseudo_count: float
) -> Floats:
    weights = signals.weights * shares
    total = np.bincount(signals.rows, weights, minlength=size)
    evidence = np.bincount(signals.rows, np.abs(weights), minlength=size)
    return np.asarray(total / (evidence + pseudo_count))


def _ideal(signals: FeedbackSignals, size: int, likeness: Floats) -> Floats:
    """Return (size,) the weight of each candidate in what an answer to such queries is like.

    The helpful ones share a weight below 1, the harmful ones one above -1.
    """
    weights = signals.weights * signals.here * likeness
    help_ = np.bincount(signals.rows, np.maximum(weights, 0.0), minlength=size)
    harm = np.bincount(signals.rows, np.maximum(-weights, 0.0), minlength=size)
    return np.asarray(
        help_ / (help_.sum() + PSEUDO_COUNT_HERE) - harm / (harm.sum() + PSEUDO_COUNT_HARM)
    )


def _likeness_to(ideal: Floats, vectors: VectorSet) -> tuple[Floats, Floats]:
    """Return (n,) the likeness of each candidate to the ideal, beyond that of the mean candidate.

    The first column is what a candidate owes to its own weight in the ideal, the second what it
    owes to that of the others.
    """
    own, near = ideal.copy(), np.zeros(ideal.size)
    if not len(vectors.rows):
        return own, near
    weights = ideal[vectors.present]
    marked = np.flatnonzero(weights)
    direction = (weights[marked] / vectors.lengths[marked]) @ vectors.rows[marked]
    mean = vectors.plain_mean
    likeness = vectors.rows @ direction.astype(vectors.rows.dtype) / vectors.lengths
    owed = np.zeros(weights.size)
    owed[marked] = weights[marked] * (1 - vectors.rows[marked] @ mean / vectors.lengths[marked])
    own[vectors.present] = owed
    near[vectors.present] = likeness - float(mean @ direction) - owed
    return own, near
