"""Other rankings to compare ours with: the usual ones by words and by vectors.

They rank the same candidates by the same texts and vectors; candidates with equal scores stay in
the order of the data set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mem_mcp.api.models import Memory
from mem_mcp.embedding import Embedder, Role
from mem_mcp.ranking.bm25 import bm25, match
from mem_mcp.ranking.dense import VectorSet, dense_scores
from mem_mcp.ranking.text_analysis import TermTable, terms
from mem_mcp.writing.memory_text import embedded_text

RRF_K = 60
"""Of Cormack, Clarke and Buettcher (2009), where reciprocal rank fusion comes from."""
LEGEND = (
    "BM25: with stemming; dense: cosine of the embeddings; RRF: their reciprocal ranks, "
    f"k {RRF_K}; half: half of each of their min-max scores"
)

RankingScores = NDArray[np.float64]


class Baselines:
    """The other rankings; each text is embedded once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors: dict[tuple[str, Role], NDArray[np.float32]] = {}

    async def orders(
        self, query: str, candidates: Sequence[Memory], limit: int
    ) -> dict[str, list[str]]:
        """Return the ids of the first candidates of each ranking.

        Args:
            query: the question.
            candidates: all that it may find; at least one.
            limit: how many ids each ranking returns at most.
        """
        (asked,) = await self._embed([query], "query")
        stored = await self._embed([*map(embedded_text, candidates)], "passage")
        words = bm25(
            match(terms(query), TermTable.of([terms(memory.text) for memory in candidates]))
        )
        rankings = every_ranking(words, dense_scores(asked, VectorSet.of(stored)).cosines)
        return {
            name: [candidates[row].memory_id for row in _order(scores)[:limit]]
            for name, scores in rankings.items()
        }

    async def _embed(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if (text, role) not in self._vectors]
        if new:
            rows = await self._embedder.embed(new, role)
            self._vectors |= {(text, role): row for text, row in zip(new, rows, strict=True)}
        return np.stack([self._vectors[text, role] for text in texts])


def every_ranking(words: RankingScores, meaning: RankingScores) -> dict[str, RankingScores]:
    """Return the scores of each ranking.

    Args:
        words: (n,) BM25 scores.
        meaning: (n,) cosines.
    """
    return {
        "BM25": words,
        "dense": meaning,
        "RRF": _reciprocal(words) + _reciprocal(meaning),
        "half": (_stretched(words) + _stretched(meaning)) / 2,
    }


def _order(scores: RankingScores) -> NDArray[np.int64]:
    return np.argsort(-scores, kind="stable")


def _reciprocal(scores: RankingScores) -> RankingScores:
    reciprocal = np.empty_like(scores)
    reciprocal[_order(scores)] = 1 / (RRF_K + 1 + np.arange(scores.size))
    return reciprocal


def _stretched(scores: RankingScores) -> RankingScores:
    low, high = scores.min(), scores.max()
    return np.asarray((scores - low) / (high - low)) if high > low else np.zeros_like(scores)
