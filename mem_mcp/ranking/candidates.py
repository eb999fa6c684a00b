"""The ranking's input and output: a query, its candidates, and their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cached_property

import numpy as np

from mem_mcp.ranking.arrays import Booleans, Floats, Integers, Vectors
from mem_mcp.ranking.conversation_context import Neighbours, neighbours_in_runs
from mem_mcp.ranking.dense import VectorSet
from mem_mcp.ranking.entity_graph import Edge, EntityGraph
from mem_mcp.ranking.language import prevailing
from mem_mcp.ranking.passage_split import passages
from mem_mcp.ranking.passage_table import PassageTable
from mem_mcp.ranking.passage_vectors import PassageVectors
from mem_mcp.ranking.text_analysis import TermTable, terms

_QUESTION_MARKS = ("?", "\uff1f", "\u061f")


@dataclass(frozen=True, slots=True)
class Query:
    """A question, its vector, and when it is asked."""

    text: str
    vector: Vectors | None
    """(d,) its embedding, of any length; None, or zeros, where there is none."""
    now: float
    """Epoch seconds."""
    zone: tzinfo = UTC
    """In which its words for days and months are meant."""
    head: Vectors | None = None
    """(d,) the embedding of a long question's first passage, as one of a text; None for others."""
    of_their_kind: bool = False
    """Whether it is a text like those it is compared with, as a task is among tasks."""

    @property
    def is_text(self) -> bool:
        """Whether it tells rather than asks: a task, or what is longer than a passage.

        The times, orders and denials in it are of what it tells, not of what is looked for.
        """
        return self.of_their_kind or len(passages(self.text)) > 1


@dataclass(frozen=True)
class Candidates:
    """The n memories to rank, as columns.

    What does not depend on the query is computed once, when a query first needs it.
    """

    memory_ids: Sequence[str]
    texts: Sequence[str]
    vectors: Vectors
    """(n, d) from the same embedder as the query's; a row of NaN or zeros for none."""
    run_ids: Sequence[str | None]
    """Unique across users and agents: equal ids mean the same conversation."""
    positions: Integers
    """Position within the run, -1 for none; consecutive numbers are neighbours."""
    actor_ids: Sequence[str | None]
    """The speakers."""
    kinds: Sequence[str]
    entities: Sequence[Sequence[str]]
    labels: Sequence[str]
    """Memories with different labels are never duplicates: of an outcome its result and tool."""
    occurred_at: Floats
    """Epoch seconds."""
    recorded_at: Floats
    """Epoch seconds."""
    ends_at: Floats
    """Epoch seconds at which each memory stops being true; infinity where no end is known."""
    relations: Sequence[Sequence[Edge]] = ()
    """The relations that each memory states; left out for none."""
    by_passage: Sequence[Vectors | None] = ()
    """(k, d) the vectors of a long text's k passages, as they are embedded; None for others, whose
    own vector stands for them. Left out for none."""

    def __post_init__(self) -> None:
        if not self.relations:
            object.__setattr__(self, "relations", [()] * len(self))
        if not self.by_passage:
            object.__setattr__(self, "by_passage", [None] * len(self))

    def __len__(self) -> int:
        return len(self.memory_ids)

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """The row of each memory_id."""
        return {memory_id: row for row, memory_id in enumerate(self.memory_ids)}

    @cached_property
    def language(self) -> str:
        """The language of most of the texts, an ISO 639-1 code; empty where none is that of most.

        It is taken for that of a text whose own words do not tell.
        """
        return prevailing(terms(text).language for text in self.texts)

    @cached_property
    def terms(self) -> TermTable:
        """The terms of the texts."""
        return TermTable.of([terms(text, self.language) for text in self.texts])

    @cached_property
    def vector_set(self) -> VectorSet:
        """The vectors, prepared for comparison with a query."""
        return VectorSet.of(self.vectors)

    @cached_property
    def neighbours(self) -> Neighbours:
        """The neighbours of each memory in its run."""
        return neighbours_in_runs(self.run_ids, self.positions, self.terms.lengths, self.vectors)

    @cached_property
    def wholes(self) -> PassageTable:
        """Each text as its only passage."""
        rows = np.arange(len(self))
        return PassageTable(rows, self.terms, self.vector_set, self.neighbours)

    @cached_property
    def passages(self) -> PassageTable:
        """The passages of the texts."""
        if not any(len(passages(text)) > 1 for text in self.texts):
            return self.wholes
        return PassageTable.of(
            self.texts, self.vectors, self.run_ids, self.positions, self.language
        )

    @cached_property
    def passage_vectors(self) -> PassageVectors | None:
        """The vectors of their passages, prepared for comparison; None where none has any."""
        return PassageVectors.of(self.by_passage, self.vector_set)

    @cached_property
    def graph(self) -> EntityGraph | None:
        """The graph of their entities and relations; None if they have none."""
        if not any(self.entities) and not any(self.relations):
            return None
        return EntityGraph.of(self.entities, self.relations)

    @cached_property
    def is_question(self) -> Booleans:
        """Whether each text ends with a question mark."""
        return np.array([text.rstrip().endswith(_QUESTION_MARKS) for text in self.texts], np.bool_)

    @cached_property
    def newest_first(self) -> Integers:
        """Rows by time of recording, newest first, then by id."""
        return np.lexsort((np.array(self.memory_ids), -self.recorded_at))


@dataclass(frozen=True, slots=True)
class Ranking:
    """The order and the scores of candidates."""

    order: Integers
    """(n,) rows of all candidates, best first."""
    score: Floats
    """(n,) 0..1 by row: absolute, so that scores of different queries can be compared."""
    parts: Mapping[str, Floats]
    """(n,) contributions to the scores, by name; they add up to `score`."""
    later: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Row of a statement to those of older ones that it may replace."""
