"""Selection of the answer from a ranking: its limits, and no near-duplicates."""

import re
import unicodedata

import numpy as np

from mem_mcp.ranking.arrays import Vectors
from mem_mcp.ranking.candidates import Candidates, Ranking
from mem_mcp.ranking.constants import DUPLICATE_COSINE, EPSILON, REMARK_WORDS_MAX
from mem_mcp.ranking.text_analysis import STOP_WORDS
from mem_mcp.text import count_tokens

# What a vector hardly represents: numbers, names (capitals past the start), negations and order.
_DETAILS = re.compile(r"\d+|(?<=.)\b[A-Z]\w*|\b(?:no|not|never|none|without|before|after)\b|n't\b")


def select(
    ranking: Ranking,
    candidates: Candidates,
    limit: int,
    max_tokens: int = 0,
    min_score: float = 0.0,
) -> list[int]:
    """Choose the memories of the answer, best first.

    Args:
        ranking: Of these candidates.
        candidates: The ranked memories.
        limit: Most memories.
        max_tokens: Most tokens in all, as `count_tokens` estimates them; 0 for no limit. A memory
            that does not fit is left out, and smaller ones after it may still fit.
        min_score: Least score, 0..1.

    Returns:
        Rows of the candidates. A near-duplicate of a better one is replaced by the next best.
    """
    distinct, rows = DistinctMemories(candidates), list[int]()
    left = max_tokens or float("inf")
    for row in ranking.order.tolist():
        if len(rows) >= limit or ranking.score[row] < min_score:
            break
        size = count_tokens(candidates.texts[row]) if max_tokens else 0
        if size <= left and distinct.add(row):
            rows.append(row)
            left -= size
    return rows


def least_score(ranking: Ranking, share: float) -> float:
    """Return the score below which a memory clearly does not belong.

    Args:
        ranking: Of all candidates.
        share: Of the best score, 0..1; 0 for no bound.
    """
    return share * float(ranking.score.max(initial=0.0))


class DistinctMemories:
    """A set of candidates of which no two say the same."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._texts: set[tuple[str, ...]] = set()
        self._rows: list[int] = []
        self._units: list[Vectors] = []

    def add(self, row: int) -> bool:
        """Add a candidate unless the set has one that says the same; return whether it was added.

        Messages of a conversation say the same only if they are equal word for word, from the same
        speaker, and more than a remark: "Yes, sure!" means something else each time.
        """
        key = self._key(row)
        unit = self._unit(row)
        if key in self._texts or self._has_similar(row, unit):
            return False
        self._texts.add(key)
        if unit is not None:
            self._rows.append(row)
            self._units.append(unit)
        return True

    def _key(self, row: int) -> tuple[str, ...]:
        """Return what two candidates have in common if their texts are equal."""
        candidates = self._candidates
        words = unicodedata.normalize("NFKC", candidates.texts[row]).casefold().split()
        if not self._is_message(row):
            return (candidates.labels[row], *words)
        remark = candidates.memory_ids[row] if len(words) <= REMARK_WORDS_MAX else ""
        return (remark, candidates.actor_ids[row] or "", *words)

    def _is_message(self, row: int) -> bool:
        return self._candidates.kinds[row] == "message"

    def _unit(self, row: int) -> Vectors | None:
        """Return the unit vector to compare; None if there is none, and for messages."""
        vector = self._candidates.vectors[row]
        if self._is_message(row) or not vector.size or not np.isfinite(vector).all():
            return None
        return np.asarray(vector / max(float(np.linalg.norm(vector)), EPSILON))

    def _has_similar(self, row: int, unit: Vectors | None) -> bool:
        if unit is None or not self._units:
            return False
        near = np.flatnonzero(np.stack(self._units) @ unit >= DUPLICATE_COSINE)
        details = self._details(row)
        return any(self._details(self._rows[other]) == details for other in near)

    def _details(self, row: int) -> list[str]:
        """Return what has to be equal besides the vectors, in order."""
        words = _DETAILS.findall(self._candidates.texts[row])
        kept = [word for word in words if not word[0].isupper() or word.lower() not in STOP_WORDS]
        return [self._candidates.labels[row], *kept]
