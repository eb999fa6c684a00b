"""The graph: how near memories are, over entities and relations, to what a question names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.constants import SECOND_HOP
from mem_mcp.ranking.entity_names import ALIASES, key, phrases

Column = NDArray[np.float64]
Ids = NDArray[np.int64]
# Words of a name beyond which it is a sentence, and is not looked for.
_LONGEST = 16
Edge = tuple[str, str, str]
"""Source, relation, target."""


class Names:
    """The entities that some edges and lists speak of, each under all of its names."""

    def __init__(self, lists: Iterable[Sequence[str]], edges: Iterable[Sequence[Edge]]) -> None:
        self._parent: dict[str, str] = {}
        self.spelled: dict[str, dict[str, None]] = {}
        """Of each entity its names as they are stored, in the order in which they were met."""
        met: dict[str, None] = {}
        for names in lists:
            met.update(dict.fromkeys(names))
        for some in edges:
            for source, relation, target in some:
                met[source] = met[target] = None
                if key(relation) in ALIASES:
                    self._fold(key(source), key(target))
        self._known = {key(name) for name in met}
        longest = max((known.count(" ") + 1 for known in self._known), default=0)
        self._longest = min(longest, _LONGEST)
        for name in met:
            self.spelled.setdefault(self.of(name), {})[name] = None

    def of(self, name: str) -> str:
        """Return what stands for the entity of a name; a name that was not met is its own."""
        return self._root(key(name))

    def one(self, entity: str) -> str:
        """Return one of an entity's names as it is stored."""
        return next(iter(self.spelled[entity]))

    def in_text(self, text: str) -> set[str]:
        """Return the entities that a text names; of names within one another the longest."""
        found, free_from = set[str](), 0
        for place, here in enumerate(phrases(text, self._longest)):
            if place < free_from:
                continue
            for phrase in here:
                if phrase.key in self._known:
                    found.add(self._root(phrase.key))
                    free_from = place + phrase.words
                    break
        return found

    def _root(self, name: str) -> str:
        while (above := self._parent.get(name, name)) != name:
            name = above
        return name

    def _fold(self, one: str, other: str) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        # The smaller name stands for both, whatever the order of the memories.
        if first != second:
            self._parent[second] = first


@dataclass(frozen=True)
class Graph:
    """Which of n memories speak of which entities: in their lists, or in their relations."""

    names: Names
    ids: Mapping[str, int]
    """The number of each entity."""
    rows: Ids
    """(m,) a memory, and"""
    entities: Ids
    """(m,) an entity that it speaks of, each pair once."""
    size: int
    """n."""

    @classmethod
    def of(cls, lists: Sequence[Sequence[str]], edges: Sequence[Sequence[Edge]]) -> "Graph":
        """Read the graph off the memories' entities and relations, one of each per memory."""
        names = Names(lists, edges)
        ids = {entity: number for number, entity in enumerate(sorted(names.spelled))}
        rows, entities = list[int](), list[int]()
        for row, (some, relations) in enumerate(zip(lists, edges, strict=True)):
            if not some and not relations:
                continue
            ends = (end for source, _, target in relations for end in (source, target))
            touched = {ids[names.of(name)] for name in (*some, *ends)}
            rows += [row] * len(touched)
            entities += sorted(touched)
        return cls(names, ids, np.array(rows, np.int64), np.array(entities, np.int64), len(lists))

    def nearness(self, text: str) -> Column:
        """Return how near each memory is to what a text names, 0..1.

        A memory that speaks of a named entity is one hop away; one that shares an entity with such
        a memory is two. What everything speaks of tells nothing, so each entity on the way divides
        by log2(1 + memories that speak of it), and a memory that names many things passes on less.
        Of several ways the best counts.
        """
        named = self._numbers(text)
        if not named.size:
            return np.zeros(self.size)
        first, reach = self._one_hop(named)
        second = np.zeros(self.size)
        np.maximum.at(second, self.rows, (reach * self._worth)[self.entities])
        return np.asarray(np.maximum(first, SECOND_HOP * second))

    def beside(self, text: str, most: int, spoken_of: int) -> list[str]:
        """Return the entities that a text names and those a hop away, by all of their names.

        Args:
            text: a question.
            most: entities; the nearest.
            spoken_of: an entity of which more memories speak is left out.

        Returns:
            Names as they are stored, nearest first.
        """
        named = self._numbers(text)
        if not named.size:
            return []
        _, reach = self._one_hop(named)
        worth = reach * self._worth
        worth[named] += 1.0  # before all others
        worth[np.bincount(self.entities, minlength=worth.size) > spoken_of] = 0.0
        best = np.argsort(-worth, kind="stable")[:most].tolist()
        entities = list(self.ids)
        near = [entities[number] for number in best if worth[number] > 0]
        return [name for entity in near for name in self.names.spelled[entity]]

    def _numbers(self, text: str) -> Ids:
        return np.array(sorted(self.ids[entity] for entity in self.names.in_text(text)), np.int64)

    def _one_hop(self, named: Ids) -> tuple[Column, Column]:
        """Return how near the memories are by one hop, and by them the entities."""
        worth = np.zeros(len(self.ids))
        worth[named] = self._worth[named]
        near, reach = np.zeros(self.size), np.zeros(len(self.ids))
        np.maximum.at(near, self.rows, worth[self.entities])
        np.maximum.at(reach, self.entities, (near * self._passing)[self.rows])
        return near, reach

    @cached_property
    def _worth(self) -> Column:
        """What each entity leaves of what goes through it."""
        return np.asarray(1 / np.log2(1 + np.bincount(self.entities, minlength=len(self.ids))))

    @cached_property
    def _passing(self) -> Column:
        """What each memory passes on; one of two entities all."""
        named = np.bincount(self.rows, minlength=self.size)
        return np.asarray(1 / np.log2(np.maximum(named, 2)))
