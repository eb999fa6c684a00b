"""recall: the memories that answer a question, best first."""

from __future__ import annotations

from dataclasses import asdict

from mem_mcp.api.arguments import moment
from mem_mcp.api.models import Recalled, RecallResult
from mem_mcp.api.recall import Recall
from mem_mcp.api.score_parts import legend_of
from mem_mcp.logs.recalls import Trace, new_recall_id
from mem_mcp.ranking import belonging, copies, select, shared_words
from mem_mcp.retrieval.results import recalled
from mem_mcp.retrieval.row_filters import recall_rows
from mem_mcp.retrieval.search import search
from mem_mcp.retrieval.shown import shown
from mem_mcp.runtime import Runtime
from mem_mcp.times import utc_now


async def recall(runtime: Runtime, request: Recall) -> RecallResult:
    """Find the memories of a scope that a question is about.

    Raises:
        InvalidInput: an argument was refused.
    """
    now, as_of = utc_now(), moment(request.as_of)
    scope = request.scope(runtime.settings.user_id)
    rows = recall_rows(request, scope, now, as_of)
    found = await search(runtime, request.query, scope, rows, as_of)
    candidates = found.table.candidates
    chosen = select(found.ranking, candidates, request.limit, request.min_score or 0.0)
    share = runtime.settings.recall.least_share if request.min_score is None else 0.0
    belongs = belonging(found.ranking, share)
    best = [row for row in chosen if belongs[row]]
    also = copies(found.ranking, candidates, best)
    explained_by = found.history if request.explain else None
    answer = recalled(found.table.rows, found.ranking, best, also, explained_by)
    if request.explain:
        for _, fields in answer:
            fields["matched"] = shared_words(request.query, fields["text"], found.language)
    memories = shown(
        [Recalled(**fields) for _, fields in answer],
        runtime.room(request.max_tokens),
        request.query,
        found.language,
    )
    result = RecallResult(
        recall_id=new_recall_id(),
        memories=memories,
        left_out=len(chosen) - len(best),
        no_room=len(best) - len(memories),
        legend=legend_of(
            name for one in memories for name, part in (one.scores or {}).items() if part
        ),
        degraded=found.degraded,
    )
    runtime.traces.add(
        Trace(
            recall_id=result.recall_id,
            tool="recall",
            user_id=scope.user_id,
            agent_id=scope.agent_id,
            query=request.query,
            vector=found.vector,
            memory_ids=[memory.memory_id for memory in result.memories],
            arguments=asdict(request),
            created_at=now,
            relevance=found.relevance,
        )
    )
    return result
