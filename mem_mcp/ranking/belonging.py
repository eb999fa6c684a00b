"""Which memories belong to an answer, where the caller names no least score."""

import numpy as np

from mem_mcp.ranking.arrays import Booleans
from mem_mcp.ranking.candidates import Ranking
from mem_mcp.ranking.constants import LEAST_SCORE, NEAR_SHARE

_REASONS = ("graph", "useful_here", "context")
"""Parts that are a reason by themselves: a name's connections, marks given for such a question, and
what is said before and after. They are small beside words and meaning."""


def belonging(ranking: Ranking, share: float) -> Booleans:
    """Return which candidates do not clearly have nothing to do with the question.

    Those do that score a share of the best one, if they are near to it or score something by
    themselves: where nothing answers, all scores are low, and many are within the share. The others
    belong if something else speaks for them than their score: about as many of the question's words
    as any has, since like-worded texts differ in their scores by chance, or one of `_REASONS`.
    What a reranking model has read is judged by its score alone.

    Args:
        ranking: Of the candidates that are compared: those of its order.
        share: Of the best score, 0..1; 0 for all candidates.

    Returns:
        (n,) by row. The best one belongs.
    """
    if not share or not ranking.order.size:
        return np.ones(ranking.score.size, np.bool_)
    # What the question names by its id belongs, and is no measure for the others.
    named = ranking.parts.get("id", np.zeros(ranking.score.size))
    best = float((ranking.score - named)[ranking.order].max())
    least = max(share * best, min(LEAST_SCORE, NEAR_SHARE * best))
    belongs = np.asarray((ranking.score >= least) | (named > 0))
    if "rerank" in ranking.parts:
        return belongs
    for name in _REASONS:
        if name in ranking.parts:
            belongs = belongs | (ranking.parts[name] > 0)
    words = ranking.parts.get("words")
    if words is not None and (most := float(words[ranking.order].max())) > 0:
        belongs = belongs | (words >= NEAR_SHARE * most)
    return belongs
