"""reprocess: let the language model read what waited for it, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mem_mcp.engine.find import EVERY_FIELD
from mem_mcp.engine.infer import infer, material
from mem_mcp.engine.judge import JUDGED, judge
from mem_mcp.engine.pending import WAITING, request_of, requests_waiting
from mem_mcp.engine.procedure import procedure
from mem_mcp.engine.resources import Resources
from mem_mcp.engine.supersede import reworded, succeed
from mem_mcp.engine.visibility import current, every
from mem_mcp.errors import LLMError, LLMUnavailable
from mem_mcp.llm import Gateway, Usage
from mem_mcp.models import Reprocessed, Scope
from mem_mcp.store import Version
from mem_mcp.times import utc_now

_AT_ONCE = 1_000
# Failures in a row after which the model is left alone until the next time.
_MOST_FAILURES = 3


async def reprocess(
    resources: Resources, *, pending: bool = True, outcomes: bool = False
) -> Reprocessed:
    """Finish what waits, and on request judge again the outcomes that a model judged.

    One process at a time does it, and what another has finished meanwhile is left alone.

    Args:
        resources: what to work with.
        pending: what waits.
        outcomes: outcomes that a model judged earlier, as new versions.

    Raises:
        LLMUnavailable: no model is configured.
    """
    gateway = resources.gateway
    if gateway is None:
        raise LLMUnavailable("unconfigured", "no language model is configured; set llm.model")
    work = _Work(resources, gateway)
    async with resources.store.alone("reprocess"):
        if pending:
            for rows in await requests_waiting(resources.store, _AT_ONCE):
                await work.do(rows)
        if outcomes:
            judged = every(current(), {"kind": "outcome", "reason": {"contains": JUDGED}})
            for row in await resources.store.read(judged, columns=EVERY_FIELD):
                await work.do([row])
    return Reprocessed(
        processed=work.processed,
        waiting=await resources.store.count(WAITING),
        degraded=work.degraded,
        llm=work.usage,
    )


class _Work:
    """Request by request, until the model fails too often in a row."""

    def __init__(self, resources: Resources, gateway: Gateway) -> None:
        self._resources = resources
        self._gateway = gateway
        self._failures = 0
        self.processed = 0
        self.degraded: list[str] = []
        self.usage = Usage()

    async def do(self, rows: Sequence[Version]) -> None:
        """Read one request."""
        if self._failures >= _MOST_FAILURES:
            return
        with self._gateway.turn() as turn:
            try:
                done = await self._read(rows)
            except LLMError as error:
                self.degraded.append(f"memory {rows[0].memory.memory_id} still waits: {error}")
                done = False
        self.usage += turn.usage
        self.processed += done
        self._failures = 0 if done else self._failures + 1

    async def _read(self, rows: Sequence[Version]) -> bool:
        row, resources = rows[0], self._resources
        instructions = str(request_of(row.memory).get("instructions") or "")
        if row.memory.kind == "outcome":
            await self._rewrite(row, await judge(resources, self._gateway, row.memory))
            return True
        if row.memory.kind == "procedure":
            found = await procedure(resources, self._gateway, row.memory, instructions)
            await self._rewrite(row, found)
            return True
        first = row.memory
        scope = Scope(user_id=first.user_id, agent_id=first.agent_id, run_id=first.run_id)
        memories = [each.memory for each in rows]
        given = material(scope, memories, instructions=instructions, waited=rows)
        learnt = await infer(resources, self._gateway, given)
        self.degraded += learnt.degraded
        return not learnt.left

    async def _rewrite(self, row: Version, found: tuple[dict[str, Any], list[str]]) -> None:
        fields, dropped = found
        self.degraded += dropped
        if fields["text"] == row.memory.text:
            del fields["text"]
        vector, fields = await reworded(self._resources, row, fields)
        whose = Scope(user_id=row.memory.actor or row.memory.user_id)
        closed, opened = succeed(row, "UPDATE", whose, utc_now(), fields=fields, vector=vector)
        # Whoever changed it meanwhile knows better.
        await self._resources.store.apply([opened], close=[closed])
