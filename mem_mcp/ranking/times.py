"""Questions for a time, and texts that tell one."""

import re

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.text_analysis import TermTable, terms

# At its start: "what did she do when it rained" asks for something else.
_ASKED = re.compile(
    r"\W*(?:(?:since|until|by|in|on|at|for|from|about) )?"
    r"(?:when|how (?:long|recently)|(?:what|which) (?:date|day|month|year|time|week))\b",
    re.IGNORECASE,
)
# Without "may", which more often is the verb; years as they are written in talk.
_TOLD = """
yesterday today tonight tomorrow last next ago since recent soon weekend week month year day morning
afternoon evening night spring summer autumn fall winter monday tuesday wednesday thursday friday
saturday sunday january february march april june july august september october november december
"""
_TIME_TERMS = terms(_TOLD + " ".join(str(year) for year in range(1950, 2050))).ids


def asks_for_time(question: str) -> bool:
    """Tell whether the (English) question wants to know when or how long."""
    return _ASKED.match(question) is not None


def tell_time(texts: TermTable) -> NDArray[np.float64]:
    """Return 1 for each text that has an (English) time expression, else 0."""
    told = np.isin(texts.ids, _TIME_TERMS)
    return (np.bincount(texts.rows[told], minlength=texts.lengths.size) > 0).astype(np.float64)
