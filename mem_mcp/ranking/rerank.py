"""What a reranking model says of the best candidates, as a part of their scores."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.candidates import Ranking
from mem_mcp.ranking.constants import RERANK_SHARE


def reranked(ranking: Ranking, rows: Sequence[int], relevance: Sequence[float]) -> Ranking:
    """Return a ranking in which a model's relevance counts beside our own score.

    Args:
        ranking: ours.
        rows: those that the model has read.
        relevance: of each, higher is better. Outside 0..1 it is taken for a logit.

    Returns:
        Scores in 0..1. What the model has not read counts as irrelevant to it.
    """
    told = np.zeros(ranking.score.size)
    told[list(rows)] = _fractions(np.asarray(relevance, np.float64))
    score = np.round((1 - RERANK_SHARE) * ranking.score + RERANK_SHARE * told, 6)
    # Equal scores stand as they stood.
    order = ranking.order[np.argsort(-score[ranking.order], kind="stable")]
    parts = {name: (1 - RERANK_SHARE) * part for name, part in ranking.parts.items()}
    return Ranking(order, score, {**parts, "rerank": RERANK_SHARE * told})


def _fractions(relevance: NDArray[np.float64]) -> NDArray[np.float64]:
    if ((relevance >= 0) & (relevance <= 1)).all():
        return relevance
    return np.asarray(1 / (1 + np.exp(-np.clip(relevance, -50, 50))))
