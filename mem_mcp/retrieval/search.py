"""Search: embed the query, collect candidates, rank and rerank them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mem_mcp.api.models import Scope
from mem_mcp.embedding import Role
from mem_mcp.errors import LLMError
from mem_mcp.ranking import (
    Candidates,
    FeedbackSignals,
    Query,
    Ranking,
    embedded_passages,
    named_first,
    newer_first,
    rank,
    reranked,
    same_polarity_first,
    spread,
)
from mem_mcp.ranking.arrays import Booleans
from mem_mcp.retrieval.candidate_rows import CandidateTable
from mem_mcp.retrieval.candidate_search import find_candidates
from mem_mcp.retrieval.feedback_signals import FeedbackHistory
from mem_mcp.retrieval.row_filters import RowFilter
from mem_mcp.retrieval.unembedded import unembedded_note
from mem_mcp.runtime import Reranker, Runtime
from mem_mcp.store import Vector
from mem_mcp.telemetry import span
from mem_mcp.text import said_by


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The candidates of a query, ranked."""

    table: CandidateTable
    ranking: Ranking
    history: FeedbackHistory
    """Feedback on memories, given by the time of the search."""
    vector: Vector | None
    """The query's vector; None for a search by words only."""
    degraded: list[str]
    """What did not work, in sentences for the caller."""
    relevance: Mapping[str, float] = field(default_factory=dict)
    """What the reranking model said of each memory that it read, by memory_id."""

    @property
    def language(self) -> str:
        """The language of most candidates, an ISO 639-1 code; empty where none is that of most."""
        return self.table.candidates.language


async def search(
    runtime: Runtime,
    query: str,
    scope: Scope,
    row_filter: RowFilter,
    as_of: datetime | None = None,
    role: Role = "query",
) -> SearchResult:
    """Find and rank the memories for a query.

    Args:
        runtime: the open memory.
        query: the query.
        scope: the caller.
        row_filter: the rows that the caller may see.
        as_of: search as of this time, with the feedback given by then; None for now.
        role: "passage" for a query that is of the same kind as what it is compared with.
    """
    relevance: dict[str, float] = {}
    async with runtime.recalls:
        embedding = asyncio.create_task(runtime.embed([query], role))
        if runtime.store.space is None:  # the first vector sets the dimension
            await embedding
        beginning = asyncio.create_task(_beginning(runtime, query))
        loading = asyncio.create_task(runtime.feedback_cache.of(scope, row_filter, as_of))
        try:
            table, notes = await asyncio.gather(
                find_candidates(runtime, query, embedding, row_filter, loading),
                unembedded_note(runtime, row_filter),
            )
            (vector,), degraded = await embedding
            degraded = degraded or notes
            history, head = await loading, await beginning
        except BaseException:
            for task in (embedding, beginning, loading):
                task.cancel()
            await asyncio.gather(embedding, beginning, loading, return_exceptions=True)
            raise
        with span("rank"):
            candidates = table.candidates
            now = as_of or row_filter.now
            embedded = Query(
                text=query,
                vector=vector,
                now=now.timestamp(),
                zone=runtime.zone,
                head=head,
                of_their_kind=role == "passage",
            )
            signals = history.signals(candidates)
            is_current = table.current(now)
            ranking = await asyncio.to_thread(_ranked, embedded, candidates, is_current, signals)
    if runtime.reranker is not None and len(candidates):
        relevance, notes = await _relevance(runtime, runtime.reranker, query, candidates, ranking)
        degraded = [*degraded, *notes]
        ranking = with_relevance(ranking, candidates, relevance)
    ranking = named_first(query, candidates, ranking)
    return SearchResult(table, ranking, history, vector, degraded, relevance)


async def _beginning(runtime: Runtime, query: str) -> Vector | None:
    """Embed the first passage of a long question as one of a text; None for a short one."""
    parts = embedded_passages(query)
    if not parts:
        return None
    (vector,), _ = await runtime.embed(parts[:1], "passage")
    return vector


def with_relevance(
    ranking: Ranking, candidates: Candidates, relevance: Mapping[str, float]
) -> Ranking:
    """Return the ranking with what a reranking model said of candidates, by memory_id.

    Memories that are no candidates do not count.
    """
    rows = {candidates.row_of[one]: relevance[one] for one in relevance if one in candidates.row_of}
    return reranked(ranking, [*rows], [*rows.values()]) if rows else ranking


def _ranked(
    query: Query, candidates: Candidates, is_current: Booleans, signals: FeedbackSignals
) -> Ranking:
    """Rank candidates, then order those whose scores alone do not tell them apart."""
    ranking = rank(query, candidates, signals)
    ranking = newer_first(query.text, candidates, ranking, is_current, signals)
    if query.is_text:
        return ranking
    ranking = same_polarity_first(query.text, candidates, ranking, signals)
    return spread(query.text, candidates, ranking)


async def _relevance(
    runtime: Runtime, reranker: Reranker, query: str, candidates: Candidates, ranking: Ranking
) -> tuple[dict[str, float], list[str]]:
    """Let the reranking model read the best candidates.

    Returns:
        The relevance of each by memory_id, nothing if the model fails; and notes for `degraded`.
    """
    rows = ranking.order[: runtime.settings.rerank.candidates].tolist()
    try:
        with span("rerank"):
            texts = [said_by(candidates.actor_ids[row], candidates.texts[row]) for row in rows]
            relevance = await reranker(query, texts)
    except LLMError as error:
        return {}, [f"no reranking: {error}"]
    return {candidates.memory_ids[row]: one for row, one in zip(rows, relevance, strict=True)}, []
