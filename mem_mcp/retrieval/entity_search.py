"""Entity search: rows that mention entities, in a scope too large to be read whole."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import nsmallest

import pyarrow as pa

from mem_mcp.ranking.entity_graph import EntityGraph
from mem_mcp.ranking.entity_names import name_key, phrases, spellings
from mem_mcp.retrieval.candidate_rows import edges
from mem_mcp.retrieval.row_filters import every
from mem_mcp.store import Filters, Store

# Rows that one search returns.
_MOST_ROWS = 50
# Entities whose rows are looked up one hop further.
_MOST_ENTITIES = 20
# Rows, read without texts and vectors, in which names are counted to find the rarest.
_MOST_COUNTED = 2_000
# An entity that more candidates mention is too common to help, and its rows alone would fill the
# limit of one search.
_MOST_MENTIONS = 20
# Names are looked up among the first words of a query, as in the search by words.
_MOST_WORDS = 64


async def mentioning(
    store: Store, query: str, visible: Filters, columns: Sequence[str]
) -> pa.Table:
    """Find rows that list an entity named in the query.

    The index matches whole names exactly as they are stored. So each sequence of up to
    NAME_WORDS_MAX words is looked up in its likely spellings. This misses longer names, names in
    mixed case or with other punctuation than in the query ("iPhone" for "iphone"), and names that
    are only in relations. The search by words still finds such a memory if its text has the words.

    Args:
        store: the store.
        query: the query.
        visible: the rows that the caller may see.
        columns: columns to return.
    """
    words = " ".join(query.split()[:_MOST_WORDS])
    names = dict[str, None]()
    for phrases_at_word in phrases(words):
        for phrase in phrases_at_word:
            names.update(dict.fromkeys(spellings(phrase.spelled)))
            if phrase.possessive:  # "McDonald's" is a name
                names.update(dict.fromkeys(f"{name}'s" for name in spellings(phrase.spelled)))
    return await _with_entity(store, names, visible, columns, _MOST_ROWS)


async def one_hop(
    store: Store, query: str, rows: pa.Table, visible: Filters, columns: Sequence[str]
) -> pa.Table:
    """Find rows about entities that are one hop from those named in the query.

    Args:
        store: the store.
        query: the query.
        rows: rows whose entities and relations make up the graph.
        visible: the rows that the caller may see.
        columns: columns to return.
    """
    lists, relations = rows["entities"].to_pylist(), edges(rows["relations"])
    if not any(lists) and not any(relations):
        return rows.slice(0, 0)
    graph = EntityGraph.of(lists, relations)
    names = graph.nearby_names(query, _MOST_ENTITIES, _MOST_MENTIONS)
    return await about_entities(store, names, visible, columns) if names else rows.slice(0, 0)


async def about_entities(
    store: Store,
    names: Sequence[str],
    visible: Filters,
    columns: Sequence[str],
    most: int = _MOST_ROWS,
) -> pa.Table:
    """Find rows that mention entities in their list of entities or in their relations.

    Relations have no index. But a memory's text nearly always names both ends of its relations, so
    the names are searched as words, and rows are kept if a relation has one of them. This misses
    relations whose ends are not in the text.

    Args:
        store: the store.
        names: stored names of the entities; rows with some other spellings are found, too.
        visible: the rows that the caller may see.
        columns: columns to return; must include entities and relations.
        most: maximum rows of each of the two searches.
    """
    wanted = {name_key(name) for name in names}
    listed, matching = await asyncio.gather(
        _with_entity(
            store,
            (spelling for name in names for spelling in spellings(name)),
            visible,
            columns,
            most,
        ),
        store.matching(" ".join(dict.fromkeys(names)), visible, columns, limit=most),
    )
    mentions = pa.array(_mentions(matching, wanted), pa.bool_())
    return pa.concat_tables([listed, matching.filter(mentions)])


async def _with_entity(
    store: Store, names: Iterable[str], visible: Filters, columns: Sequence[str], most: int
) -> pa.Table:
    """Find rows that list one of the names; if there are too many, those with the rarest names."""
    wanted = dict.fromkeys(names)
    listing = every(visible, {"entities": {"in": list(wanted)}})
    rows = await store.scan(listing, columns, limit=most + 1)
    if rows.num_rows <= most:
        return rows
    light = await store.scan(
        listing, ("version_id", "entities"), order=[("version_id", True)], limit=_MOST_COUNTED
    )
    lists = [
        [name for name in entities if name in wanted] for entities in light["entities"].to_pylist()
    ]
    mentions = Counter(name for entities in lists for name in entities)
    rarity = [min(mentions[name] for name in entities) for entities in lists]
    rarest = nsmallest(most, zip(rarity, light["version_id"].to_pylist(), strict=True))
    ids = {"version_id": {"in": [version_id for _, version_id in rarest]}}
    return await store.scan(every(visible, ids), columns)


def _mentions(rows: pa.Table, wanted: set[str]) -> list[bool]:
    """Tell for each row whether its entities or the ends of its relations have a wanted name."""
    return [
        any(name_key(name) in wanted for name in entities)
        or any(
            name_key(end) in wanted for source, _, target in relations for end in (source, target)
        )
        for entities, relations in zip(
            rows["entities"].to_pylist(), edges(rows["relations"]), strict=True
        )
    ]
