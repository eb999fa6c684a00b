"""How useful memories have been: in general, and for questions like this one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.constants import LIKENESS_POWER, PSEUDO_MARKS, PSEUDO_MARKS_HERE

Column = NDArray[np.float64]
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Marks:
    """What was said of candidates after they had been used (m marks)."""

    rows: NDArray[np.int64]
    """(m,) the candidate of each."""
    weights: Column
    """(m,) above 0 for help, below 0 for harm."""
    vectors: NDArray[np.float32]
    """(m, d) normalised vectors of the questions they were used for; NaN where there is none."""


def usefulness(marks: Marks, size: int, query: NDArray[np.float32] | None) -> tuple[Column, Column]:
    """Return how useful each candidate has been, in general and for questions like this one.

    Both are means of the marks' weights, shrunk towards 0 by marks that say nothing (PSEUDO_MARKS),
    so that one mark moves little and disagreeing ones cancel. In the second each mark counts by the
    likeness of its question to this one.

    Args:
        marks: of the candidates.
        size: candidates.
        query: (d,) normalised vector of the question; None where there is none.

    Returns:
        Two columns (size,), each above -1 and below 1 where weights are at most 1.
    """
    everywhere = np.ones(marks.weights.size)
    here = likeness(marks.vectors, query)
    return (
        _shrunk(marks, size, everywhere, PSEUDO_MARKS),
        _shrunk(marks, size, here, PSEUDO_MARKS_HERE),
    )


def likeness(vectors: NDArray[np.float32], query: NDArray[np.float32] | None) -> Column:
    """Return how alike questions are to another: the cosine to the power LIKENESS_POWER, 0..1.

    It is 0 where a vector is missing.
    """
    if query is None or not vectors.size:
        return np.zeros(len(vectors))
    cosines = np.nan_to_num(vectors @ query, nan=0.0)
    return np.asarray(np.clip(cosines, 0.0, 1.0).astype(np.float64) ** LIKENESS_POWER)


def _shrunk(marks: Marks, size: int, counts: Column, pseudo_marks: float) -> Column:
    weights = marks.weights * counts
    total = np.bincount(marks.rows, weights, minlength=size)
    evidence = np.bincount(marks.rows, np.abs(weights), minlength=size)
    return np.asarray(total / (evidence + pseudo_marks))
