"""What is ranked, and for which question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.conversation_context import Neighbours, neighbours
from mem_mcp.ranking.dense import Cloud
from mem_mcp.ranking.entity_graph import Edge, Graph
from mem_mcp.ranking.text_analysis import TermTable, table, terms


@dataclass(frozen=True, slots=True)
class Query:
    """A question, its vector, and when it is asked."""

    text: str
    vector: NDArray[np.float32] | None
    """Its embedding, of any length other than 0; None where there is no embedder."""
    now: float
    """Epoch seconds."""


QUESTION_MARKS = ("?", "\uff1f", "\u061f")


@dataclass(frozen=True)
class Candidates:
    """The memories to rank, one per row, column by column (n rows).

    What does not depend on the question is worked out at the first one.
    """

    memory_ids: Sequence[str]
    texts: Sequence[str]
    vectors: NDArray[np.float32]
    """(n, d); a row of NaN where a memory has no vector."""
    run_ids: Sequence[str | None]
    """Unique across users and agents: equal ids mean the same conversation."""
    positions: NDArray[np.int64]
    """Place within the run, -1 for none; consecutive numbers are neighbours."""
    actor_ids: Sequence[str | None]
    """Who speaks."""
    roles: Sequence[str | None]
    kinds: Sequence[str]
    entities: Sequence[Sequence[str]]
    labels: Sequence[str]
    """What beside its text makes a memory another one: of an outcome its result and its tool."""
    occurred_at: NDArray[np.float64]
    """Epoch seconds."""
    recorded_at: NDArray[np.float64]
    """Epoch seconds."""
    relations: Sequence[Sequence[Edge]] = ()
    """The edges that each memory supports; left out: none."""

    def __post_init__(self) -> None:
        if not self.relations:
            object.__setattr__(self, "relations", [()] * len(self))

    def __len__(self) -> int:
        return len(self.memory_ids)

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Where each memory stands."""
        return {memory_id: row for row, memory_id in enumerate(self.memory_ids)}

    @cached_property
    def terms(self) -> TermTable:
        """What the texts say, term by term."""
        return table([terms(text) for text in self.texts])

    @cached_property
    def cloud(self) -> Cloud:
        """The vectors, ready to be compared with a question's."""
        return Cloud.of(self.vectors)

    @cached_property
    def near(self) -> Neighbours:
        """Who stands beside whom in the runs."""
        return neighbours(self.run_ids, self.positions, self.terms.lengths, self.vectors)

    @cached_property
    def graph(self) -> Graph | None:
        """What they say of entities; None where they say nothing."""
        if not any(self.entities) and not any(self.relations):
            return None
        return Graph.of(self.entities, self.relations)

    @cached_property
    def asks(self) -> NDArray[np.bool_]:
        """Whether each text ends with a question mark."""
        return np.array([text.rstrip().endswith(QUESTION_MARKS) for text in self.texts], np.bool_)

    @cached_property
    def newest_first(self) -> NDArray[np.int64]:
        """Rows by time of recording, then by id."""
        return np.lexsort((np.array(self.memory_ids), -self.recorded_at))


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates in order, and why."""

    order: NDArray[np.int64]
    """Rows of the candidates, best first; all of them."""
    score: NDArray[np.float64]
    """Per candidate, 0..1: absolute, so that it can be compared between queries."""
    parts: Mapping[str, NDArray[np.float64]]
    """What each part gave to each candidate's score; the parts add up to it."""
