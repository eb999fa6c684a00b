"""Replay: an earlier question, read back from its trace and ranked again as of its moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from mem_mcp.api.arguments import moment, names
from mem_mcp.api.call import read
from mem_mcp.api.models import Memory, Scope
from mem_mcp.api.outcomes import RecallLessons
from mem_mcp.api.recall import Recall
from mem_mcp.embedding import Embedder, Role
from mem_mcp.errors import EmbedderUnavailable
from mem_mcp.logs.recalls import Trace
from mem_mcp.retrieval.exclusion import Bounds, Placement, placement
from mem_mcp.retrieval.lesson_rows import KINDS, LISTS, lesson_conditions, lesson_rows, list_of
from mem_mcp.retrieval.row_filters import Condition, RowFilter, recall_conditions, recall_rows
from mem_mcp.retrieval.scope_cache import ScopeCache
from mem_mcp.retrieval.search import SearchResult, search, with_relevance
from mem_mcp.runtime import Runtime
from mem_mcp.store import Space, Vector


@dataclass(frozen=True, slots=True)
class PastQuestion:
    """An earlier question of recall or recall_lessons."""

    trace: Trace
    request: Recall | RecallLessons
    scope: Scope
    moment: datetime
    """The moment it was about."""

    @classmethod
    def of(cls, trace: Trace) -> PastQuestion:
        """Read a trace."""
        request: Recall | RecallLessons
        if trace.tool == "recall_lessons":
            request = read(RecallLessons, trace.arguments, UTC)
        else:
            request = read(Recall, trace.arguments, UTC)
        about = moment(request.as_of) if isinstance(request, Recall) else None
        return cls(trace, request, request.scope(trace.user_id), about or trace.created_at)

    @property
    def has_lists(self) -> bool:
        """Whether its answer has several lists."""
        return isinstance(self.request, RecallLessons)

    @property
    def shows_all(self) -> bool:
        """Whether nothing was left out that scores less than a share of the best."""
        if isinstance(self.request, RecallLessons):
            return self.request.is_narrowed
        return self.min_score is not None

    @property
    def min_score(self) -> float | None:
        """The least score that the caller asked for; None where no bound was given."""
        return self.request.min_score if isinstance(self.request, Recall) else None

    def conditions(self) -> list[Condition]:
        """Return what it asked of a memory, condition by condition."""
        scoped = [
            Condition(f"{name} {value!r}", {name: value})
            for name, value in (("agent_id", self.scope.agent_id), ("run_id", self.scope.run_id))
            if value is not None
        ]
        if not self.request.include_global:
            own = {"user_id": self.scope.user_id}
            scoped.insert(0, Condition("include_global false", own))
        if isinstance(self.request, RecallLessons):
            about = "recall_lessons, which shows outcomes and lessons"
            kinds = [Condition(about, {"kind": {"in": [*KINDS]}})]
            return [*scoped, *kinds, *lesson_conditions(self.request)]
        wanted = names(self.request.kinds)
        kinds = [Condition(f"kinds {', '.join(wanted)}", {"kind": {"in": wanted}})]
        return [*scoped, *(kinds if wanted else []), *recall_conditions(self.request)]

    def list_of(self, kind: str, outcome: str | None) -> str | None:
        """Name the list that shows such a memory; None where none does, or where there is one."""
        if isinstance(self.request, RecallLessons):
            return list_of(kind, outcome, names(self.request.outcomes))
        return None

    def rows(self, shown_in: str | None = None) -> RowFilter:
        """Return what it could see.

        Args:
            shown_in: only what this list shows; None for all lists.
        """
        if isinstance(self.request, Recall):
            return recall_rows(self.request, self.scope, self.moment, self.moment)
        lists = [shown_in] if shown_in else [*LISTS]
        return lesson_rows(self.request, self.scope, self.moment, lists, self.moment)


@dataclass(frozen=True, slots=True)
class Reweighed:
    """A memory among the candidates of an earlier question."""

    found: SearchResult
    row: int
    """Which of the candidates it is."""
    place: Placement

    @property
    def score(self) -> float:
        """What it scores."""
        return float(self.found.ranking.score[self.row])

    @property
    def parts(self) -> dict[str, float]:
        """The parts of its score."""
        parts = self.found.ranking.parts.items()
        return {name: round(float(part[self.row]), 6) for name, part in parts}


async def reweigh(runtime: Runtime, question: PastQuestion, memory: Memory) -> Reweighed | None:
    """Rank the candidates of an earlier question, with the marks that were given by then.

    Args:
        runtime: what to work with.
        question: the earlier question.
        memory: the version that was believed then; its id, kind and outcome_type are enough.

    Returns:
        None where the memory is not among the candidates.
    """
    reranks = runtime.reranker is not None
    # A throw-away cache: a replay of a past moment evicts nothing of the present. What a reranking
    # model said then is in the trace: it would have to be paid to say it again.
    runtime = replace(
        runtime,
        embedder=_Then(question.trace, runtime.embedder, runtime.store.space),
        scopes=ScopeCache(),
        reranker=None,
    )
    shown_in = question.list_of(memory.kind, memory.outcome_type)
    rows, whole = question.rows(), runtime.settings.recall.whole
    if shown_in and await runtime.scopes.whole(runtime.store, rows, whole) is None:
        rows = question.rows(shown_in)
    query = question.trace.query
    found = await search(runtime, query, question.scope, rows, question.moment)
    relevance = question.trace.relevance
    if relevance:
        ranking = with_relevance(found.ranking, found.table.candidates, relevance)
        found = replace(found, ranking=ranking)
    elif reranks:
        found = replace(found, degraded=[*found.degraded, "no reranking: it is not asked again"])
    candidates = found.table.candidates
    row = candidates.row_of.get(memory.memory_id)
    if row is None:
        return None
    # The lists of an answer share its room, so that no list has a bound of its own.
    request = question.request
    room = None if question.has_lists else runtime.room(request.max_tokens)
    share = 0.0 if question.shows_all else runtime.settings.recall.least_share
    bounds = Bounds(request.limit, room, question.min_score or 0.0, share)
    among = _shown(found, question, shown_in) if shown_in else None
    return Reweighed(found, row, placement(found.ranking, candidates, row, bounds, among))


class _Then:
    """The embedder as it answered then."""

    def __init__(self, trace: Trace, embedder: Embedder, space: Space | None) -> None:
        self._trace, self._embedder, vector = trace, embedder, trace.vector
        self.identity = space.embedder if space else ""  # a trace's vector is one of the space
        self.dimension = 0 if vector is None else len(vector)

    async def embed(self, texts: Sequence[str], role: Role) -> Vector:
        """Return the vector of the question as it was; a part of it is embedded again."""
        vector = self._trace.vector
        if vector is None:
            raise EmbedderUnavailable("none worked then, or the store has those of another since")
        if [*texts] == [self._trace.query]:
            return np.asarray(vector, np.float32)[None]
        if self._embedder.identity != self.identity:
            raise EmbedderUnavailable("the store has vectors of another")
        return await self._embedder.embed(texts, role)


def _shown(found: SearchResult, question: PastQuestion, shown_in: str) -> NDArray[np.bool_]:
    columns = (found.table.rows[name].to_pylist() for name in ("kind", "outcome_type"))
    return np.array(
        [question.list_of(*row) == shown_in for row in zip(*columns, strict=True)], np.bool_
    )
