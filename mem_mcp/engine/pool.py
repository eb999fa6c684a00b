"""The rows that a recall ranks: a small scope whole, of a large one the nearest by each side."""

from __future__ import annotations

import asyncio
from datetime import datetime

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
_Place = tuple[str, str | None, int]


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
        most = resources.settings.recall.whole
        found = await resources.scopes.whole(resources.store, visible, scope, now, most)
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


async def _nearest(
    store: Store,
    query: str,
    vector: Vector | None,
    visible: Filters,
    limit: int,
) -> pa.Table:
    words = " ".join(dict.fromkeys(query.split()[:_MOST_WORDS]))
    legs = [store.matching(words, visible, COLUMNS, limit=limit)]
    if vector is not None:
        legs.append(store.closest(vector, visible, COLUMNS, limit=limit))
    found = await asyncio.gather(*legs)
    rows = _distinct(pa.concat_tables(found))
    best = {i for leg in found for i in leg["version_id"][:_WITH_NEIGHBOURS].to_pylist()}
    places = _places_beside(rows, best)
    if not places:
        return rows
    runs = {run_id for _, run_id, _ in places}
    named = {"run_id": {"in": sorted(run for run in runs if run is not None)}}
    conditions = every(
        visible,
        {"OR": [named, {"run_id": {"exists": False}}]} if None in runs else named,
        {"position": {"in": sorted({position for _, _, position in places})}},
    )
    beside = await store.scan(conditions, COLUMNS)
    near = [place in places for place in _places(beside)]
    return _distinct(pa.concat_tables([rows, beside.filter(pa.array(near, pa.bool_()))]))


def _distinct(rows: pa.Table) -> pa.Table:
    first: dict[str, int] = {}
    for index, version_id in enumerate(rows["version_id"].to_pylist()):
        first.setdefault(version_id, index)
    return rows.take(pa.array(list(first.values()), pa.int64()))


def _places_beside(rows: pa.Table, best: set[str]) -> set[_Place]:
    """Return the places in runs that are near those of the best rows."""
    return {
        (user_id, run_id, position + step)
        for version_id, (user_id, run_id, position) in zip(
            rows["version_id"].to_pylist(), _places(rows), strict=True
        )
        if position is not None and version_id in best
        for step in range(-min(_REACH, position), _REACH + 1)
    }


def _places(rows: pa.Table) -> list[tuple[str, str | None, int | None]]:
    columns = (rows[name].to_pylist() for name in ("user_id", "run_id", "position"))
    return list(zip(*columns, strict=True))
