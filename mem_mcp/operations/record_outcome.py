"""record_outcome: how a task went, and which memories had a part in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mem_mcp.api.arguments import moment, names
from mem_mcp.api.models import GLOBAL_USER, WAITS, EvaluatedBy, Memory, OutcomeResult, Scope
from mem_mcp.api.outcomes import RecordOutcome
from mem_mcp.errors import InvalidInput, LLMError
from mem_mcp.extraction.outcome_judge import JUDGED, judge
from mem_mcp.retrieval.access import visible
from mem_mcp.runtime import Runtime
from mem_mcp.text import check_text
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import new_memory
from mem_mcp.writing.insert import IdempotencyKey, start_embedding, store_new, stored_earlier
from mem_mcp.writing.memory_text import outcome_text

_GIVEN = "outcome given by the caller"


async def record_outcome(runtime: Runtime, request: RecordOutcome) -> OutcomeResult:
    """Store how a task went, as one memory in one commit.

    Raises:
        InvalidInput: an argument was refused; nothing was stored.
        NotFound: a used memory is not there for this caller; nothing was stored.
        WriteConflict: other writers kept winning; nothing was stored.
    """
    scope = request.scope(runtime.settings.user_id)
    memory = _memory(runtime, request, scope)
    named = names(request.used_memory_ids)
    stored_in = scope.model_copy(update={"user_id": memory.user_id})
    key = memory.request_key
    keyed = IdempotencyKey(stored_in, scope.user_id, key, ("outcome",)) if key else None
    # What a first call used may be gone when it is repeated: it gets its answer all the same.
    is_repeated = False
    if keyed and (named or runtime.gateway):
        is_repeated = bool(await stored_earlier(runtime.store, keyed))
    if not is_repeated:
        named = await _whole_ids(runtime, scope, named)
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


def _memory(runtime: Runtime, request: RecordOutcome, scope: Scope) -> Memory:
    most = runtime.settings.remember.max_characters
    task = check_text(request.task, "task", most)
    summary = check_text(request.summary, "summary", most)
    lesson = check_text(request.lesson, "lesson", most)
    now = utc_now()
    fields: dict[str, Any] = {
        "outcome_type": request.outcome or "unknown",
        "task_type": request.task_type or None,
        "tool_name": request.tool_name or None,
        "severity": request.severity or None,
        "agent_version": request.agent_version or None,
        "confidence": request.confidence,
        "source": "\n".join(names(request.logs)) or None,
        "tags": names(request.tags),
        "metadata": request.metadata or {},
        "occurred_at": moment(request.occurred_at) or now,
        "request_key": request.idempotency_key or None,
        "reason": _GIVEN if request.outcome else None,
    }
    text = outcome_text(task, summary, lesson)
    if len(text) > most:
        raise InvalidInput(
            "task",
            f"with summary and lesson has {len(text):,} characters; at most "
            f"{most:,} are allowed; put what is long into logs",
        )
    memory = new_memory(scope, text, now, kind="outcome", **fields)
    is_shared = request.user_scope == "global"
    return memory.model_copy(update={"user_id": GLOBAL_USER}) if is_shared else memory


async def _whole_ids(runtime: Runtime, scope: Scope, ids: Sequence[str]) -> list[str]:
    known = await visible(runtime.store, scope, ids)
    return [known.of(one).memory_id for one in ids]


async def _recalled(runtime: Runtime, scope: Scope, recall_id: str) -> tuple[list[str], list[str]]:
    """Return what a recall answered, or why that is not known."""
    if not recall_id:
        return [], []
    trace = await runtime.traces.find(recall_id, scope.user_id)
    if trace is None:
        return [], [
            f"recall_id: {recall_id!r} is unknown, or older than "
            f"{runtime.settings.recall.trace_days} days: nothing was credited for it"
        ]
    return trace.memory_ids, []
