"""The graph of entities and relations: how near memories are to the names in a question."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mem_mcp.ranking.arrays import Floats, Integers
from mem_mcp.ranking.constants import SECOND_HOP_SHARE
from mem_mcp.ranking.entity_names import ALIASES, name_key, phrases

# A name of more words is a sentence; texts are not searched for it.
_NAME_WORDS_MAX = 16
Edge = tuple[str, str, str]
"""Source, relation, target."""


class EntityNames:
    """The entities of some memories, each under all of its names.

    Args:
        lists: The entities that each memory lists.
        edges: The relations that each memory states; aliases make two names one entity.
    """

    def __init__(self, lists: Iterable[Sequence[str]], edges: Iterable[Sequence[Edge]]) -> None:
        self._parent: dict[str, str] = {}
        self.spelled: dict[str, dict[str, None]] = {}
        """The names of each entity as they are stored, in the order of their first occurrence."""
        names: dict[str, None] = {}
        for listed in lists:
            names.update(dict.fromkeys(listed))
        for relations in edges:
            for source, relation, target in relations:
                names[source] = names[target] = None
                if name_key(relation) in ALIASES:
                    self._unite(name_key(source), name_key(target))
        self._keys = {name_key(name) for name in names}
        longest = max((key.count(" ") + 1 for key in self._keys), default=0)
        self._longest = min(longest, _NAME_WORDS_MAX)
        for name in names:
            self.spelled.setdefault(self.of(name), {})[name] = None

    def of(self, name: str) -> str:
        """Return the id of a name's entity; an unknown name is an entity of its own."""
        return self._root(name_key(name))

    def display_name(self, entity: str) -> str:
        """Return the first of an entity's names, as it is stored."""
        return next(iter(self.spelled[entity]))

    def in_text(self, text: str) -> set[str]:
        """Return the entities that a text names; of overlapping names the longest counts."""
        entities, free_from = set[str](), 0
        for place, phrases_here in enumerate(phrases(text, self._longest)):
            if place < free_from:
                continue
            for phrase in phrases_here:
                if phrase.key in self._keys:
                    entities.add(self._root(phrase.key))
                    free_from = place + phrase.words
                    break
        return entities

    def _root(self, key: str) -> str:
        while (parent := self._parent.get(key, key)) != key:
            key = parent
        return key

    def _unite(self, key: str, other: str) -> None:
        # The smaller key stands for both, so that the order of the memories does not matter.
        first, second = sorted((self._root(key), self._root(other)))
        if first != second:
            self._parent[second] = first


@dataclass(frozen=True)
class EntityGraph:
    """Which of n memories mention which entities, in their lists or in their relations."""

    names: EntityNames
    ids: Mapping[str, int]
    """The number of each entity."""
    rows: Integers
    """(m,) the memory of each mention."""
    entities: Integers
    """(m,) the number of the entity that it mentions; each pair occurs once."""
    size: int
    """n."""

    @classmethod
    def of(cls, lists: Sequence[Sequence[str]], edges: Sequence[Sequence[Edge]]) -> "EntityGraph":
        """Build the graph from the entities and the relations of each memory."""
        names = EntityNames(lists, edges)
        ids = {entity: number for number, entity in enumerate(sorted(names.spelled))}
        rows, entities = list[int](), list[int]()
        for row, (listed, relations) in enumerate(zip(lists, edges, strict=True)):
            if not listed and not relations:
                continue
            ends = (end for source, _, target in relations for end in (source, target))
            mentioned = {ids[names.of(name)] for name in (*listed, *ends)}
            rows += [row] * len(mentioned)
            entities += sorted(mentioned)
        return cls(names, ids, np.array(rows, np.int64), np.array(entities, np.int64), len(lists))

    def nearness(self, text: str) -> Floats:
        """Return (n,) how near each memory is to the entities that a text names, 0..1.

        A memory that mentions a named entity is one hop away; one that shares an entity with such a
        memory is two hops away. Each entity on the path divides by log2(1 + memories that mention
        it), since what all mention says nothing, and a memory that mentions many entities passes on
        less. The best of several paths counts.
        """
        named = self.numbers(text)
        if not named.size:
            return np.zeros(self.size)
        first, reach = self._one_hop(named)
        second = np.zeros(self.size)
        np.maximum.at(second, self.rows, (reach * self._specificity)[self.entities])
        return np.asarray(np.maximum(first, SECOND_HOP_SHARE * second))

    def nearby_names(self, text: str, max_entities: int, max_mentions: int) -> list[str]:
        """Return all names of the entities that a text names and of those one hop away.

        Args:
            text: A question.
            max_entities: Most entities; the nearest are taken.
            max_mentions: An entity that more memories mention is left out.

        Returns:
            Names as they are stored, of the nearest entities first.
        """
        named = self.numbers(text)
        if not named.size:
            return []
        _, reach = self._one_hop(named)
        score = reach * self._specificity
        score[named] += 1.0  # named entities come before all others
        score[np.bincount(self.entities, minlength=score.size) > max_mentions] = 0.0
        best = np.argsort(-score, kind="stable")[:max_entities].tolist()
        entities = list(self.ids)
        near = [entities[number] for number in best if score[number] > 0]
        return [name for entity in near for name in self.names.spelled[entity]]

    def numbers(self, text: str) -> Integers:
        """Return the numbers of the entities that a text names."""
        return np.array(sorted(self.ids[entity] for entity in self.names.in_text(text)), np.int64)

    def _one_hop(self, named: Integers) -> tuple[Floats, Floats]:
        """Return the nearness of the memories one hop away, and of the entities they mention."""
        start = np.zeros(len(self.ids))
        start[named] = self._specificity[named]
        near, reach = np.zeros(self.size), np.zeros(len(self.ids))
        np.maximum.at(near, self.rows, start[self.entities])
        np.maximum.at(reach, self.entities, (near * self._passed_on)[self.rows])
        return near, reach

    @cached_property
    def _specificity(self) -> Floats:
        """By entity: 1 if one memory mentions it, less the more do."""
        return np.asarray(1 / np.log2(1 + np.bincount(self.entities, minlength=len(self.ids))))

    @cached_property
    def _passed_on(self) -> Floats:
        """By memory: 1 if it mentions at most two entities, less the more it mentions."""
        mentioned = np.bincount(self.rows, minlength=self.size)
        return np.asarray(1 / np.log2(np.maximum(mentioned, 2)))
