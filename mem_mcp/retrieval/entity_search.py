"""The rows that speak of entities, in a scope too large to be read whole."""

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

# Rows of one read, and entities that lead on to further rows.
_MOST_ROWS = 50
_MOST_ENTITIES = 20
# Rows among which the rarest names are told, without texts and vectors.
_MOST_LIGHT = 2_000
# An entity of which more of the candidates speak tells little, and its rows would be all that a
# bounded read returns.
_MOST_SPOKEN_OF = 20
# As in the search by words: names past these are not looked up.
_MOST_WORDS = 64


async def named(store: Store, query: str, visible: Filters, columns: Sequence[str]) -> pa.Table:
    """Find rows whose entities a question names.

    The index knows whole names, as they are stored, so the likely spellings of every few words that
    follow each other are looked up. That misses a name of mixed case or with other punctuation than
    in the question ("iPhone" for "iphone"), one of more than NAME_WORDS_MAX words, and what stands
    in relations alone; where its words are in the text, the search by words still finds the memory.

    Args:
        store: where the rows are.
        query: the question.
        visible: which rows may be seen at all.
        columns: to return.
    """
    words = " ".join(query.split()[:_MOST_WORDS])
    names = dict[str, None]()
    for here in phrases(words):
        for phrase in here:
            names.update(dict.fromkeys(spellings(phrase.spelled)))
            if phrase.possessive:  # "McDonald's" is a name
                names.update(dict.fromkeys(f"{one}'s" for one in spellings(phrase.spelled)))
    return await _listing(store, names, visible, columns, _MOST_ROWS)


async def led_to(
    store: Store, query: str, rows: pa.Table, visible: Filters, columns: Sequence[str]
) -> pa.Table:
    """Find rows a hop further than those at hand, from what a question names.

    Args:
        store: where the rows are.
        query: the question.
        rows: at hand, with entities and relations.
        visible: which rows may be seen at all.
        columns: to return.
    """
    lists, relations = rows["entities"].to_pylist(), edges(rows["relations"])
    if not any(lists) and not any(relations):
        return rows.slice(0, 0)
    graph = EntityGraph.of(lists, relations)
    names = graph.nearby_names(query, _MOST_ENTITIES, _MOST_SPOKEN_OF)
    return await speaking_of(store, names, visible, columns) if names else rows.slice(0, 0)


async def speaking_of(
    store: Store,
    names: Sequence[str],
    visible: Filters,
    columns: Sequence[str],
    most: int = _MOST_ROWS,
) -> pa.Table:
    """Find rows that speak of entities, in their lists or in their relations.

    No index knows the ends of relations. A memory's text nearly always says them, so the rows that
    match the names best are read and those kept that have one; what misses is a relation whose
    text does not say it.

    Args:
        store: where the rows are.
        names: of the entities, as they are stored; some other spellings are found as well.
        visible: which rows may be seen at all.
        columns: to return; entities and relations among them.
        most: rows of each of the two reads.
    """
    wanted = {name_key(name) for name in names}
    listed, told = await asyncio.gather(
        _listing(store, (one for name in names for one in spellings(name)), visible, columns, most),
        store.matching(" ".join(dict.fromkeys(names)), visible, columns, limit=most),
    )
    return pa.concat_tables([listed, told.filter(pa.array(_touching(told, wanted), pa.bool_()))])


async def _listing(
    store: Store, names: Iterable[str], visible: Filters, columns: Sequence[str], most: int
) -> pa.Table:
    """Find rows that list a name; where they are too many, those of the rarest names."""
    wanted = dict.fromkeys(names)
    listing = every(visible, {"entities": {"in": list(wanted)}})
    rows = await store.scan(listing, columns, limit=most + 1)
    if rows.num_rows <= most:
        return rows
    light = await store.scan(listing, ("version_id", "entities"), limit=_MOST_LIGHT)
    lists = [[name for name in some if name in wanted] for some in light["entities"].to_pylist()]
    spoken_of = Counter(name for some in lists for name in some)
    rarity = [min(spoken_of[name] for name in some) for some in lists]
    best = nsmallest(most, zip(rarity, light["version_id"].to_pylist(), strict=True))
    chosen = {"version_id": {"in": [row for _, row in best]}}
    return await store.scan(every(visible, chosen), columns)


def _touching(rows: pa.Table, wanted: set[str]) -> list[bool]:
    return [
        any(name_key(name) in wanted for name in some)
        or any(
            name_key(end) in wanted for source, _, target in relations for end in (source, target)
        )
        for some, relations in zip(
            rows["entities"].to_pylist(), edges(rows["relations"]), strict=True
        )
    ]
