"""Keep the table small and its indices current; one process at a time does it."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

from filelock import Timeout
from lancedb.index import IvfFlat, IvfRq

from mem_mcp.api.models import Maintained
from mem_mcp.errors import StoreError
from mem_mcp.store import bucket
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.damage.survey import damages, read_through
from mem_mcp.store.error_mapping import REPAIR, store_errors
from mem_mcp.store.filters import quote
from mem_mcp.store.locks import Processes
from mem_mcp.store.schema import INDICES, RECORD, Space, ensure_indices
from mem_mcp.store.table import Store

logger = logging.getLogger(__name__)

_KEEP_ALL = timedelta(days=36_500)
# Other processes may still read files of an older version.
_KEEP_FOR_OTHERS = timedelta(hours=1)
# No other process has the store open, and this one waits.
_KEEP_ALONE = timedelta(milliseconds=1)
# Old files are removed above a number of files, or of bytes beyond twice the last lean size.
_MOST_FILES = 1_000
_SLACK_BYTES = 16_000_000
# Up to this size old files are removed before the process ends.
_SMALL_BYTES = 100_000_000
# Rows from which an index over vectors is worth its upkeep.
_INDEX_FROM = 50_000
_OUTGROWN = 4
# The smaller kind of index demands a dimension that is a multiple of this.
_RQ_STEP = 8
# Most digits of a recorded number; its file may hold anything.
_DIGITS = 18


def vector_index(space: Space) -> IvfRq | IvfFlat:
    """Return the configuration of the index over the vectors of a space."""
    small = space.dimension % _RQ_STEP == 0
    return IvfRq(distance_type="cosine") if small else IvfFlat(distance_type="cosine")


class Maintenance:
    """Compacts the table, updates its indices and removes old files, every so many commits."""

    def __init__(self, store: Store, every: int) -> None:
        self._store = store
        self._every = every
        self._last = 0
        self._lean_bytes = 0
        self._takes_turns = False
        self._left_behind = False

    def due(self) -> bool:
        """Return whether all processes have made enough commits since the last pass."""
        version = self._store.newest
        if version - self._last < self._every:
            return False
        recorded = self._recorded("maintained")
        # One beyond the newest is not of this table: a repair or a backup has replaced it.
        self._last = max(self._last, recorded if recorded <= version else 0)
        return version - self._last >= self._every

    @unbroken
    async def run(self, *, thorough: bool = False) -> Maintained:
        """Do one pass, unless another process is doing one; `thorough` removes all old files.

        Raises:
            StoreError: LanceDB or the disk failed; nothing is lost, and the next pass tries again.
        """
        if reason := await self.reason_against(removal=thorough):
            return Maintained(ran=False, reason=reason)
        if (processes := self._store.processes) is None:
            return await self._pass_in_bucket(thorough=thorough)
        try:
            async with processes.alone_at("maintain", wait=False):
                return await self._local_pass(processes, thorough=thorough)
        except Timeout:
            return Maintained(ran=False, reason="another process is at it")

    async def _pass_in_bucket(self, *, thorough: bool) -> Maintained:
        lease = self._store.lease
        if lease is None:
            return Maintained(ran=False, reason="LanceDB Cloud maintains its tables by itself")
        async with lease.held(wait=thorough) as has_it:
            version = await self._store.version()
            if not has_it or (not thorough and version - lease.done < self._every):
                self._last = version if not has_it else lease.done
                return Maintained(ran=False, reason="another process is at it, or has just been")
            await self._rewrite()
            await self.index_vectors()
            if not lease.lost:
                await self._optimize(bucket.KEEP_FOR_OTHERS)
            self._last = lease.done = await self._store.version()
        return Maintained(ran=True)

    async def reason_against(self, *, removal: bool = False) -> str:
        """Return why nothing may be rewritten or removed; empty if it may.

        Files of earlier versions may be all that is left of damaged rows. With `removal` these
        versions are checked, too, which takes a millisecond each.
        """
        if refusals := self._store.rescue.refusals:
            return str(refusals[0])
        if self._store.processes is None:
            return ""
        with store_errors("read", self._store.location):
            place = Path(self._store.location)
            tables = await asyncio.to_thread(damages, place, every_version=removal)
        for damaged in tables.values():
            return f"{damaged[0]}, and nothing is removed until it is mended; run: {REPAIR}"
        return ""

    async def leave(self) -> None:
        """Remove the old files that passes of this process have left, if the store is small."""
        if self._left_behind and (await self._size())[1] < _SMALL_BYTES:
            await self.run(thorough=True)

    async def _size(self) -> tuple[int, int]:
        """Return the number and the bytes of files; a thousand take a tenth of a second."""
        return await asyncio.to_thread(self._store.size)

    async def _local_pass(self, processes: Processes, *, thorough: bool) -> Maintained:
        before = await self._size()
        await self._rewrite()
        await self.index_vectors()
        after = await self._size()
        grown = after[0] > _MOST_FILES or after[1] > 2 * self._lean_bytes + _SLACK_BYTES
        self._left_behind = not (thorough or grown)
        if thorough or grown:
            await self._remove_old_files(processes)
            after = await self._size()
            self._lean_bytes = after[1]
        self._last = await self._store.version()
        self._record("maintained", self._last)
        return Maintained(
            ran=True,
            files_before=before[0],
            files_after=after[0],
            bytes_before=before[1],
            bytes_after=after[1],
        )

    async def _remove_old_files(self, processes: Processes) -> None:
        if reason := await self.reason_against(removal=True):
            logger.warning("%s", reason)
            return
        with store_errors("tidy", self._store.location):
            await read_through(self._store.table)
        # Only indexed rows are joined with older ones, and the pass has just indexed the latest.
        # A second rewrite leaves nothing large to do while others wait.
        await self._rewrite()
        async with processes.alone_at("create"):  # so that nobody opens the store
            if processes.others_alive():
                async with self._store.alone("write"):  # concurrent updates would undo it
                    await self._optimize(_KEEP_FOR_OTHERS)
                return
            async with self._store.gate.closed():
                await self._optimize(_KEEP_ALL)
                await self._settle()
                await self._optimize(_KEEP_ALONE)

    async def index_vectors(self) -> None:
        """Build the index over vectors, and build it again when there are four times as many."""
        table, space = self._store.table, self._store.space
        if space is None:
            return
        record = f"indexed-{space.column}"
        with store_errors("index", self._store.location):
            rows = await table.count_rows(f"{RECORD} = {quote(space.embedder)}")
            if rows >= max(_INDEX_FROM, _OUTGROWN * await self._indexed(space, record)):
                await table.create_index(space.column, config=vector_index(space))
                self._record(record, rows)

    async def _indexed(self, space: Space, record: str) -> int:
        """Return for how many vectors the index was built; 0 without an index."""
        table, recorded = self._store.table, self._recorded(record)
        names = [each.name for each in await table.list_indices() if space.column in each.columns]
        if not names:  # the record may be of a dropped column with this name
            return 0
        # On an object store nothing is recorded.
        stats = None if recorded else await table.index_stats(names[0])
        return stats.num_indexed_rows if stats else recorded

    async def _rewrite(self) -> None:
        """Compact and index, and wait until the result is on the disk."""
        with store_errors("index", self._store.location):
            await ensure_indices(self._store.table, INDICES)
        if not self._takes_turns:
            try:
                await self._optimize(_KEEP_ALL)
            except StoreError:
                # Concurrent updates undo a compaction, and its files stay. From now on they wait.
                self._takes_turns = True
        if self._takes_turns:
            async with self._store.alone("write"):
                try:
                    await self._optimize(_KEEP_ALL)
                except StoreError as error:
                    logger.warning("%s; the indices are made anew", error)
                    await self._reindex()
                    await self._optimize(_KEEP_ALL)
        await self._settle()

    async def _reindex(self) -> None:
        """Build every index again: one that cannot be read stops all updates, and holds no data."""
        table = self._store.table
        with store_errors("index", self._store.location):
            await read_through(table)
            for index in await table.list_indices():
                await table.drop_index(index.name)
            await ensure_indices(table, INDICES)

    async def _settle(self) -> None:
        # Not the store's own method, which would wait for the closed gate.
        with store_errors("tidy", self._store.location):
            version = int(await self._store.table.version())
        await self._store.make_durable(version)

    async def _optimize(self, keep: timedelta) -> None:
        with store_errors("tidy", self._store.location):
            # A handle that has not seen the commits of other processes loses every rewrite.
            await self._store.table.checkout_latest()  # type: ignore[no-untyped-call]
            await self._store.table.optimize(cleanup_older_than=keep)

    def _recorded(self, what: str) -> int:
        processes = self._store.processes
        path = processes.folder / what if processes else None
        recorded = path.read_bytes()[:_DIGITS] if path and path.is_file() else b""
        return int(recorded) if recorded.isdigit() else 0

    def _record(self, what: str, number: int) -> None:
        if processes := self._store.processes:
            with store_errors("tidy", self._store.location):
                (processes.folder / what).write_text(str(number))
