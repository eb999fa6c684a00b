"""Candidate generation: all rows of a small scope, a hybrid search in a large one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pyarrow as pa

from mem_mcp.ranking import ids_in
from mem_mcp.ranking.spellings import usual
from mem_mcp.retrieval.access import beginning_with
from mem_mcp.retrieval.candidate_rows import COLUMNS, CandidateTable
from mem_mcp.retrieval.entity_search import mentioning, one_hop
from mem_mcp.retrieval.feedback_signals import FeedbackHistory
from mem_mcp.retrieval.row_filters import RowFilter, every
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters, Store, Vector
from mem_mcp.telemetry import span

# Further words of a query hardly change the candidates and make the search slow.
_MOST_WORDS = 64
# The best rows of each search, whose neighbouring messages become candidates, too.
_WITH_NEIGHBOURS = 50
# Distance in messages up to which a message counts as a neighbour.
_REACH = 2
# User, run and position of a message.
_Place = tuple[str, str | None, int]
Embedding = asyncio.Task[tuple[list[Vector | None], list[str]]]


async def find_candidates(
    runtime: Runtime,
    query: str,
    embedding: Embedding,
    row_filter: RowFilter,
    history: asyncio.Task[FeedbackHistory],
) -> CandidateTable:
    """Find the candidates of a query.

    Args:
        runtime: the open memory.
        query: the query.
        embedding: task that returns the query's vector, or None for a search by words only; it
            is awaited only for a large scope.
        row_filter: the rows that the caller may see; applied before any limit.
        history: task that returns earlier feedback; memories that helped with similar queries
            become candidates.
    """
    whole = await runtime.scopes.whole(runtime.store, row_filter, runtime.settings.recall.whole)
    if whole is not None:
        return whole
    (vector,), _ = await embedding
    with span("search"):
        limit = runtime.settings.recall.pool
        helpful = (await history).boosted_by_feedback(query, vector)
        store, at_least = runtime.store, runtime.scopes.at_least(runtime.store, row_filter)
        return CandidateTable.of(
            await _hybrid_search(
                store, query, vector, row_filter.conditions, limit, helpful, at_least
            )
        )


async def _hybrid_search(
    store: Store,
    query: str,
    vector: Vector | None,
    visible: Filters,
    limit: int,
    helpful: Sequence[str],
    at_least: int,
) -> pa.Table:
    """Search by words, vector, feedback, entities and ids, and add neighbours and one hop.

    Args:
        store: the store.
        query: the query.
        vector: the query's vector; None for a search without it.
        visible: the rows that the caller may see.
        limit: rows of the search by words, and of the search by vector.
        helpful: memory_ids that feedback favours for similar queries.
        at_least: a lower bound on the number of visible rows.
    """
    asked = query.split()[:_MOST_WORDS]
    words = " ".join(dict.fromkeys([*asked, *(usual(word.casefold(), "") for word in asked)]))
    legs = [store.matching(words, visible, COLUMNS, limit=limit)]
    if vector is not None and vector.any():  # zeros: the embedder cannot read the query
        legs.append(store.closest(vector, visible, COLUMNS, limit=limit, at_least=at_least))
    if helpful:
        legs.append(store.scan(every(visible, {"memory_id": {"in": [*helpful]}}), COLUMNS))
    if ids := ids_in(query):
        named = {"OR": [beginning_with(one) for one in ids]}
        legs.append(store.scan(every(visible, named), COLUMNS))
    legs.append(mentioning(store, query, visible, COLUMNS))
    tables = await asyncio.gather(*legs)
    rows = _distinct(pa.concat_tables(tables))
    best = {i for table in tables for i in table["version_id"][:_WITH_NEIGHBOURS].to_pylist()}
    further = await asyncio.gather(
        one_hop(store, query, rows, visible, COLUMNS), _neighbours(store, rows, best, visible)
    )
    return _distinct(pa.concat_tables([rows, *further]))


async def _neighbours(store: Store, rows: pa.Table, best: set[str], visible: Filters) -> pa.Table:
    """Read the messages near the best rows in the same run, except those already in `rows`."""
    places = _places_near(rows, best) - set(_places(rows))
    if not places:
        return rows.slice(0, 0)
    runs = {run_id for _, run_id, _ in places}
    in_runs = {"run_id": {"in": sorted(run for run in runs if run is not None)}}
    conditions = every(
        visible,
        {"OR": [in_runs, {"run_id": {"exists": False}}]} if None in runs else in_runs,
        {"position": {"in": sorted({position for _, _, position in places})}},
    )
    # Read only the places first: the conditions match more rows than needed, and vectors are large.
    placed = await store.scan(conditions, ["version_id", "user_id", "run_id", "position"])
    ids = placed["version_id"].to_pylist()
    near = [
        version_id
        for version_id, place in zip(ids, _places(placed), strict=True)
        if place in places
    ]
    if not near:
        return rows.slice(0, 0)
    return await store.scan(every(visible, {"version_id": {"in": near}}), COLUMNS)


def _distinct(rows: pa.Table) -> pa.Table:
    """Keep the first row of each version."""
    first: dict[str, int] = {}
    for index, version_id in enumerate(rows["version_id"].to_pylist()):
        first.setdefault(version_id, index)
    return rows.take(pa.array(list(first.values()), pa.int64()))


def _places_near(rows: pa.Table, best: set[str]) -> set[_Place]:
    """Return the places up to _REACH messages from a best row, its own included."""
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
