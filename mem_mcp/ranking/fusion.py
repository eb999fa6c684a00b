"""Words and meaning on one scale, and how much words count beside meaning."""

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.constants import (
    ALIKE,
    ANOTHER_KIND,
    FEW_TERMS,
    LIKE,
    MANY_TERMS,
    SAME_KIND,
    WORDS_AT_LEAST,
    WORDS_AT_MOST,
)

_TINY = 1e-9


def weight_of_words(query_terms: int, typical: float, nearest: float) -> float:
    """Return what words count beside meaning's 1.

    Three things tell that a vector sees more than words do: a long question, whose words match
    everywhere while its vector sums it up; a query of the candidates' own kind, since the embedder
    compares like with like better than a question with its answer; and a candidate so near that it
    says the same.

    Args:
        query_terms: Distinct terms of the question.
        typical: Of the query among the candidates (see `Nearness`).
        nearest: Plain cosine of the nearest candidate.
    """
    evidence = (
        ramp(query_terms, FEW_TERMS, MANY_TERMS)
        + ramp(typical, ANOTHER_KIND, SAME_KIND)
        + ramp(nearest, LIKE, ALIKE)
    )
    return WORDS_AT_MOST - (WORDS_AT_MOST - WORDS_AT_LEAST) * min(evidence, 1.0)


def scale_of_words(scores: NDArray[np.float64], attainable: float) -> NDArray[np.float64]:
    """Return BM25 scores on the scale of cosines, 0 to about 1.

    Divided by the best score among the candidates, a weak match would weigh as much as a full one
    wherever there is no better; divided by what could be attained, a good match of a few words in a
    long question would weigh nothing. The geometric mean of the two does best on all data sets.
    """
    best = max(float(scores.max()), _TINY)
    return np.asarray(scores / np.sqrt(best * max(attainable, best)))


def scale_of_meaning(
    cosines: NDArray[np.float64], words: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return centred cosines from 0 (the farthest) on; what has no vector is judged by its words.

    Args:
        cosines: (n,) NaN where there is no vector.
        words: (n,) of at least 0.
    """
    if np.isnan(cosines).all():
        return np.zeros_like(cosines)
    meaning = cosines - min(float(np.nanmin(cosines)), 0.0)
    likely = words * (float(np.nanmax(meaning)) / max(float(words.max()), _TINY))
    return np.where(np.isnan(meaning), likely, meaning)


def ramp(value: float, low: float, high: float) -> float:
    """Return 0 up to `low`, 1 from `high` on, and the straight line between them."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
