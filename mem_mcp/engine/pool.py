"""The rows that a recall ranks: a small scope whole, of a large one the nearest by each side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mem_mcp.engine.resources import Resources
from mem_mcp.engine.visibility import every
from mem_mcp.store import Filters, Store, Vector

# Words past these add nothing to the choice of candidates and make the search slow.
_MOST_WORDS = 64
# Messages whose neighbours are looked up, and how far from them.
_WITH_NEIGHBOURS = 50
_REACH = 2


async def gather(
    resources: Resources,
    query: str,
    vector: Vector | None,
    visible: Filters,
    columns: Sequence[str],
) -> pa.Table:
    """Read the candidates of a question.

    Args:
        resources: what to work with.
        query: the question.
        vector: its embedding, or None for a search by words only.
        visible: which rows may be seen at all; applied before any limit.
        columns: fields of a row.

    Returns:
        Rows, each once.
    """
    store, settings = resources.store, resources.settings.recall
    if await store.count(visible) <= settings.whole:
        return await store.scan(visible, columns)
    words = " ".join(dict.fromkeys(query.split()[:_MOST_WORDS]))
    dense, lexical = await asyncio.gather(
        _dense(store, vector, visible, settings.pool),
        store.matching(words, visible, limit=settings.pool),
    )
    ids = list(dict.fromkeys([*dense, *lexical]))
    found = await store.scan(every(visible, {"version_id": {"in": ids}}), columns)
    best = {*dense[:_WITH_NEIGHBOURS], *lexical[:_WITH_NEIGHBOURS]}
    beside = _neighbours(found, best)
    if not beside:
        return found
    others = {"version_id": {"nin": ids}}
    return pa.concat_tables([found, await store.scan(every(visible, beside, others), columns)])


async def _dense(store: Store, vector: Vector | None, visible: Filters, limit: int) -> list[str]:
    if vector is None:
        return []
    (rows,) = await store.nearest(np.stack([vector]), visible, ["version_id"], limit=limit)
    return [row["version_id"] for row in rows]


def _neighbours(found: pa.Table, best: set[str]) -> Mapping[str, Any]:
    places: dict[tuple[str, str | None], set[int]] = {}
    columns = ["version_id", "user_id", "run_id", "position"]
    for row in found.select(columns).to_pylist():
        if row["position"] is not None and row["version_id"] in best:
            near = range(max(0, row["position"] - _REACH), row["position"] + _REACH + 1)
            places.setdefault((row["user_id"], row["run_id"]), set()).update(near)
    runs = [
        {
            "user_id": user_id,
            "run_id": {"exists": False} if run_id is None else run_id,
            "position": {"in": sorted(positions)},
        }
        for (user_id, run_id), positions in places.items()
    ]
    return {"OR": runs} if runs else {}
