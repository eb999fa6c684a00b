"""record_outcome: how a task went, and which memories had a part in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mem_mcp.api import arguments
from mem_mcp.api.arguments import Time
from mem_mcp.api.models import (
    GLOBAL_USER,
    WAITS,
    EvaluatedBy,
    Memory,
    Outcome,
    OutcomeResult,
    Scope,
    Severity,
    UserScope,
)
from mem_mcp.errors import InvalidInput, LLMError, NotFound
from mem_mcp.extraction.outcome_judge import JUDGED, judge
from mem_mcp.retrieval.access import visible
from mem_mcp.runtime import Runtime
from mem_mcp.text import check_text
from mem_mcp.times import optional_time, utc_now
from mem_mcp.writing.identity import new_memory
from mem_mcp.writing.insert import IdempotencyKey, start_embedding, store_new, stored_earlier
from mem_mcp.writing.memory_text import outcome_text

MAX_LOG_BYTES = 5_000_000
MOST_USED = 1_000
_GIVEN = "outcome given by the caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of `record_outcome`, as the caller gave them; empty or None is absent."""

    task: str
    outcome: str = ""
    lesson: str = ""
    summary: str = ""
    task_type: str = ""
    tool_name: str = ""
    severity: str = ""
    agent_version: str = ""
    confidence: float | None = None
    logs: Sequence[str] | None = None
    used_memory_ids: Sequence[str] | None = None
    recall_id: str = ""
    user_scope: str = "user"
    tags: Sequence[str] | None = None
    metadata: Mapping[str, Any] | None = None
    occurred_at: Time = None
    idempotency_key: str = ""
    user_id: str = ""
    agent_id: str = ""
    run_id: str = ""


async def record_outcome(runtime: Runtime, request: Request) -> OutcomeResult:
    """Store how a task went, as one memory in one commit.

    Raises:
        InvalidInput: an argument was refused; nothing was stored.
        NotFound: a used memory is not there for this caller; nothing was stored.
        WriteConflict: other writers kept winning; nothing was stored.
    """
    scope = arguments.scope(
        runtime.settings.user_id, request.user_id, request.agent_id, request.run_id
    )
    memory = _memory(runtime, request, scope)
    named = _used_ids(request.used_memory_ids)
    stored_in = scope.model_copy(update={"user_id": memory.user_id})
    key = memory.request_key
    keyed = IdempotencyKey(stored_in, scope.user_id, key, ("outcome",)) if key else None
    # What a first call used may be gone when it is repeated: it gets its answer all the same.
    is_repeated = False
    if keyed and (named or runtime.gateway):
        is_repeated = bool(await stored_earlier(runtime.store, keyed))
    if not is_repeated:
        await _check_known(runtime, scope, named)
    recalled, degraded = await _recalled(runtime, scope, request.recall_id)
    memory = memory.model_copy(update={"used": list(dict.fromkeys([*named, *recalled]))})
    told: list[str] = []
    if not (is_repeated or request.outcome):
        memory, told = await _judged(runtime, memory)
    embedding = start_embedding(runtime, [memory])
    first, placed = await store_new(runtime, [memory], embedding, keyed)
    stored = first[0] if first else placed[0].memory
    _, without_vector = await embedding
    return OutcomeResult(
        memory_id=stored.memory_id,
        outcome=stored.outcome_type or "unknown",
        evaluated_by=_evaluated_by(stored),
        status=stored.status,
        text=stored.text,
        credited=stored.used,
        degraded=[*degraded, *told, *without_vector],
    )


async def _judged(runtime: Runtime, memory: Memory) -> tuple[Memory, list[str]]:
    """Let the model judge what nobody has judged, if there is one; else say why it waits."""
    gateway = runtime.gateway
    if gateway is None or not memory.source:
        return memory, []
    pending = memory.model_copy(update={"status": "pending", "reason": WAITS})
    if runtime.settings.llm.background:
        return pending, []
    try:
        with gateway.turn():
            fields, dropped = await judge(runtime, gateway, memory)
    except LLMError as error:
        return pending, [f"the language model did not judge it, so it waits: {error}"]
    return memory.model_copy(update=fields), dropped


