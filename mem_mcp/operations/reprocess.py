"""reprocess: let the language model read what waited for it, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mem_mcp.api.arguments import moment, names
from mem_mcp.api.models import Memory, Reprocessed, Scope
from mem_mcp.api.progress import PartsReport, Progress
from mem_mcp.api.remember import KINDS
from mem_mcp.api.upkeep import Reprocess
from mem_mcp.current_client import through
from mem_mcp.errors import LLMError, LLMUnavailable, MemError, WriteConflict
from mem_mcp.extraction.message_reading import read_messages
from mem_mcp.extraction.pending import (
    WAITING,
    content_of_row,
    count_failure,
    request_of,
    requests_waiting,
    rows_waiting,
)
from mem_mcp.extraction.pictures import Content, blindness, left_out
from mem_mcp.extraction.procedure import procedure
from mem_mcp.extraction.stored_outcomes import judge_stored, judged_by_models
from mem_mcp.llm import Gateway, Usage
from mem_mcp.retrieval.access import LAST
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters, Version
from mem_mcp.times import utc_now
from mem_mcp.writing.insert import IdempotencyKey
from mem_mcp.writing.versions import next_version, with_embedding

_AT_ONCE = 1_000
_WHOLE = ("outcome", "procedure")
"""Kinds that the model is asked about once."""
# Failures of the model in a row after which it is left alone until the next time.
_MOST_FAILURES = 3


async def reprocess(
    runtime: Runtime,
    *,
    pending: bool = True,
    outcomes: Filters | None = None,
    unasked: bool = False,
    on_progress: Progress | None = None,
) -> Reprocessed:
    """Finish what waits, and on request judge again the outcomes that a model judged.

    One process at a time does it, and what another has finished meanwhile is left alone.

    Args:
        runtime: what to work with.
        pending: what waits.
        outcomes: conditions on the outcomes that a model judged earlier and is to judge again;
            None for none.
        unasked: whether nobody asked for it: then what a model read and passed over is left
            alone, and what it failed at, until it is due.
        on_progress: is told when each request and outcome begins and ends; of a conversation also
            when each of its parts does.

    Raises:
        LLMUnavailable: no model is configured.
    """
    gateway = runtime.gateway
    if gateway is None:
        raise LLMUnavailable("unconfigured", "no language model is configured; set llm.model")
    work = _Work(runtime, gateway)
    due = utc_now() if unasked else None
    async with runtime.store.alone("reprocess"):
        waiting = await requests_waiting(runtime.store, _AT_ONCE, due=due) if pending else []
        judged = [] if outcomes is None else await judged_by_models(runtime.store, outcomes)
        report = PartsReport(on_progress, len(waiting) + len(judged))
        for ids in waiting:
            if work.given_up:
                break
            if rows := await rows_waiting(runtime.store, ids):
                await work.do(rows, report)
            else:
                await report.begin()
            await report.end()
        for row in judged:
            await work.do([row], report)
            await report.end()
    return Reprocessed(
        processed=work.processed,
        waiting=await runtime.store.count(WAITING),
        degraded=work.degraded,
        llm=work.usage,
    )


def chosen(request: Reprocess) -> Filters:
    """Return the conditions on the outcomes that are to be judged again."""
    conditions: dict[str, Any] = {}
    if request.task_type:
        conditions["task_type"] = request.task_type
    if since := moment(request.since):
        conditions["occurred_at"] = {"gte": since}
    if ids := names(request.memory_ids):
        conditions["OR"] = [{"memory_id": {"gte": each, "lt": each + LAST}} for each in ids]
    return conditions


class _Work:
    """Request by request, until the model fails too often in a row."""

    def __init__(self, runtime: Runtime, gateway: Gateway) -> None:
        self._runtime = runtime
        self._gateway = gateway
        self._failures = 0
        self.processed = 0
        self.degraded: list[str] = []
        self.usage = Usage()

    @property
    def given_up(self) -> bool:
        """Whether the model failed too often."""
        return self._failures >= _MOST_FAILURES

    async def do(self, rows: Sequence[Version], report: PartsReport) -> None:
        """Read one request, and tell that it begins."""
        with through(rows[0].memory.client):  # what is made of it came as it did
            await self._do(rows, report)

    async def _do(self, rows: Sequence[Version], report: PartsReport) -> None:
        parts = report.in_parts() if rows[0].memory.kind not in _WHOLE else None
        if parts is None:
            await report.begin()
        contents = [content_of_row(row.memory) for row in rows]
        pictured = any(content.pictures for content in contents)
        if self.given_up or (pictured and await self._is_hidden(rows, contents)):
            return
        with self._gateway.turn() as turn:
            try:
                failure: MemError | None = await self._read(
                    rows, contents if pictured else (), parts
                )
            except (LLMError, WriteConflict) as error:
                if isinstance(error, LLMError) and error.of_request:
                    waiting = [row for row in rows if row.memory.status == "pending"]
                    await count_failure(self._runtime, waiting)
                self.degraded.append(f"memory {rows[0].memory.memory_id} still waits: {error}")
                failure = error
        self.usage += turn.usage
        self.processed += failure is None
        # One request that no model takes would keep all others waiting for ever.
        failed = isinstance(failure, LLMError) and not failure.of_request
        self._failures = self._failures + 1 if failed else 0

    async def _read(
        self, rows: Sequence[Version], contents: Sequence[Content], on_progress: Progress | None
    ) -> LLMError | None:
        """Read a request; return why some of it was not read, or raise that where none was."""
        row, runtime = rows[0], self._runtime
        instructions = str(request_of(row.memory).get("instructions") or "")
        if row.memory.kind == "outcome":
            self.degraded += await judge_stored(runtime, self._gateway, row)
            return None
        if row.memory.kind == "procedure":
            found = await procedure(runtime, self._gateway, row.memory, instructions)
            await self._rewrite(row, found)
            return None
        first = row.memory
        scope = Scope(user_id=first.user_id, agent_id=first.agent_id, run_id=first.run_id)
        learnt = await read_messages(
            runtime, self._gateway, scope, rows, contents, {},
            instructions=instructions, request=_keyed(first, scope), on_progress=on_progress,
        )  # fmt: skip
        self.degraded += learnt.degraded
        return learnt.failure

    async def _is_hidden(self, rows: Sequence[Version], contents: Sequence[Content]) -> bool:
        """Say why pictures cannot be described as things are set, if so: the model did not fail."""
        blind = await blindness(self._runtime, self._gateway)
        _, out = left_out(contents, self._runtime.settings, blind)
        self.degraded += [
            f"memory {rows[place].memory.memory_id} still waits, with a picture: {why}"
            for place, why in out
        ]
        return bool(out)

    async def _rewrite(self, row: Version, found: tuple[dict[str, Any], list[str]]) -> None:
        fields, dropped = found
        self.degraded += dropped
        if fields["text"] == row.memory.text:
            del fields["text"]
        vectors, fields = await with_embedding(self._runtime, row, fields)
        whose = Scope(user_id=row.memory.actor or row.memory.user_id)
        closed, opened = next_version(
            row, "UPDATE", whose, utc_now(), fields=fields, vectors=vectors
        )
        # Whoever changed it meanwhile knows better.
        await self._runtime.store.apply([opened], close=[closed])


def _keyed(memory: Memory, scope: Scope) -> IdempotencyKey | None:
    """Return the caller's key of the request of a row that waits."""
    key = request_of(memory).get("key")
    return IdempotencyKey(scope, scope.user_id, key, KINDS) if isinstance(key, str) else None
