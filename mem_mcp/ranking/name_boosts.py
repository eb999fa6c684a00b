"""Who is meant: names in the question against speakers and entities."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.text_analysis import names


def speakers_named(question: str, actor_ids: Iterable[str | None]) -> frozenset[str]:
    """Return the actors of whose name the question has a word."""
    asked = names(question)
    return frozenset(actor for actor in set(actor_ids) if actor and names(actor) & asked)


def entities_named(question: str, entities: Iterable[Sequence[str]]) -> frozenset[str]:
    """Return the entities of whose name the question has every word."""
    asked = names(question)
    distinct = {entity for some in entities for entity in some}
    return frozenset(entity for entity in distinct if asked >= names(entity) != frozenset())


def by_the_speaker(named: frozenset[str], actor_ids: Sequence[str | None]) -> NDArray[np.float64]:
    """Return 1 for each memory of the one speaker that is named, else 0.

    Where two are named the question is about both, and who speaks tells nothing; where only one
    speaks at all, either.
    """
    if len(named) != 1:
        return np.zeros(len(actor_ids))
    return _telling(actor in named for actor in actor_ids)


def about_the_named(
    named: frozenset[str], entities: Sequence[Sequence[str]]
) -> NDArray[np.float64]:
    """Return 1 for each memory about a named entity, else 0."""
    if not named:
        return np.zeros(len(entities))
    return _telling(not named.isdisjoint(some) for some in entities)


def _telling(flags: Iterable[bool]) -> NDArray[np.float64]:
    """Return the flags as numbers, or 0 where all are set: what holds for all tells nothing."""
    found = np.fromiter(flags, np.float64)
    return np.zeros_like(found) if found.all() else found
