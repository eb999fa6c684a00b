"""The passages of all candidates as rows: what words and vectors are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mem_mcp.ranking.arrays import Floats, Integers, Vectors
from mem_mcp.ranking.constants import PASSAGE_LENGTH_MAX
from mem_mcp.ranking.conversation_context import Neighbours, neighbours_in_runs
from mem_mcp.ranking.dense import VectorSet
from mem_mcp.ranking.passage_split import passages
from mem_mcp.ranking.text_analysis import TermTable, terms


@dataclass(frozen=True, slots=True)
class PassageTable:
    """The p passages of n candidates; those of a candidate stand together, in order."""

    first: Integers
    """(n,) row of each candidate's first passage."""
    terms: TermTable
    vector_set: VectorSet
    neighbours: Neighbours
    """Of each passage: the passages around it in its text and, at the ends, in its run."""
    shares: Floats | None = None
    """(p,) 1, divided by the passages of the same candidate: a candidate counts once, however
    long its text is. None where each has one passage."""

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        vectors: Vectors,
        run_ids: Sequence[str | None],
        positions: Integers,
        language: str,
    ) -> "PassageTable":
        """Lay out the passages of n texts.

        Args:
            texts: (n)
            vectors: (n, d) of the texts, which stand for each passage; a row of NaN or zeros for
                none.
            run_ids: (n) None for no run.
            positions: (n,) within the runs, -1 for none.
            language: of a text whose own words do not tell.
        """
        parts = [passages(text) for text in texts]
        sizes = np.array([len(each) for each in parts], np.int64)
        owner = np.repeat(np.arange(len(texts)), sizes)
        pieces = [text[part] for text, each in zip(texts, parts, strict=True) for part in each]
        table = TermTable.of([terms(piece, language) for piece in pieces])
        first = np.cumsum(sizes) - sizes
        shares = 1 / sizes[owner]
        return cls(
            first,
            table._replace(lengths=_counted(table.lengths, shares)),
            VectorSet.of(vectors[owner], shares),
            neighbours_in_runs(run_ids, positions, table.lengths, vectors, owner),
            shares,
        )

    @property
    def owner(self) -> Integers:
        """(p,) the candidate of each passage."""
        sizes = np.diff(self.first, append=self.vector_set.present.size)
        return np.repeat(np.arange(self.first.size), sizes)

    def best(self, scores: Floats) -> Integers:
        """Return (n,) the row of each candidate's best passage, of equal ones the first.

        Args:
            scores: (p,)
        """
        if self.first.size == scores.size:
            return self.first
        is_best = scores == np.maximum.reduceat(scores, self.first)[self.owner]
        rows = np.where(is_best, np.arange(scores.size), scores.size)
        return np.asarray(np.minimum.reduceat(rows, self.first))


def _counted(lengths: Floats, shares: Floats) -> Floats:
    """Return lengths in which those of a long text's passages are bounded by the whole texts'.

    How long they are is how they were cut, which is no reason to rate them far below short texts.
    """
    is_whole = shares == 1
    if not is_whole.any():
        return lengths
    most = PASSAGE_LENGTH_MAX * float(lengths[is_whole].mean())
    return np.where(is_whole, lengths, np.minimum(lengths, most))
