"""Fusion of lexical and dense scores: their common scale, their weights, and the absolute level."""

from typing import NamedTuple

import numpy as np

from mem_mcp.ranking.arrays import Floats
from mem_mcp.ranking.constants import (
    EPSILON,
    LEVEL_BY_COSINE,
    LEXICAL_WEIGHT_MAX,
    LEXICAL_WEIGHT_MIN,
    QUERY_LENGTH_RAMP,
    SAME_TEXT_RAMP,
    TRUST_RAMP,
    TRUSTED_CANDIDATES_MIN,
    TYPICALITY_RAMP,
)
from mem_mcp.ranking.dense import DenseScores, foreign
from mem_mcp.ranking.ramp import ramp


class Weights(NamedTuple):
    """What the two scores of a candidate count for."""

    lexical: float
    dense: float
    """0..1: how far the embedder is believed."""


def weights(query_words: float, scores: DenseScores, lexical: Floats, known: float) -> Weights:
    """Return the weights of both scores for a query.

    The dense score counts as far as it is shown to know something of this query and these texts
    (`dense_trust`), or as the words know nothing: where the texts have few of the query's words
    they are of another language, or say it in other words.

    Three more observations favour it: a long query, whose words match many candidates while its
    vector sums it up; a query of the same kind as the candidates, since embedders compare like with
    like better than a question with its answer; and a candidate that says the same as the query.

    Args:
        query_words: Distinct words of the query.
        scores: Of its vector.
        lexical: (n,) BM25 scores of at least 0, n > 0.
        known: Share of the query's words that some text has, 0..1.
    """
    believed = max(ramp(dense_trust(lexical, scores.centred), *TRUST_RAMP), foreign(known))
    evidence = (
        foreign(known)
        + ramp(query_words, *QUERY_LENGTH_RAMP)
        + ramp(scores.typicality, *TYPICALITY_RAMP)
        + ramp(scores.max_cosine, *SAME_TEXT_RAMP)
    )
    less = (LEXICAL_WEIGHT_MAX - LEXICAL_WEIGHT_MIN) * min(evidence, 1.0)
    return Weights(LEXICAL_WEIGHT_MAX - believed * less, believed)


def dense_trust(lexical: Floats, cosines: Floats) -> float:
    """Return by how much candidates with the query's words are closer to it than chance has it.

    The mean of the cosines, weighted by the words, in standard deviations of what it would be if
    cosines were dealt out at random. An embedder that knows nothing of a language gets about 0,
    give or take 1, whatever the scale of its cosines is.

    Args:
        lexical: (n,) scores of at least 0.
        cosines: (n,) NaN for a candidate without a vector.
    """
    present = ~np.isnan(cosines)
    if present.sum() < TRUSTED_CANDIDATES_MIN:
        return np.inf
    by_words = lexical[present] - lexical[present].mean()
    by_vectors = cosines[present] - cosines[present].mean()
    chance = float(np.linalg.norm(by_words)) * float(by_vectors.std())
    return float(by_words @ by_vectors) / chance if chance > EPSILON else 0.0


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
