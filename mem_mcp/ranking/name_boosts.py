"""Names in the question, compared with the candidates' speakers and entities."""

from collections.abc import Iterable, Sequence

import numpy as np

from mem_mcp.ranking.arrays import Floats
from mem_mcp.ranking.text_analysis import name_words


def named_speakers(question: str, actor_ids: Iterable[str | None]) -> frozenset[str]:
    """Return the speakers of whose name the question contains at least one word."""
    asked = name_words(question)
    return frozenset(actor for actor in set(actor_ids) if actor and name_words(actor) & asked)


def named_entities(question: str, entities: Iterable[Sequence[str]]) -> frozenset[str]:
    """Return the entities of whose name the question contains every word."""
    asked = name_words(question)
    distinct = {entity for names in entities for entity in names}
    return frozenset(entity for entity in distinct if asked >= name_words(entity) != frozenset())


def by_named_speaker(named: frozenset[str], actor_ids: Sequence[str | None]) -> Floats:
    """Return 1 for each memory whose speaker is named, else 0.

    All are 0 unless exactly one speaker is named: a question that names two is about both.
    """
    if len(named) != 1:
        return np.zeros(len(actor_ids))
    return _distinguishing(actor in named for actor in actor_ids)


def about_named_entity(named: frozenset[str], entities: Sequence[Sequence[str]]) -> Floats:
    """Return 1 for each memory about a named entity, else 0."""
    if not named:
        return np.zeros(len(entities))
    return _distinguishing(not named.isdisjoint(names) for names in entities)


def _distinguishing(flags: Iterable[bool]) -> Floats:
    """Return the flags as numbers; all 0 if all are set: that tells no memory from another."""
    column = np.fromiter(flags, np.float64)
    return np.zeros_like(column) if column.all() else column