def _evaluated_by(stored: Memory) -> EvaluatedBy:
    if (stored.reason or "").startswith(JUDGED):
        return "llm"
    return "caller" if stored.reason == _GIVEN else "none"


def _memory(runtime: Runtime, request: Request, scope: Scope) -> Memory:
    most = runtime.settings.remember.max_characters
    task = arguments.required_text(request.task, "task", most)
    summary = check_text(request.summary or "", "summary", most)
    lesson = check_text(request.lesson or "", "lesson", most)
    now = utc_now()
    fields: dict[str, Any] = {
        "outcome_type": arguments.one_of(
            request.outcome or "unknown", "outcome", arguments.literal(Outcome)
        ),
        "task_type": arguments.name(request.task_type, "task_type"),
        "tool_name": arguments.name(request.tool_name, "tool_name"),
        "severity": request.severity
        and arguments.one_of(request.severity, "severity", arguments.literal(Severity)),
        "agent_version": arguments.name(request.agent_version, "agent_version"),
        "confidence": None
        if request.confidence is None
        else arguments.fraction(request.confidence, "confidence"),
        "source": _source(request.logs),
        "tags": arguments.names(request.tags, "tags"),
        "metadata": arguments.metadata(request.metadata),
        "occurred_at": optional_time(request.occurred_at, "occurred_at") or now,
        "request_key": arguments.name(request.idempotency_key, "idempotency_key"),
    }
    fields["severity"] = fields["severity"] or None
    fields["reason"] = _GIVEN if request.outcome else None
    shared = arguments.one_of(
        request.user_scope or "user", "user_scope", arguments.literal(UserScope)
    )
    text = outcome_text(task, summary, lesson)
    if len(text) > most:
        raise InvalidInput(
            "task",
            f"with summary and lesson has {len(text):,} characters; at most "
            f"{most:,} are allowed; put what is long into logs",
        )
    memory = new_memory(scope, text, now, kind="outcome", **fields)
    return memory.model_copy(update={"user_id": GLOBAL_USER}) if shared == "global" else memory


def _source(logs: Sequence[str] | None) -> str | None:
    if not logs:
        return None
    if isinstance(logs, str) or not isinstance(logs, Sequence):
        raise InvalidInput("logs", "must be a list of texts")
    checked = [check_text(log, "logs") for log in logs]
    size = sum(len(log.encode()) for log in checked)
    if size > MAX_LOG_BYTES:
        raise InvalidInput(
            "logs", f"{size:,} bytes in all; at most {MAX_LOG_BYTES:,}: give the end that matters"
        )
    return "\n".join(checked) or None


def _used_ids(ids: Sequence[str] | None) -> list[str]:
    if ids is None:
        return []
    if isinstance(ids, str) or not isinstance(ids, Sequence):
        raise InvalidInput("used_memory_ids", "must be a list of memory ids")
    if len(ids) > MOST_USED:
        raise InvalidInput("used_memory_ids", f"has {len(ids):,} entries; at most {MOST_USED:,}")
    checked = [arguments.required_text(one, "used_memory_ids", arguments.MAX_NAME) for one in ids]
    return list(dict.fromkeys(checked))


async def _check_known(runtime: Runtime, scope: Scope, ids: Sequence[str]) -> None:
    known = await visible(runtime.store, scope, ids)
    for memory_id in ids:
        if memory_id not in known:
            raise NotFound(memory_id)


async def _recalled(runtime: Runtime, scope: Scope, recall_id: str) -> tuple[list[str], list[str]]:
    """Return what a recall answered, or why that is not known."""
    name = arguments.name(recall_id, "recall_id")
    if name is None:
        return [], []
    trace = await runtime.traces.find(name, scope.user_id)
    if trace is None:
        return [], [
            f"recall_id: {name!r} is unknown, or older than "
            f"{runtime.settings.recall.trace_days} days: nothing was credited for it"
        ]
    return trace.memory_ids, []
