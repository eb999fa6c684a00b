"""recall: the memories that answer a question, best first."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mem_mcp.engine import arguments
from mem_mcp.engine.arguments import Time
from mem_mcp.engine.pool import gather
from mem_mcp.engine.resources import Resources
from mem_mcp.engine.visibility import chosen, every, owned, recallable
from mem_mcp.models import Kind, Memory, Recalled, RecallResult
from mem_mcp.ranking import Candidates, Query, Ranking, rank, select
from mem_mcp.store import Filters, from_arrow, matrix
from mem_mcp.telemetry import span
from mem_mcp.times import optional_time, utc_now

MAX_QUERY = 50_000
COLUMNS = (
    "version_id", "memory_id", "text", "vector", "kind", "user_id", "agent_id", "run_id",
    "actor_id", "role", "position", "tags", "entities", "relations", "metadata", "occurred_at",
    "valid_until", "recorded_at",
)  # fmt: skip


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
    async with resources.recalls:
        vector, rows, degraded = await gather(resources, query, visible, COLUMNS)
        candidates = candidates_of(rows)
        with span("rank"):
            asked = Query(text=query, vector=vector, now=(as_of or now).timestamp())
            ranking = await asyncio.to_thread(rank, asked, candidates)
            best = select(ranking, candidates, limit, max_tokens, min_score)
    return RecallResult(
        recall_id=f"r{secrets.token_hex(12)}",
        memories=_results(rows, ranking, best, explain=request.explain),
        degraded=degraded,
    )


def candidates_of(rows: pa.Table) -> Candidates:
    """Lay rows out for ranking; runs of different users are different runs."""
    columns = {name: rows[name].to_pylist() for name in rows.column_names if name != "vector"}
    positions = [-1 if position is None else position for position in columns["position"]]
    run_ids = [
        None if run is None and position < 0 else f"{user}\x1f{run or ''}"
        for user, run, position in zip(
            columns["user_id"], columns["run_id"], positions, strict=True
        )
    ]
    return Candidates(
        memory_ids=columns["memory_id"],
        texts=columns["text"],
        vectors=matrix(rows),
        run_ids=run_ids,
        positions=np.asarray(positions, dtype=np.int64),
        actor_ids=columns["actor_id"],
        roles=columns["role"],
        kinds=columns["kind"],
        entities=columns["entities"],
        occurred_at=_seconds(rows["occurred_at"]),
        recorded_at=_seconds(rows["recorded_at"]),
    )


def _seconds(times: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(times.cast(pa.int64()).to_numpy(), dtype=np.float64) / 1e6


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
    versions = from_arrow(rows.drop_columns("vector").take(pa.array(best, pa.int64())))
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
