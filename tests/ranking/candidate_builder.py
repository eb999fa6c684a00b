"""Candidates for the ranking's tests."""

import numpy as np

from mem_mcp.ranking import Candidates, FeedbackSignals, MarkedQuestions

DIMENSIONS = 8


def build(texts, vectors=None, times=None, positions=None, **columns):
    """Return candidates with these texts, and with nothing in the columns that are left out."""
    n = len(texts)
    times = np.array([0] * n if times is None else times, np.float64)
    vectors = np.full((n, DIMENSIONS), np.nan) if vectors is None else vectors
    empty = {
        "memory_ids": [f"m{row}" for row in range(n)],
        "run_ids": [None] * n,
        "actor_ids": [None] * n,
        "kinds": ["fact"] * n,
        "entities": [()] * n,
        "labels": [""] * n,
        "ends_at": np.full(n, np.inf),
    }
    return Candidates(
        texts=texts,
        vectors=np.array(vectors, np.float32),
        positions=np.array([-1] * n if positions is None else positions, np.int64),
        occurred_at=times,
        recorded_at=times,
        **(empty | columns),
    )


def signals_of(marks, questions=(), vectors=None):
    """Return signals.

    Args:
        marks: of each the candidate, the weight, and which of the questions it is for; -1 for none.
        questions: their texts.
        vectors: theirs; none if left out.
    """
    rows, weights, numbers = zip(*marks, strict=True) if marks else ((), (), ())
    whole = np.ones(len(marks))
    vectors = np.full((len(questions), DIMENSIONS), np.nan) if vectors is None else vectors
    asked = MarkedQuestions.of(list(questions), np.array(vectors, np.float32))
    columns = np.array(rows, np.int64), np.array(weights, np.float64)
    return FeedbackSignals(*columns, whole, whole, np.array(numbers, np.int64), asked)
