"""maintain: keep the store small and current, every memory embedded, and archive what is due."""

from __future__ import annotations

import asyncio
import logging

import pyarrow.compute as pc

from mem_mcp.api.models import Maintained
from mem_mcp.errors import MemError
from mem_mcp.learning.archive import archive
from mem_mcp.learning.signal_counts import trace_window
from mem_mcp.resident import give_back
from mem_mcp.runtime import Runtime
from mem_mcp.store import Maintenance, unfilled
from mem_mcp.times import utc_now
from mem_mcp.writing.backfill import embed_missing

logger = logging.getLogger(__name__)


class Upkeep:
    """Maintenance that nobody asks for: off the path of answers, one pass at a time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._maintenance = Maintenance(runtime.store, runtime.settings.store.maintain_every)
        self._task: asyncio.Task[None] | None = None

    async def run(self, *, thorough: bool = False, dry_run: bool = False) -> Maintained:
        """Do everything now.

        Args:
            thorough: also archive what is due, and remove old files that do little harm.
            dry_run: only say what would be archived, embedded and pruned.

        Raises:
            StoreError: LanceDB or the disk refused.
        """
        await self._idle()
        if dry_run:
            return await self._foreseen()
        if reason := await self._maintenance.reason_against():
            return Maintained(ran=False, reason=reason)
        archived = await archive(self._runtime) if thorough else []
        done = await self._pass(thorough=thorough)
        return done.model_copy(update={"archived": archived})

    def after_write(self) -> None:
        """Start a pass in the background when it is due."""
        if (self._task is None or self._task.done()) and self._maintenance.due():
            self._task = asyncio.create_task(self._unasked())

    async def close(self) -> None:
        """Wait for a pass under way, and leave a small store tidy."""
        await self._idle()
        try:
            await self._maintenance.leave()
        except MemError as error:  # nothing is lost, and the next process tries again
            logger.warning("maintenance failed: %s", error)

    async def _idle(self) -> None:
        if self._task is not None:
            await self._task

    async def _pass(self, *, thorough: bool = False) -> Maintained:
        embedded, _ = await embed_missing(self._runtime)
        done = await self._maintenance.run(thorough=thorough)
        pruned = await self._keep_logs(thorough=thorough) if done.ran else 0
        return done.model_copy(update={"embedded": embedded, "pruned_traces": pruned})

    async def _keep_logs(self, *, thorough: bool) -> int:
        """Drop traces and calls that are too old, and join small files; return how many traces."""
        traces = self._runtime.traces.log
        async with self._runtime.store.alone("logs"):  # two at once would undo each other's work
            pruned = await traces.prune(utc_now() - trace_window(self._runtime))
            calls = self._runtime.calls.log
            await calls.prune(utc_now() - trace_window(self._runtime))
            for log in (traces, self._runtime.ratings.log, calls):
                await log.tidy(thorough=thorough)
        return pruned

    async def _foreseen(self) -> Maintained:
        runtime = self._runtime
        traced = await runtime.traces.log.read(["created_at"])
        old = pc.less(traced["created_at"], utc_now() - trace_window(runtime))
        return Maintained(
            ran=False,
            dry_run=True,
            archived=await archive(runtime, dry_run=True),
            embedded=(await unfilled(runtime.store, ["version_id"])).num_rows,
            pruned_traces=pc.sum(old).as_py() or 0,
            reason="a dry run changes nothing",
        )

    async def _unasked(self) -> None:
        try:
            if reason := await self._maintenance.reason_against():
                logger.warning("no maintenance: %s", reason)
                return
            await self._pass()
        except MemError as error:  # nothing is lost, and the next write tries again
            logger.warning("maintenance failed: %s", error)
        await asyncio.to_thread(give_back)
