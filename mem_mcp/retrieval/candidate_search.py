"""The rows that a recall ranks: a small scope whole, of a large one the nearest by each side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pyarrow as pa

from mem_mcp.retrieval.candidate_rows import COLUMNS, CandidateTable
from mem_mcp.retrieval.entity_search import led_to, named
from mem_mcp.retrieval.feedback_signals import Experience
from mem_mcp.retrieval.row_filters import RowFilter, every
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters, Store, Vector
from mem_mcp.telemetry import span

# Words past these add nothing to the choice of candidates and make the search slow.
_MOST_WORDS = 64
# Messages whose neighbours are looked up, and how far from them.
_WITH_NEIGHBOURS = 50
_REACH = 2
_Place = tuple[str, str | None, int]
Embedding = asyncio.Task[tuple[list[Vector | None], list[str]]]


async def gather(
    runtime: Runtime,
    query: str,
    embedding: Embedding,
    view: RowFilter,
    known: asyncio.Task[Experience],
) -> CandidateTable:
    """Find the candidates of a question.

    Args:
        runtime: what to work with.
        query: the question.
        embedding: gives the question's vector, or None for a search by words only; a small scope
            is read while it is made.
        view: which rows may be seen at all; applied before any limit.
        known: gives the experience; what helped with questions like this one belongs to the
            candidates.
    """
    found = await runtime.scopes.whole(runtime.store, view, runtime.settings.recall.whole)
    if found is not None:
        return found
    (vector,), _ = await embedding
    with span("search"):
        limit = runtime.settings.recall.pool
        favoured = (await known).boosted_by_feedback(vector)
        store, rows = runtime.store, runtime.scopes.at_least(runtime.store, view)
        found_rows = await _nearest(store, query, vector, view, limit, favoured, rows)
        return CandidateTable.of(found_rows)


async def _nearest(
    store: Store,
    query: str,
    vector: Vector | None,
    view: RowFilter,
    limit: int,
    favoured: Sequence[str],
    at_least: int,
) -> pa.Table:
    visible = view.conditions
    words = " ".join(dict.fromkeys(query.split()[:_MOST_WORDS]))
    legs = [store.matching(words, visible, COLUMNS, limit=limit)]
    if vector is not None:
        legs.append(store.closest(vector, visible, COLUMNS, limit=limit, at_least=at_least))
    if favoured:
        legs.append(store.scan(every(visible, {"memory_id": {"in": [*favoured]}}), COLUMNS))
    legs.append(named(store, query, visible, COLUMNS))
    found = await asyncio.gather(*legs)
    rows = _distinct(pa.concat_tables(found))
    best = {i for leg in found for i in leg["version_id"][:_WITH_NEIGHBOURS].to_pylist()}
    further = await asyncio.gather(
        led_to(store, query, rows, visible, COLUMNS), _beside(store, rows, best, visible)
    )
    return _distinct(pa.concat_tables([rows, *further]))


async def _beside(store: Store, rows: pa.Table, best: set[str], visible: Filters) -> pa.Table:
    """Read what stands beside the best rows in their runs, and is not among them."""
    places = _places_beside(rows, best) - set(_places(rows))
    if not places:
        return rows.slice(0, 0)
    runs = {run_id for _, run_id, _ in places}
    known = {"run_id": {"in": sorted(run for run in runs if run is not None)}}
    conditions = every(
        visible,
        {"OR": [known, {"run_id": {"exists": False}}]} if None in runs else known,
        {"position": {"in": sorted({position for _, _, position in places})}},
    )
    # First where they are: a run may have many rows, and each comes with its vector.
    beside = await store.scan(conditions, ["version_id", "user_id", "run_id", "position"])
    ids = beside["version_id"].to_pylist()
    near = [
        version_id
        for version_id, place in zip(ids, _places(beside), strict=True)
        if place in places
    ]
    if not near:
        return rows.slice(0, 0)
    return await store.scan(every(visible, {"version_id": {"in": near}}), COLUMNS)


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
