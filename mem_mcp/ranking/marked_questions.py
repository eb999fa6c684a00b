"""The questions that memories were marked for, and how like them a new one is."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mem_mcp.ranking.arrays import Booleans, Floats, Integers, Vectors
from mem_mcp.ranking.bm25 import idf
from mem_mcp.ranking.constants import EPSILON, QUERY_CHARACTERS_READ, QUERY_WORDS_SHARE
from mem_mcp.ranking.dense import has_vector
from mem_mcp.ranking.text_analysis import TermTable, terms


@dataclass(frozen=True)
class MarkedQuestions:
    """k questions, each once, by their vectors and their words."""

    vectors: Vectors
    """(k, d) normalised; NaN for none."""
    words: TermTable
    """Of the k texts; no terms where only the vector is known."""

    @classmethod
    def of(cls, texts: list[str], vectors: Vectors) -> "MarkedQuestions":
        """Prepare questions.

        Args:
            texts: of each its text, "" where only the vector counts. The first
                `QUERY_CHARACTERS_READ` characters are read.
            vectors: (k, d) normalised; NaN for none.
        """
        return cls(vectors, TermTable.of([terms(text[:QUERY_CHARACTERS_READ]) for text in texts]))

    def __len__(self) -> int:
        return len(self.vectors)

    def similarity(self, text: str, vector: Vectors | None) -> Floats:
        """Return (k,) how like each question is to a new one, 0..1; the same one has 1.

        A mix of the cosines of their vectors and of their words, by `QUERY_WORDS_SHARE`; one of
        them where only that is known of both.

        Args:
            text: of the new question.
            vector: (d,) normalised; None for none.
        """
        by_words, has_words = self._by_words(text)
        if vector is None or not self.vectors.size or not has_vector(vector[None])[0]:
            return by_words
        cosines = np.clip(self.vectors @ vector, 0.0, 1.0).astype(np.float64)
        mixed = (1 - QUERY_WORDS_SHARE) * cosines + QUERY_WORDS_SHARE * by_words
        return np.where(np.isnan(cosines), by_words, np.where(has_words, mixed, cosines))

    def _by_words(self, text: str) -> tuple[Floats, Booleans]:
        """Return the cosines of the words, weighted by idf, and which questions have any."""
        asked = terms(text[:QUERY_CHARACTERS_READ])
        has_words = self._norms > 0
        if not asked.ids.size:
            return np.zeros(len(self)), np.zeros(len(self), np.bool_)
        places, column = self.words.places(asked.ids)
        weights = self._idf(np.bincount(column, minlength=asked.ids.size))
        shared = np.bincount(self.words.rows[places], weights[column] ** 2, minlength=len(self))
        norms = self._norms * float(np.linalg.norm(weights))
        return np.clip(shared / np.maximum(norms, EPSILON), 0.0, 1.0), has_words

    @cached_property
    def _norms(self) -> Floats:
        _, which, frequency = np.unique(self.words.ids, return_inverse=True, return_counts=True)
        squares = self._idf(frequency)[which] ** 2
        return np.sqrt(np.bincount(self.words.rows, squares, minlength=len(self)))

    def _idf(self, frequency: Integers) -> Floats:
        return idf(frequency, len(self))
