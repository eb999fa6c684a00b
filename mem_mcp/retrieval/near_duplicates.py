"""What a user has stored already that is close to something new."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.api.models import Scope, Similar
from mem_mcp.retrieval.row_filters import every, owned, recallable, view
from mem_mcp.retrieval.scope_cache import Parts
from mem_mcp.runtime import Runtime
from mem_mcp.store import Vector, Version


async def similar(
    runtime: Runtime,
    user_id: str,
    embed: Callable[[], Awaitable[Sequence[Vector | None]]],
    moment: datetime,
    most: int,
) -> list[list[Similar]]:
    """Find what had been stored before a moment and is close to each of some vectors.

    Args:
        runtime: what to work with.
        user_id: whose memories.
        embed: gives the vectors, normalised; None where there is none, and nothing is found for
            it. A small scope is read while they are made.
        moment: what was recorded then or later is left out.
        most: memories for each vector.
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
    least = runtime.settings.remember.similar_score
    if known is not None:
        near = _among(known, user_id, asked, moment, most, least)
    else:
        rows = await store.nearest(
            asked,
            every(owned(scope), recallable(moment)),
            ["memory_id", "text", "recorded_at"],
            # What is being stored may be found already.
            limit=most + len(present),
            least_cosine=least,
        )
        near = [
            [
                Similar(memory_id=row["memory_id"], text=row["text"], score=round(row["cosine"], 4))
                for row in some
                if row["recorded_at"] < moment
            ]
            for some in rows
        ]
    for (index, _), some in zip(present, near, strict=True):
        found[index] = some[:most]
    return found


def _among(
    known: Parts, user_id: str, asked: Vector, moment: datetime, most: int, least: float
) -> list[list[Similar]]:
    found = [
        [*read, *written]
        for read, written in zip(
            _of_read(known, user_id, asked, moment, most, least),
            _of_written(known.written, user_id, asked, moment, least),
            strict=True,
        )
    ]
    return [sorted(some, key=lambda one: -one.score)[:most] for some in found]


def _of_read(
    known: Parts, user_id: str, asked: Vector, moment: datetime, most: int, least: float
) -> list[list[Similar]]:
    candidates = known.read.candidates
    own = np.asarray(pc.equal(known.read.rows["user_id"], pa.scalar(user_id)))
    eligible = own & (candidates.recorded_at < moment.timestamp())
    if known.stale:
        eligible &= np.array([one not in known.stale for one in candidates.memory_ids], bool)
    cosines = np.nan_to_num(asked @ candidates.vectors.T, nan=-1.0)
    cosines[:, ~eligible] = -1.0
    return [
        [
            Similar(
                memory_id=candidates.memory_ids[row],
                text=candidates.texts[row],
                score=round(float(scores[row]), 4),
            )
            for row in np.argsort(-scores, kind="stable")[:most].tolist()
            if scores[row] >= least
        ]
        for scores in cosines
    ]


def _of_written(
    rows: Sequence[Version], user_id: str, asked: Vector, moment: datetime, least: float
) -> list[list[Similar]]:
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
            Similar(memory_id=memory.memory_id, text=memory.text, score=round(float(score), 4))
            for (memory, _), score in zip(present, scores, strict=True)
            if score >= least
        ]
        for scores in cosines
    ]
