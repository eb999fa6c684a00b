"""record_outcome: how a task went, and which memories had a part in it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from mem_mcp.api.arguments import moment, names
from mem_mcp.api.models import GLOBAL_USER, WAITS, Memory, OutcomeResult, Scope
from mem_mcp.api.outcome_text import outcome_text
from mem_mcp.api.outcomes import RecordOutcome
from mem_mcp.api.progress import PartsReport, Progress
from mem_mcp.errors import InvalidInput, LLMError
from mem_mcp.extraction.pending import being_read, count_failure, rows_waiting, turn_of
from mem_mcp.extraction.stored_outcomes import evaluated_by, judge_stored, versions_of
from mem_mcp.llm import Gateway
from mem_mcp.retrieval.access import visible
from mem_mcp.runtime import Runtime
from mem_mcp.text import check_text
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import new_memory
from mem_mcp.writing.insert import IdempotencyKey, start_embedding, store_new, stored_earlier

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
    if keyed and named:
        is_repeated = bool(await stored_earlier(runtime.store, keyed))
    if not is_repeated:
        named = await _whole_ids(runtime, scope, named)
    recalled, degraded = await _recalled(runtime, scope, request.recall_id)
    memory = memory.model_copy(update={"used": list(dict.fromkeys([*named, *recalled]))})
    judges = _judge(runtime, request, memory)
    if judges:
        # Stored before the model is asked: whatever ends this process, the outcome is there.
        memory = memory.model_copy(update={"status": "pending", "reason": WAITS})
    asks = bool(judges) and not runtime.settings.llm.background
    turn = runtime.store.alone(turn_of(keyed)) if keyed and asks else nullcontext()
    told: list[str] = []
    async with turn:
        embedding = start_embedding(runtime, [memory])
        first, placed = await store_new(runtime, [memory], embedding, keyed)
        stored = first[0] if first else placed[0].memory
        _, without_vector = await embedding
        if judges and asks:
            told = await _judged(runtime, judges, stored, request.on_progress)
        versions = await versions_of(runtime.store, stored.memory_id)
    now = versions[-1] if asks and versions else stored
    return OutcomeResult(
        memory_id=now.memory_id,
        outcome=now.outcome_type or "unknown",
        evaluated_by=evaluated_by(versions or [stored], _GIVEN),
        status=now.status,
        text=now.text,
        credited=now.used,
        degraded=[*degraded, *told, *without_vector],
    )


def _judge(runtime: Runtime, request: RecordOutcome, memory: Memory) -> Gateway | None:
    """Return the model that is to judge an outcome; None if it is given, or there are no logs."""
    return runtime.gateway if memory.source and not request.outcome else None


async def _judged(
    runtime: Runtime, gateway: Gateway, stored: Memory, on_progress: Progress | None
) -> list[str]:
    """Let the model judge an outcome that waits; return what does not count, or why it waits."""
    rows = await rows_waiting(runtime.store, [stored.memory_id])
    if not rows:
        return []
    report = PartsReport(on_progress, 1)
    with gateway.turn(), being_read(rows):
        await report.begin()
        try:
            told = await judge_stored(runtime, gateway, rows[0])
        except LLMError as error:
            if error.of_request:
                await count_failure(runtime, rows)
            told = [f"the language model did not judge it, so it waits: {error}"]
        await report.end()
        return told


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
