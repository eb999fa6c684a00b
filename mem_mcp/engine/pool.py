"""The rows that a recall ranks: a small scope whole, of a large one the nearest by each side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from mem_mcp.engine.candidacy import COLUMNS, Candidacy
from mem_mcp.engine.resources import Resources
from mem_mcp.engine.visibility import every
from mem_mcp.store import Filters, Store, Vector
from mem_mcp.telemetry import span

# Words past these add nothing to the choice of candidates and make the search slow.
_MOST_WORDS = 64
# Messages whose neighbours are looked up, and how far from them.
_WITH_NEIGHBOURS = 50
_REACH = 2


async def gather(
    resources: Resources, query: str, visible: Filters, scope: str, now: datetime
) -> tuple[Vector | None, Candidacy, list[str]]:
    """Find the candidates of a question.

    Args:
        resources: what to work with.
        query: the question.
        visible: which rows may be seen at all; applied before any limit.
        scope: what names these conditions whatever the moment.
        now: the moment of the question.

    Returns:
        The question's vector, or None for a search by words only; the candidates; and what of the
        answer is degraded.
    """
    embedding = asyncio.create_task(resources.embed([query]))
    try:
        # A small scope is read while the question is embedded.
        found = await _whole(resources, visible, scope, now)
    except BaseException:
        embedding.cancel()
        raise
    (vector,), degraded = await embedding
    if found is None:
        with span("search"):
            pool = resources.settings.recall.pool
            rows = await _nearest(resources.store, query, vector, visible, pool)
            found = Candidacy.of(rows)
    return vector, found, degraded


async def _whole(
    resources: Resources, visible: Filters, scope: str, now: datetime
) -> Candidacy | None:
    """Read a scope whole if it is small."""
    store, scopes = resources.store, resources.scopes
    with span("count"):
        version = await store.version()
        found = scopes.get(scope, version, now)
        small = found or await store.count(visible) <= resources.settings.recall.whole
    if found is None and small:
        with span("read"):
            found = Candidacy.of(await store.scan(visible, COLUMNS))
        scopes.put(scope, version, found)
    return found


async def _nearest(
    store: Store,
    query: str,
    vector: Vector | None,
    visible: Filters,
    limit: int,
) -> pa.Table:
    words = " ".join(dict.fromkeys(query.split()[:_MOST_WORDS]))
    dense, lexical = await asyncio.gather(
        _dense(store, vector, visible, limit), store.matching(words, visible, limit=limit)
    )
    ids = list(dict.fromkeys([*dense, *lexical]))
    found = await store.scan(every(visible, {"version_id": {"in": ids}}), COLUMNS)
    best = {*dense[:_WITH_NEIGHBOURS], *lexical[:_WITH_NEIGHBOURS]}
    beside = _neighbours(found, best)
    if not beside:
        return found
    others = {"version_id": {"nin": ids}}
    return pa.concat_tables([found, await store.scan(every(visible, beside, others), COLUMNS)])


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
