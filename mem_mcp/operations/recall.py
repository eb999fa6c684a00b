"""recall: the memories that answer a question, best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from mem_mcp.api import arguments
from mem_mcp.api.arguments import Time
from mem_mcp.api.models import Kind, Recalled, RecallResult, Scope
from mem_mcp.logs.recalls import Trace, new_recall_id
from mem_mcp.ranking import select
from mem_mcp.retrieval.results import recalled
from mem_mcp.retrieval.row_filters import RowFilter, chosen, view
from mem_mcp.retrieval.search import search
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters
from mem_mcp.times import optional_time, utc_now

MAX_QUERY = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of `recall`, as the caller gave them."""

    query: str
    user_id: str = ""
    agent_id: str = ""
    run_id: str = ""
    limit: int = 10
    max_tokens: int = 0
    kinds: Sequence[str] | None = None
    tags: Sequence[str] | None = None
    filters: Filters | None = None
    since: Time = None
    until: Time = None
    as_of: Time = None
    min_score: float = 0.0
    include_global: bool = True
    explain: bool = False


async def recall(runtime: Runtime, request: Request) -> RecallResult:
    """Find the memories of a scope that a question is about.

    Raises:
        InvalidInput: an argument was refused.
    """
    now = utc_now()
    query = arguments.required_text(request.query, "query", MAX_QUERY)
    limit = arguments.limit(request.limit)
    max_tokens = arguments.count(request.max_tokens, "max_tokens")
    min_score = arguments.fraction(request.min_score, "min_score")
    as_of = optional_time(request.as_of, "as_of")
    scope = arguments.scope(
        runtime.settings.user_id, request.user_id, request.agent_id, request.run_id
    )
    seen = _view(request, scope, now, as_of)
    found = await search(runtime, query, scope, seen, as_of)
    best = select(found.ranking, found.candidacy.candidates, limit, max_tokens, min_score)
    explained_by = found.experience if request.explain else None
    answer = recalled(found.candidacy.rows, found.ranking, best, explained_by)
    result = RecallResult(
        recall_id=new_recall_id(),
        memories=[Recalled(**fields) for _, fields in answer],
        degraded=found.degraded,
    )
    runtime.traces.add(
        Trace(
            recall_id=result.recall_id,
            tool="recall",
            user_id=scope.user_id,
            agent_id=scope.agent_id,
            query=query,
            vector=found.vector,
            memory_ids=[memory.memory_id for memory in result.memories],
            arguments=asdict(request),
            created_at=now,
        )
    )
    return result


def _view(request: Request, scope: Scope, now: datetime, as_of: datetime | None) -> RowFilter:
    since, until = arguments.window(request.since, request.until)
    tags = arguments.names(request.tags, "tags")
    return view(
        scope,
        now,
        chosen(request.filters, tags=tags, since=since, until=until),
        include_global=request.include_global,
        as_of=as_of,
        kinds=arguments.words_of(request.kinds, "kinds", arguments.literal(Kind)),
    )
