"""maintain: compact the store, embed what has no vector, and archive memories that are due."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

import pyarrow.compute as pc

from mem_mcp.api.models import Maintained
from mem_mcp.errors import MemError
from mem_mcp.learning.archive import archive
from mem_mcp.learning.signal_counts import trace_window
from mem_mcp.resident import give_back
from mem_mcp.runtime import Runtime
from mem_mcp.store import LOOK_EVERY, Erasure, Maintenance, is_active, unfilled
from mem_mcp.times import utc_now
from mem_mcp.writing.backfill import embed_missing

logger = logging.getLogger(__name__)

_MANY = 1_000
"""Versions that an import has added: until they are in the indices, each search by words reads
them all, and rates them by other statistics than the rest."""


class Upkeep:
    """Maintenance of a store: on request, and in the background after writes, one run at a time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._maintenance = Maintenance(runtime.store, runtime.settings.store.maintain_every)
        self._task: asyncio.Task[None] | None = None
        logs = (runtime.traces.log, runtime.ratings.log, runtime.calls.log)
        self._erasure = Erasure(runtime.store, logs)
        self._watch: asyncio.Task[None] | None = None
        self.passes = 0
        """Passes in the background that this process has ended."""
        self.failed = 0
        """Those that failed."""

    def start(self) -> None:
        """Look from time to time, and now, whether what was purged can leave the disk."""
        self._watch = asyncio.create_task(self._watching())

    async def _watching(self) -> None:
        while True:
            await self._resume_erasure()
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def _resume_erasure(self) -> None:
        try:
            await self._erasure.resume()
        except MemError as error:  # the next look tries again
            logger.warning("what was purged is still on the disk: %s", error)

    async def after_purge(self) -> tuple[datetime | None, list[str]]:
        """Take what was purged off the disk.

        Returns:
            None if it is gone, else the time until which it will be; and what else to know.
        """
        notes = [f"{copy} is as it was before a repair; remove it" for copy in self._erasure.copies]
        try:
            gone_by = await self._erasure.erase()
        except MemError as error:
            logger.warning("what was purged is still on the disk: %s", error)
            return None, [*notes, f"purged, but still on the disk, which is tried again: {error}"]
        if gone_by is not None:
            notes.append(
                "other processes have the store open: the bytes of what was purged leave the disk "
                f"by {gone_by:%Y-%m-%d %H:%M}Z, if one still runs then, else with the next start"
            )
        return gone_by, notes

    async def run(self, *, thorough: bool = False, dry_run: bool = False) -> Maintained:
        """Run maintenance now.

        Args:
            thorough: also archive memories that are due, and remove all old files.
            dry_run: only report what would be archived, embedded and pruned.

        Raises:
            StoreError: LanceDB or the disk failed.
        """
        await self._idle()
        if dry_run:
            return await self._dry_run()
        if reason := await self._maintenance.reason_against():
            return Maintained(ran=False, reason=reason)
        archived = await archive(self._runtime) if thorough else []
        report = await self._pass(thorough=thorough)
        return report.model_copy(update={"archived": archived})

    def after_write(self) -> None:
        """Start maintenance in the background if it is due."""
        if (self._task is None or self._task.done()) and self._maintenance.due():
            self._task = asyncio.create_task(self._in_background())

    def after_import(self, imported: int) -> None:
        """Start maintenance in the background if so many versions are in no index yet."""
        if (self._task is None or self._task.done()) and imported >= _MANY:
            self._task = asyncio.create_task(self._in_background())

    async def close(self) -> None:
        """Wait for background maintenance; remove its old files if the store is small."""
        await self._idle()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await self._resume_erasure()
        try:
            await self._maintenance.leave()
        except MemError as error:  # no data is lost; the next process tries again
            logger.warning("maintenance failed: %s", error)

    async def _idle(self) -> None:
        if self._task is not None:
            await self._task

    async def _pass(self, *, thorough: bool = False) -> Maintained:
        # While the store's vectors are made anew, one process makes all of them.
        settled = await is_active(self._runtime.store)
        embedded = (await embed_missing(self._runtime))[0] if settled else 0
        report = await self._maintenance.run(thorough=thorough)
        pruned = await self._prune_logs(thorough=thorough) if report.ran else 0
        return report.model_copy(update={"embedded": embedded, "pruned_traces": pruned})

    async def _prune_logs(self, *, thorough: bool) -> int:
        """Delete old traces and calls, and compact the logs; return how many traces it deleted."""
        traces = self._runtime.traces.log
        async with self._runtime.store.alone("logs"):  # two processes at once would conflict
            pruned = await traces.prune(utc_now() - trace_window(self._runtime))
            calls = self._runtime.calls.log
            await calls.prune(utc_now() - trace_window(self._runtime))
            for log in (traces, self._runtime.ratings.log, calls):
                await log.tidy(thorough=thorough)
        return pruned

    async def _dry_run(self) -> Maintained:
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

    async def _in_background(self) -> None:
        try:
            if reason := await self._maintenance.reason_against():
                logger.warning("no maintenance: %s", reason)
                return
            self.passes += (await self._pass()).ran
        except MemError as error:  # no data is lost; the next write tries again
            self.failed += 1
            logger.warning("maintenance failed: %s", error)
        await asyncio.to_thread(give_back)
