"""Changed minds: whether a new statement may replace an older one.

Measured on tests/data/changed_minds.jsonl, in six languages; the constants are from one half of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mem_mcp.ranking.arrays import Floats
from mem_mcp.ranking.change_words import says_change
from mem_mcp.ranking.text_analysis import terms

LEAST_LIKENESS = 0.6
"""Of two statements of which one may replace the other: names 10 of 12 of these, and no others."""
LEAST_COSINE = 0.3
"""Below it no two statements are that like."""
_SHARED_WORDS = 0.2
_CHANGE = 0.25
_WORDS_ALONE, _CHANGE_ALONE = 0.25, 0.15
"""Where there is no cosine: 35 % of the words of the shorter statement, or 20 % and a change."""
# Usual cosine of statements in one language that have nothing to do with each other.
_UNRELATED = 0.2


def likeness(new: str, others: Sequence[str], cosines: Floats) -> Floats:
    """Return how much others look like what a new statement replaces.

    It grows with how far the cosine is above that of unrelated statements, with the share of words
    that both have, and where the new one speaks of a change.

    Args:
        new: the new statement.
        others: (n) older ones.
        cosines: (n,) of their vectors with the new one's; NaN where one of them has none, and then
            words alone decide.

    Returns:
        (n,) compare with LEAST_LIKENESS.
    """
    above = (np.asarray(cosines, np.float64) - _UNRELATED) / (1 - _UNRELATED)
    shared, change = shared_words(new, others), float(says_change(new))
    by_words = shared + _WORDS_ALONE + _CHANGE_ALONE * change * (shared > 0)
    return np.where(np.isnan(above), by_words, above + _SHARED_WORDS * shared + _CHANGE * change)


def shared_words(text: str, others: Sequence[str]) -> Floats:
    """Return (n,) the share of the words of the shorter text, 0..1, that both texts have."""
    mine = terms(text)
    stems = {*mine.stems.tolist()}
    theirs = ({*terms(other, mine.language).stems.tolist()} for other in others)
    return np.array([_overlap(stems, each) for each in theirs])


def _overlap(some: set[int], others: set[int]) -> float:
    return len(some & others) / max(1, min(len(some), len(others)))
