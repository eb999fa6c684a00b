"""How near the best passage of each long text is to a question."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mem_mcp.ranking.arrays import Floats, Integers, Vectors
from mem_mcp.ranking.constants import NEAREST_PASSAGE_SHARE
from mem_mcp.ranking.dense import DenseScores, VectorSet, dense_scores


@dataclass(frozen=True, slots=True)
class PassageVectors:
    """The vectors of the passages of those of n texts that have some."""

    texts: Integers
    """(m,) rows of the texts, rising."""
    first: Integers
    """(m,) row of each text's first passage."""
    vector_set: VectorSet
    """Those of all passages; the mean is that of the texts."""

    @classmethod
    def of(cls, by_passage: Sequence[Vectors | None], wholes: VectorSet) -> "PassageVectors | None":
        """Lay out vectors of passages; None where no text has any that compare with the wholes'.

        Args:
            by_passage: (n) of each text (k, d), or None.
            wholes: the vectors of the texts.
        """
        width = wholes.rows.shape[1]
        own = {
            text: rows
            for text, rows in enumerate(by_passage)
            if rows is not None and len(rows) and rows.shape[1] == width and wholes.present[text]
        }
        if not own:
            return None
        sizes = np.array([len(rows) for rows in own.values()], np.int64)
        return cls(
            np.array([*own], np.int64),
            np.cumsum(sizes) - sizes,
            VectorSet.of(np.concatenate([*own.values()]), mean=wholes.mean),
        )

    def nearest(self, query: Vectors, known: float) -> tuple[Floats, Floats]:
        """Return (m,) the best cosine of each text's passages, and their best centred one.

        Both are NaN where no passage has a vector.

        Args:
            query: (d,)
            known: share of the question's words that some text has, 0..1.
        """
        scores = dense_scores(query, self.vector_set, known)
        cosines, centred = (
            np.fmax.reduceat(each, self.first) for each in (scores.cosines, scores.centred)
        )
        return np.asarray(cosines), np.asarray(centred)


def with_nearest_passages(
    dense: DenseScores,
    query: Vectors | None,
    head: Vectors | None,
    wholes: VectorSet,
    passages: PassageVectors | None,
    known: float,
    owner: Integers,
) -> DenseScores:
    """Mix into the scores of each text those of its nearest passage; a short text is its own.

    Args:
        dense: the scores of the rows, each by the vector of its whole text.
        query: the question's vector; None where there is none.
        head: that of a long question's first passage, which is compared with the passages in place
            of the whole; None for a short one.
        wholes: the vectors of the n texts.
        passages: those of their passages; None where no text has any.
        known: share of the question's words that some text has, 0..1.
        owner: (p,) the text of each row.
    """
    if query is None or (passages is None and head is None):
        return dense
    near = (dense.cosines, dense.centred)
    if head is not None:
        of_head = dense_scores(head, wholes, known)
        near = (of_head.cosines[owner], of_head.centred[owner])
    if passages is not None:
        nearest = passages.nearest(query if head is None else head, known)
        place = np.full(wholes.present.size, -1)
        place[passages.texts] = np.arange(passages.texts.size)
        near = (_put(near[0], nearest[0], place[owner]), _put(near[1], nearest[1], place[owner]))
    return replace(
        dense, cosines=_mixed(dense.cosines, near[0]), centred=_mixed(dense.centred, near[1])
    )


def _put(scores: Floats, nearest: Floats, place: Integers) -> Floats:
    """Return (p,) scores, in place of which there are those of the nearest passages."""
    found = np.where(place >= 0, nearest[place], np.nan)
    return np.where(np.isnan(found), scores, found)


def _mixed(of_wholes: Floats, near: Floats) -> Floats:
    return np.asarray((1 - NEAREST_PASSAGE_SHARE) * of_wholes + NEAREST_PASSAGE_SHARE * near)
