"""Memories that say the same: only the best of them is worth its place in an answer."""

import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.candidates import Candidates
from mem_mcp.ranking.constants import DUPLICATE_COSINE, REMARK_WORDS
from mem_mcp.ranking.text_analysis import STOP_WORDS

_TINY = 1e-9
_EXACT = re.compile(r"\d+|(?<=.)\b[A-Z]\w*|\b(?:no|not|never|none|without|before|after)\b|n't\b")


class Chosen:
    """The memories taken so far, to hold others against."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._texts: set[tuple[str, ...]] = set()
        self._rows: list[int] = []
        self._units: list[NDArray[np.float32]] = []

    def add(self, row: int) -> bool:
        """Take a candidate unless one taken before says the same; return whether it was taken.

        What was said in a conversation counts as the same only word for word, from the same speaker
        and where it is more than a remark: "Yes, sure!" means something else each time.
        """
        key = self._key(row)
        unit = self._unit(row)
        if key in self._texts or self._is_near(row, unit):
            return False
        self._texts.add(key)
        if unit is not None:
            self._rows.append(row)
            self._units.append(unit)
        return True

    def _key(self, row: int) -> tuple[str, ...]:
        candidates = self._candidates
        text = unicodedata.normalize("NFKC", candidates.texts[row]).casefold().split()
        if not self._is_said(row):
            return (candidates.labels[row], *text)
        mark = candidates.memory_ids[row] if len(text) <= REMARK_WORDS else ""
        return (mark, candidates.actor_ids[row] or "", *text)

    def _is_said(self, row: int) -> bool:
        return self._candidates.kinds[row] == "message"

    def _unit(self, row: int) -> NDArray[np.float32] | None:
        vector = self._candidates.vectors[row]
        if self._is_said(row) or not vector.size or not np.isfinite(vector).all():
            return None
        return np.asarray(vector / max(float(np.linalg.norm(vector)), _TINY))

    def _is_near(self, row: int, unit: NDArray[np.float32] | None) -> bool:
        if unit is None or not self._units:
            return False
        near = np.flatnonzero(np.stack(self._units) @ unit >= DUPLICATE_COSINE)
        exact = self._exact(row)
        return any(self._exact(self._rows[other]) == exact for other in near)

    def _exact(self, row: int) -> list[str]:
        """Return, in order, what a vector hardly sees: numbers, names and negations."""
        found = _EXACT.findall(self._candidates.texts[row])
        exact = [word for word in found if not word[0].isupper() or word.lower() not in STOP_WORDS]
        return [self._candidates.labels[row], *exact]
