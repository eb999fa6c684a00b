"""What a user has stored already that is close to something new, or may be replaced by it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.api.models import Scope, Similar
from mem_mcp.ranking import Candidates
from mem_mcp.ranking.arrays import Booleans
from mem_mcp.ranking.changed_minds import (
    LEAST_COSINE,
    LEAST_LIKENESS,
    likeness,
    shared_words,
)
from mem_mcp.ranking.dense import has_vector
from mem_mcp.ranking.text_analysis import terms
from mem_mcp.retrieval.row_filters import every, owned, recallable, view
from mem_mcp.retrieval.scope_cache import Parts
from mem_mcp.runtime import Runtime
from mem_mcp.store import Vector, Version

# Memories near a text that are held against it.
_LOOKED_AT = 12


@dataclass(frozen=True, slots=True)
class _Near:
    memory_id: str
    text: str
    cosine: float
    """NaN where one of the two has no vector."""


async def similar(
    runtime: Runtime,
    user_id: str,
    texts: Sequence[str],
    embed: Callable[[], Awaitable[Sequence[Vector | None]]],
    moment: datetime,
    most: int,
) -> list[list[Similar]]:
    """Find what had been stored before a moment, and is close to texts or may be replaced by them.

    Args:
        runtime: what to work with.
        user_id: whose memories.
        texts: what is new.
        embed: gives the vectors of the texts, normalised; None where there is none, and nothing is
            found for it. A small scope is read while they are made.
        moment: what was recorded then or later is left out.
        most: memories for each text, nearest first.
    """
    # What a plain recall sees, so that both profit from what either has read.
    scope = Scope(user_id=user_id)
    plain = view(scope, moment)
    store, most_whole = runtime.store, runtime.settings.recall.whole
    space = store.space
    known = await runtime.scopes.parts(store, plain, most_whole)
    vectors = await embed()
    if store.space != space:  # the first vector tells how long all of them are
        known = await runtime.scopes.parts(store, plain, most_whole)
    found: list[list[Similar]] = [[] for _ in vectors]
    present = [(index, vector) for index, vector in enumerate(vectors) if vector is not None]
    if not present:
        return found
    asked = np.stack([vector for _, vector in present])
    if known is not None:
        near = _among(known, user_id, [texts[index] for index, _ in present], asked, moment)
    else:
        rows = await store.nearest(  # zeros are near nothing
            asked,
            every(owned(scope), recallable(moment)),
            ["memory_id", "text", "recorded_at"],
            # What is being stored may be found already.
            limit=_LOOKED_AT + len(present),
            least_cosine=LEAST_COSINE,
        )
        near = [
            [
                _Near(row["memory_id"], row["text"], row["cosine"])
                for row in some
                if row["recorded_at"] < moment
            ]
            for some in rows
        ]
    least = runtime.settings.remember.similar_score
    for (index, _), some in zip(present, near, strict=True):
        found[index] = _chosen(texts[index], some, least, most)
    return found


def _chosen(text: str, near: Sequence[_Near], least: float, most: int) -> list[Similar]:
    """Return what is close or may be replaced, of the likest, nearest first."""
    if not near:
        return []
    texts, cosines = [one.text for one in near], np.array([one.cosine for one in near])
    like = likeness(text, texts, cosines).tolist()
    close = np.where(np.isnan(cosines), shared_words(text, texts), cosines).tolist()
    rated = [
        (one, rating, score)
        for one, rating, score in zip(near, like, close, strict=True)
        if one.cosine >= least or rating >= LEAST_LIKENESS
    ]
    best = sorted(rated, key=lambda each: (not each[0].cosine >= least, -each[1]))[:most]
    return [
        Similar(memory_id=one.memory_id, text=one.text, score=round(score, 4))
        for one, _, score in sorted(best, key=lambda each: -each[2])
    ]


def _among(
    known: Parts, user_id: str, texts: Sequence[str], asked: Vector, moment: datetime
) -> list[list[_Near]]:
    found = [
        [*read, *written]
        for read, written in zip(
            _of_read(known, user_id, texts, asked, moment),
            _of_written(known.written, user_id, asked, moment),
            strict=True,
        )
    ]
    return [
        [*sorted(some, key=lambda one: (np.isnan(one.cosine), -one.cosine))[: 2 * _LOOKED_AT]]
        for some in found
    ]


def _of_read(
    known: Parts, user_id: str, texts: Sequence[str], asked: Vector, moment: datetime
) -> list[list[_Near]]:
    candidates = known.read.candidates
    own = np.asarray(pc.equal(known.read.rows["user_id"], pa.scalar(user_id)))
    eligible = own & (candidates.recorded_at < moment.timestamp())
    if known.stale:
        eligible &= np.array([one not in known.stale for one in candidates.memory_ids], bool)
    embedded = candidates.vector_set.present
    cosines = np.nan_to_num(asked @ candidates.vectors.T, nan=-1.0)
    cosines[:, ~(eligible & embedded)] = -1.0
    found = [
        [
            _Near(candidates.memory_ids[row], candidates.texts[row], float(scores[row]))
            for row in np.argsort(-scores, kind="stable")[:_LOOKED_AT].tolist()
            if scores[row] >= LEAST_COSINE
        ]
        for scores in cosines
    ]
    unread = [eligible & ~embedded if one else eligible for one in has_vector(asked)]
    return [
        [*some, *(_by_words(candidates, text, rows) if rows.any() else ())]
        for some, text, rows in zip(found, texts, unread, strict=True)
    ]


def _by_words(candidates: Candidates, text: str, among: Booleans) -> list[_Near]:
    """Return the candidates that share most words with a text."""
    places, _ = candidates.terms.places(terms(text, candidates.language).stems)
    shared = np.bincount(candidates.terms.rows[places], minlength=len(candidates)) * among
    return [
        _Near(candidates.memory_ids[row], candidates.texts[row], np.nan)
        for row in np.argsort(-shared, kind="stable")[:_LOOKED_AT].tolist()
        if shared[row]
    ]


def _of_written(
    rows: Sequence[Version], user_id: str, asked: Vector, moment: datetime
) -> list[list[_Near]]:
    present = [
        (row.memory, row.vector)
        for row in rows
        if row.vector is not None
        and row.memory.user_id == user_id
        and row.memory.recorded_at < moment
    ]
    if not present:
        return [[] for _ in asked]
    cosines = asked @ np.stack([vector for _, vector in present]).T
    return [
        [
            _Near(memory.memory_id, memory.text, float(score))
            for (memory, _), score in zip(present, scores, strict=True)
            if score >= LEAST_COSINE
        ]
        for scores in cosines
    ]
