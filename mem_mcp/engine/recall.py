"""recall: the memories that answer a question, best first."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from mem_mcp.engine import arguments
from mem_mcp.engine.arguments import Time
from mem_mcp.engine.pool import gather
from mem_mcp.engine.resources import Resources
from mem_mcp.engine.visibility import chosen, every, owned, recallable
from mem_mcp.models import Kind, Memory, Recalled, RecallResult
from mem_mcp.ranking import Query, Ranking, rank, select
from mem_mcp.store import Filters, from_arrow
from mem_mcp.telemetry import span
from mem_mcp.times import optional_time, utc_now

MAX_QUERY = 50_000
_NO_MOMENT = datetime.min.replace(tzinfo=UTC)


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


async def recall(resources: Resources, request: Request) -> RecallResult:
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
    visible = _visible(resources, request, now, as_of)
    # The same whenever it is asked: names the scope for those that follow.
    scope = repr(_visible(resources, request, _NO_MOMENT, as_of))
    async with resources.recalls:
        vector, found, degraded = await gather(resources, query, visible, scope, now)
        with span("rank"):
            asked = Query(text=query, vector=vector, now=(as_of or now).timestamp())
            ranking = await asyncio.to_thread(rank, asked, found.candidates)
            best = select(ranking, found.candidates, limit, max_tokens, min_score)
    return RecallResult(
        recall_id=f"r{secrets.token_hex(12)}",
        memories=_results(found.rows, ranking, best, explain=request.explain),
        degraded=degraded,
    )


def _visible(
    resources: Resources, request: Request, now: datetime, as_of: datetime | None
) -> dict[str, Any]:
    scope = arguments.scope(resources.settings, request.user_id, request.agent_id, request.run_id)
    since, until = arguments.window(request.since, request.until)
    return every(
        owned(scope, include_global=request.include_global),
        recallable(now, as_of),
        chosen(
            request.filters,
            kinds=arguments.words_of(request.kinds, "kinds", arguments.literal(Kind)),
            tags=arguments.names(request.tags, "tags"),
            since=since,
            until=until,
        ),
    )


def _results(
    rows: pa.Table, ranking: Ranking, best: Sequence[int], *, explain: bool
) -> list[Recalled]:
    versions = from_arrow(rows.take(pa.array(best, pa.int64())))
    return [
        _recalled(version.memory, ranking, index, explain=explain)
        for version, index in zip(versions, best, strict=True)
    ]


def _recalled(memory: Memory, ranking: Ranking, index: int, *, explain: bool) -> Recalled:
    parts = {name: round(float(part[index]), 6) for name, part in ranking.parts.items()}
    return Recalled(
        memory_id=memory.memory_id,
        text=memory.text,
        kind=memory.kind,
        score=float(ranking.score[index]),
        scores=parts if explain else None,
        tags=memory.tags,
        metadata=memory.metadata,
        user_id=memory.user_id,
        agent_id=memory.agent_id,
        run_id=memory.run_id,
        actor_id=memory.actor_id,
        occurred_at=memory.occurred_at,
        recorded_at=memory.recorded_at,
        valid_until=memory.valid_until,
        relations=memory.relations,
    )
