"""Fusion of lexical and dense scores: their common scale, their weights, and the absolute level."""

import numpy as np

from mem_mcp.ranking.arrays import Floats
from mem_mcp.ranking.constants import (
    EPSILON,
    LEVEL_BY_COSINE,
    LEXICAL_WEIGHT_MAX,
    LEXICAL_WEIGHT_MIN,
    QUERY_LENGTH_RAMP,
    SAME_TEXT_RAMP,
    TYPICALITY_RAMP,
)


def lexical_weight(query_terms: int, typicality: float, max_cosine: float) -> float:
    """Return the weight of the lexical score, where the dense score has 1.

    Three observations favour the dense score: a long query, whose words match many candidates while
    its vector sums it up; a query of the same kind as the candidates, since embedders compare like
    with like better than a question with its answer; and a candidate that says the same as the
    query.

    Args:
        query_terms: Distinct terms of the query.
        typicality: Of the query (see `DenseScores`).
        max_cosine: Cosine of the nearest candidate.
    """
    evidence = (
        ramp(query_terms, *QUERY_LENGTH_RAMP)
        + ramp(typicality, *TYPICALITY_RAMP)
        + ramp(max_cosine, *SAME_TEXT_RAMP)
    )
    return LEXICAL_WEIGHT_MAX - (LEXICAL_WEIGHT_MAX - LEXICAL_WEIGHT_MIN) * min(evidence, 1.0)


def scaled_lexical(scores: Floats, attainable: float) -> Floats:
    """Return BM25 scores on the scale of cosines, 0 to about 1.

    The divisor is the geometric mean of the best score and the attainable one. The best score alone
    would turn a weak match into a full one wherever no candidate matches better; the attainable
    score alone would make a match of a few words in a long query worthless. The mean does best on
    all data sets.

    Args:
        scores: (n,) of at least 0, n > 0.
        attainable: The highest score that a text could have.
    """
    best = max(float(scores.max()), EPSILON)
    return np.asarray(scores / np.sqrt(best * max(attainable, best)))


def scaled_dense(cosines: Floats, lexical: Floats) -> Floats:
    """Return centred cosines shifted so that the lowest is 0.

    Args:
        cosines: (n,) NaN for a candidate without a vector: its lexical score, on the same scale,
            takes the place.
        lexical: (n,) of at least 0.
    """
    if np.isnan(cosines).all():
        return np.zeros_like(cosines)
    dense = cosines - min(float(np.nanmin(cosines)), 0.0)
    estimate = lexical * (float(np.nanmax(dense)) / max(float(lexical.max()), EPSILON))
    return np.where(np.isnan(dense), estimate, dense)


def absolute_level(cosines: Floats, coverage: Floats) -> float:
    """Return how well the best candidate answers at all: 0..1, comparable between queries.

    It is the maximum of a mix of cosine and coverage of the same candidate.

    Args:
        cosines: (n,) not centred; NaN for a candidate without a vector.
        coverage: (n,) share of the query's terms that each candidate contains, 0..1.
    """
    near = np.where(np.isnan(cosines), coverage, np.maximum(cosines, 0.0))
    level = LEVEL_BY_COSINE * near + (1 - LEVEL_BY_COSINE) * coverage
    return float(np.clip(level, 0.0, 1.0).max())


def ramp(value: float, low: float, high: float) -> float:
    """Return 0 up to `low`, 1 from `high` on, and the linear interpolation between them."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
