"""Search: embed the query, collect candidates, rank and rerank them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from mem_mcp.api.models import Scope
from mem_mcp.errors import LLMError
from mem_mcp.ranking import Candidates, Query, Ranking, rank, reranked
from mem_mcp.retrieval.candidate_rows import CandidateTable
from mem_mcp.retrieval.candidate_search import gather
from mem_mcp.retrieval.feedback_signals import Experience
from mem_mcp.retrieval.row_filters import RowFilter
from mem_mcp.runtime import Reranker, Runtime
from mem_mcp.store import Vector
from mem_mcp.telemetry import span
from mem_mcp.text import said_by


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The candidates of a question, ranked."""

    candidacy: CandidateTable
    ranking: Ranking
    experience: Experience
    vector: Vector | None
    """Of the question; None for a search by words only."""
    degraded: list[str]


async def search(
    runtime: Runtime, query: str, scope: Scope, view: RowFilter, as_of: datetime | None = None
) -> SearchResult:
    """Rank what a question may see.

    Args:
        runtime: what to work with.
        query: the question.
        scope: who asks.
        view: which rows may be seen at all.
        as_of: the moment that is asked about; None for now.
    """
    async with runtime.recalls:
        embedding = asyncio.create_task(runtime.embed([query]))
        if runtime.store.space is None:  # the first vector tells how long all of them are
            await embedding
        known = asyncio.create_task(runtime.experiences.of(scope, view, as_of))
        try:
            candidacy = await gather(runtime, query, embedding, view, known)
            (vector,), degraded = await embedding
            experience = await known
        except BaseException:
            embedding.cancel()
            known.cancel()
            await asyncio.gather(embedding, known, return_exceptions=True)
            raise
        with span("rank"):
            candidates = candidacy.candidates
            asked = Query(text=query, vector=vector, now=(as_of or view.now).timestamp())
            marks = experience.marks(candidates)
            ranking = await asyncio.to_thread(rank, asked, candidates, marks)
    if runtime.reranker is not None and len(candidates):
        ranking, notes = await _reread(runtime, runtime.reranker, query, candidates, ranking)
        degraded = [*degraded, *notes]
    return SearchResult(candidacy, ranking, experience, vector, degraded)


async def _reread(
    runtime: Runtime, reranker: Reranker, query: str, candidates: Candidates, ranking: Ranking
) -> tuple[Ranking, list[str]]:
    """Let a model read the best candidates together with the question."""
    rows = ranking.order[: runtime.settings.rerank.candidates].tolist()
    try:
        with span("rerank"):
            texts = [said_by(candidates.actor_ids[row], candidates.texts[row]) for row in rows]
            relevance = await reranker(query, texts)
    except LLMError as error:
        return ranking, [f"no reranking: {error}"]
    return reranked(ranking, rows, relevance), []
