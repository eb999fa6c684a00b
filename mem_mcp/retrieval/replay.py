"""Ranking an earlier question again, as things were when it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mem_mcp.api.models import Memory
from mem_mcp.errors import EmbedderUnavailable
from mem_mcp.logs.recalls import Trace
from mem_mcp.retrieval.exclusion import Bounds, Placement, placement
from mem_mcp.retrieval.past_request import Asked
from mem_mcp.retrieval.scope_cache import ScopeCache
from mem_mcp.retrieval.search import SearchResult, search
from mem_mcp.runtime import Runtime
from mem_mcp.store import Space, Vector


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


async def reweigh(runtime: Runtime, trace: Trace, asked: Asked, memory: Memory) -> Reweighed | None:
    """Rank the candidates of an earlier question, with the marks that were given by then.

    Args:
        runtime: what to work with.
        trace: of the answer.
        asked: the same question.
        memory: the version that was believed then; its id, kind and outcome_type are enough.

    Returns:
        None where the memory is not among the candidates.
    """
    reranks = runtime.reranker is not None
    # A throw-away cache: a replay of a past moment evicts nothing of the present. A reranking model
    # would have to be paid to say it again.
    runtime = replace(
        runtime,
        embedder=_Then(trace.vector, runtime.store.space),
        scopes=ScopeCache(),
        reranker=None,
    )
    shown_in = asked.list_of(memory.kind, memory.outcome_type)
    seen, whole = asked.view(), runtime.settings.recall.whole
    if shown_in and await runtime.scopes.whole(runtime.store, seen, whole) is None:
        seen = asked.view(shown_in)
    found = await search(runtime, trace.query, asked.scope, seen, asked.moment)
    if reranks:
        found = replace(found, degraded=[*found.degraded, "no reranking: it is not asked again"])
    candidates = found.candidacy.candidates
    row = candidates.row_of.get(memory.memory_id)
    if row is None:
        return None
    # The lists of an answer share its tokens, so that no list has a bound of its own.
    bounds = Bounds(asked.limit, 0 if asked.lists else asked.max_tokens, asked.min_score)
    among = _shown(found, asked, shown_in) if shown_in else None
    return Reweighed(found, row, placement(found.ranking, candidates, row, bounds, among))


class _Then:
    """The embedder as it answered then."""

    def __init__(self, vector: Vector | None, space: Space | None) -> None:
        self._vector = vector
        self.identity = space.embedder if space else ""  # a trace's vector is one of the space
        self.dimension = 0 if vector is None else len(vector)

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Return the question's vector for each text."""
        if self._vector is None:
            raise EmbedderUnavailable("none worked then, or the store has those of another since")
        return np.tile(np.asarray(self._vector, np.float32), (len(texts), 1))


def _shown(found: SearchResult, asked: Asked, shown_in: str) -> NDArray[np.bool_]:
    columns = (found.candidacy.rows[name].to_pylist() for name in ("kind", "outcome_type"))
    return np.array(
        [asked.list_of(*row) == shown_in for row in zip(*columns, strict=True)], np.bool_
    )
