"""graph: the relations around an entity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mem_mcp.api.explore import Graph
from mem_mcp.api.models import MENTIONED_WITH, GraphEdge, GraphResult
from mem_mcp.ranking.entity_graph import Edge, EntityNames
from mem_mcp.ranking.entity_names import name_key
from mem_mcp.retrieval.candidate_rows import edges
from mem_mcp.retrieval.entity_search import about_entities
from mem_mcp.retrieval.row_filters import view
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters, Store
from mem_mcp.times import utc_now

_MOST_EDGES = 1_000
# In a scope too large to be read whole: memories read per hop by each of the two searches, and
# entities followed to the next hop.
_MOST_ROWS = 200
_MOST_ENTITIES = 50
_COLUMNS = ("memory_id", "entities", "relations")


async def graph(runtime: Runtime, request: Graph) -> GraphResult:
    """Return the edges within some hops of an entity, with the memories that support each.

    Raises:
        InvalidInput: an argument was refused.
    """
    entity, hops = request.entity, request.hops
    scope = request.scope(runtime.settings.user_id)
    row_filter = view(scope, utc_now())
    whole = await runtime.scopes.whole(runtime.store, row_filter, runtime.settings.recall.whole)
    if whole is not None:
        return _around(whole.rows, entity, hops).result([])
    rows = await _read(runtime.store, row_filter.conditions, entity, hops)
    return _around(rows, entity, hops).result(
        ["the scope is large: what was found first of each hop, not all of it"]
    )


async def _read(store: Store, visible: Filters, entity: str, hops: int) -> pa.Table:
    """Read rows that mention an entity, then, hop by hop, rows that mention its neighbours."""
    searched, names, tables = set[str](), [entity], list[pa.Table]()
    for hop in range(hops):
        tables.append(await about_entities(store, names, visible, _COLUMNS, _MOST_ROWS))
        searched.update(names)
        near = _around(pa.concat_tables(tables), entity, hop + 1)
        names = [name for name in near.spelled() if name not in searched][:_MOST_ENTITIES]
        if not names:
            break
    return pa.concat_tables(tables)


@dataclass(frozen=True, slots=True)
class _Neighbourhood:
    names: EntityNames
    reached: Sequence[str]
    """Entities, nearest first."""
    links: Sequence[tuple[Edge, Sequence[str]]]
    """Each edge with the ids of the memories that support it."""

    def spelled(self) -> Iterator[str]:
        for entity in self.reached:
            yield from self.names.spelled[entity]

    def result(self, degraded: list[str]) -> GraphResult:
        shown = self.links[:_MOST_EDGES]
        if len(shown) < len(self.links):
            degraded.append(f"the nearest {len(shown):,} of {len(self.links):,} edges")
        return GraphResult(
            entities=[self.names.display_name(entity) for entity in self.reached],
            edges=[
                GraphEdge(source=source, relation=relation, target=target, memory_ids=[*ids])
                for (source, relation, target), ids in shown
            ],
            degraded=degraded,
        )


def _around(rows: pa.Table, entity: str, hops: int) -> _Neighbourhood:
    """Walk the graph of some rows from an entity, breadth first."""
    lists, relations = rows["entities"].to_pylist(), edges(rows["relations"])
    names = EntityNames(lists, relations)
    by_entity = _rows_by_entity(lists, relations, names)
    reached = dict.fromkeys([names.of(entity)] if names.of(entity) in by_entity else [])
    links: dict[Edge, tuple[Edge, dict[str, None]]] = {}
    ids = rows["memory_id"].to_pylist()
    frontier = set(reached)
    for _ in range(hops):
        beyond: dict[str, None] = {}
        for row in sorted({row for name in frontier for row in by_entity[name]}):
            for edge in _links(lists[row], relations[row], names, frontier):
                ends = names.of(edge[0]), names.of(edge[2])
                key, shown = _merged(edge, ends, names)
                links.setdefault(key, (shown, {}))[1][ids[row]] = None
                beyond.update(dict.fromkeys(ends))
        frontier = beyond.keys() - reached.keys()
        reached.update((name, None) for name in beyond if name in frontier)
    return _Neighbourhood(names, [*reached], [(edge, [*by]) for edge, by in links.values()])


def _merged(edge: Edge, ends: tuple[str, str], names: EntityNames) -> tuple[Edge, Edge]:
    """Return a key that equal edges share, and the edge to show for them."""
    source, relation, target = edge
    if ends[0] == ends[1]:  # an alias: both ends are names of one entity, so keep the names
        return (name_key(source), name_key(relation), name_key(target)), edge
    shown = names.display_name(ends[0]), relation, names.display_name(ends[1])
    return (ends[0], name_key(relation), ends[1]), shown


def _rows_by_entity(
    lists: Sequence[Sequence[str]], relations: Sequence[Sequence[Edge]], names: EntityNames
) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, (listed, row_edges) in enumerate(zip(lists, relations, strict=True)):
        ends = (end for source, _, target in row_edges for end in (source, target))
        for entity in {names.of(name) for name in (*listed, *ends)}:
            rows.setdefault(entity, []).append(row)
    return rows


def _links(
    listed: Sequence[str], relations: Sequence[Edge], names: EntityNames, frontier: set[str]
) -> Iterator[Edge]:
    """Yield the edges of one memory that have an end in the frontier.

    Entities that the memory lists without a relation between them are joined by MENTIONED_WITH.
    """
    joined = set[frozenset[str]]()
    for edge in relations:
        ends = frozenset((names.of(edge[0]), names.of(edge[2])))
        joined.add(ends)
        if not frontier.isdisjoint(ends):
            yield edge
    for entity in sorted(frontier.intersection(map(names.of, listed))):
        for other in sorted(set(map(names.of, listed)) - {entity}):
            if frozenset((entity, other)) not in joined:
                first, second = sorted((entity, other))
                yield names.display_name(first), MENTIONED_WITH, names.display_name(second)
