"""reprocess: let the language model read what waited for it, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mem_mcp.api.models import Reprocessed, Scope
from mem_mcp.errors import LLMError, LLMUnavailable, MemError, WriteConflict
from mem_mcp.extraction.material import ExtractionProgress, material
from mem_mcp.extraction.outcome_judge import JUDGED, judge
from mem_mcp.extraction.pending import (
    WAITING,
    content_of_row,
    request_of,
    requests_waiting,
    rows_waiting,
    still_waiting,
)
from mem_mcp.extraction.pictures import Content, blindness, described, left_out
from mem_mcp.extraction.pipeline import infer
from mem_mcp.extraction.procedure import procedure
from mem_mcp.llm import Gateway, Usage
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.store import Version
from mem_mcp.times import utc_now
from mem_mcp.writing.versions import next_version, with_embedding

_AT_ONCE = 1_000
# Failures of the model in a row after which it is left alone until the next time.
_MOST_FAILURES = 3


async def reprocess(
    runtime: Runtime, *, pending: bool = True, outcomes: bool = False, kept: bool = True
) -> Reprocessed:
    """Finish what waits, and on request judge again the outcomes that a model judged.

    One process at a time does it, and what another has finished meanwhile is left alone.

    Args:
        runtime: what to work with.
        pending: what waits.
        outcomes: outcomes that a model judged earlier, as new versions.
        kept: of what waits, also the messages that a model read and passed over.

    Raises:
        LLMUnavailable: no model is configured.
    """
    gateway = runtime.gateway
    if gateway is None:
        raise LLMUnavailable("unconfigured", "no language model is configured; set llm.model")
    work = _Work(runtime, gateway)
    async with runtime.store.alone("reprocess"):
        if pending:
            for ids in await requests_waiting(runtime.store, _AT_ONCE, with_kept=kept):
                if work.given_up:
                    break
                if rows := await rows_waiting(runtime.store, ids):
                    await work.do(rows)
        if outcomes:
            judged = every(current(), {"kind": "outcome", "reason": {"contains": JUDGED}})
            for row in await runtime.store.read(judged, columns=EVERY_FIELD):
                await work.do([row])
    return Reprocessed(
        processed=work.processed,
        waiting=await runtime.store.count(WAITING),
        degraded=work.degraded,
        llm=work.usage,
    )


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

    async def do(self, rows: Sequence[Version]) -> None:
        """Read one request."""
        contents = [content_of_row(row.memory) for row in rows]
        pictured = any(content.pictures for content in contents)
        if self.given_up or (pictured and await self._is_hidden(rows, contents)):
            return
        with self._gateway.turn() as turn:
            try:
                if pictured:
                    rows = await self._described(rows, contents)
                failure: MemError | None = await self._read(rows)
            except (LLMError, WriteConflict) as error:
                self.degraded.append(f"memory {rows[0].memory.memory_id} still waits: {error}")
                failure = error
        self.usage += turn.usage
        self.processed += failure is None
        # One request that no model takes would keep all others waiting for ever.
        failed = isinstance(failure, LLMError) and not failure.of_request
        self._failures = self._failures + 1 if failed else 0

    async def _read(self, rows: Sequence[Version]) -> LLMError | None:
        """Read a request; return why some of it was not read, or raise that where none was."""
        row, runtime = rows[0], self._runtime
        instructions = str(request_of(row.memory).get("instructions") or "")
        if row.memory.kind == "outcome":
            await self._rewrite(row, await judge(runtime, self._gateway, row.memory))
            return None
        if row.memory.kind == "procedure":
            found = await procedure(runtime, self._gateway, row.memory, instructions)
            await self._rewrite(row, found)
            return None
        first = row.memory
        scope = Scope(user_id=first.user_id, agent_id=first.agent_id, run_id=first.run_id)
        memories = [each.memory for each in rows]
        given = material(scope, memories, instructions=instructions, waited=rows)
        learnt = ExtractionProgress()
        await infer(runtime, self._gateway, given, learnt)
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

    async def _described(
        self, rows: Sequence[Version], contents: Sequence[Content]
    ) -> Sequence[Version]:
        """Put the pictures of a request into words, and keep them: they are not asked for again.

        Raises:
            LLMError: some were not described; the others were.
        """
        found, failure = await described(self._runtime, self._gateway, contents)
        pairs = [
            await self._worded(row, content)
            for row, before, content in zip(rows, contents, found, strict=True)
            if content != before
        ]
        opened = {new.memory.memory_id: new for _, new in pairs}
        if pairs and not await self._runtime.store.apply(
            [*opened.values()], close=[old for old, _ in pairs]
        ):
            raise WriteConflict("a memory that waits was changed meanwhile; try again")
        if failure is not None:
            raise failure
        return [opened.get(row.memory.memory_id, row) for row in rows]

    async def _worded(self, row: Version, content: Content) -> tuple[Version, Version]:
        fields = {"text": content.text, **still_waiting(request_of(row.memory), content)}
        vector, fields = await with_embedding(self._runtime, row, fields)
        whose = Scope(user_id=row.memory.actor or row.memory.user_id)
        return next_version(row, "UPDATE", whose, utc_now(), fields=fields, vector=vector)

    async def _rewrite(self, row: Version, found: tuple[dict[str, Any], list[str]]) -> None:
        fields, dropped = found
        self.degraded += dropped
        if fields["text"] == row.memory.text:
            del fields["text"]
        vector, fields = await with_embedding(self._runtime, row, fields)
        whose = Scope(user_id=row.memory.actor or row.memory.user_id)
        closed, opened = next_version(row, "UPDATE", whose, utc_now(), fields=fields, vector=vector)
        # Whoever changed it meanwhile knows better.
        await self._runtime.store.apply([opened], close=[closed])
