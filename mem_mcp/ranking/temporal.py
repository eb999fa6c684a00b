"""Time in the ranking: questions that ask for a time, and the recency of memories."""

import re
from collections.abc import Sequence

import numpy as np

from mem_mcp.ranking.arrays import Floats
from mem_mcp.ranking.constants import KIND_HALF_LIVES, RECENCY_HALF_LIFE
from mem_mcp.ranking.text_analysis import TermTable, terms

# Only at the start: "what did she do when it rained" does not ask for a time.
_TIME_QUESTION = re.compile(
    r"\W*(?:(?:since|until|by|in|on|at|for|from|about) )?"
    r"(?:when|how (?:long|recently)|(?:what|which) (?:date|day|month|year|time|week))\b",
    re.IGNORECASE,
)
# Without "may", which is a verb more often; years are those that conversations mention.
_TIME_WORDS = """
yesterday today tonight tomorrow last next ago since recent soon weekend week month year day morning
afternoon evening night spring summer autumn fall winter monday tuesday wednesday thursday friday
saturday sunday january february march april june july august september october november december
"""
_TIME_TERMS = terms(_TIME_WORDS + " ".join(str(year) for year in range(1950, 2050))).ids


def asks_for_time(question: str) -> bool:
    """Return whether an English question asks when or how long."""
    return _TIME_QUESTION.match(question) is not None


def mentions_time(texts: TermTable) -> Floats:
    """Return 1 for each text that contains an English time expression, else 0."""
    is_time = np.isin(texts.ids, _TIME_TERMS)
    return (np.bincount(texts.rows[is_time], minlength=texts.lengths.size) > 0).astype(np.float64)


def recency(occurred_at: Floats, now: float, kinds: Sequence[str]) -> Floats:
    """Return 1 for what happens now or later, halved with each half-life that has passed.

    Args:
        occurred_at: (n,) epoch seconds.
        now: Epoch seconds of the query.
        kinds: (n) of the memories; the half-life depends on it.
    """
    age = np.maximum(now - occurred_at, 0.0)
    half_lives = np.array([KIND_HALF_LIVES.get(kind, RECENCY_HALF_LIFE) for kind in kinds])
    return np.asarray(np.exp2(-age / half_lives))
