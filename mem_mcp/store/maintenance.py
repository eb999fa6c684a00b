"""Keeping the table small and its indices current, by one process at a time."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

from filelock import Timeout
from lancedb.index import IvfFlat, IvfRq

from mem_mcp.api.models import Maintained
from mem_mcp.errors import StoreError
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.damage import damages
from mem_mcp.store.failures import REPAIR, check_whole, mapped
from mem_mcp.store.indices import ensure_indices, ensure_text_index
from mem_mcp.store.locks import Processes
from mem_mcp.store.table import Store
from mem_mcp.store.vector_columns import Space

logger = logging.getLogger(__name__)

_KEEP_ALL = timedelta(days=36_500)
# Other processes may still read files of an older version.
_KEEP_FOR_OTHERS = timedelta(hours=1)
# Nobody else has the store open, and this process waits.
_KEEP_ALONE = timedelta(milliseconds=1)
# Old files are removed past either bound: so many files, or so much beyond twice the lean size.
_MOST_FILES = 1_000
_SLACK_BYTES = 16_000_000
# A store up to this size is tidied before its process ends.
_SMALL_BYTES = 100_000_000
# Vectors from which an index over them is worth its upkeep.
_INDEX_FROM = 50_000
_OUTGROWN = 4
# What the smaller kind of index demands of vectors: a length that is a multiple of it.
_RQ_STEP = 8
# Of a number that is noted in a file, which may hold anything.
_DIGITS = 18


class Maintenance:
    """Compaction, index updates and removal of old files, every so many commits."""

    def __init__(self, store: Store, every: int) -> None:
        self._store = store
        self._every = every
        self._last = 0
        self._lean_bytes = 0
        self._takes_turns = False
        self._left_behind = False

    def due(self) -> bool:
        """Tell whether enough commits were made, by any process, since the last pass."""
        version = self._store.newest
        if version - self._last < self._every:
            return False
        recorded = self._recorded("maintained")
        # One beyond the newest is not of this table: a repair or a backup has put it back.
        self._last = max(self._last, recorded if recorded <= version else 0)
        return version - self._last >= self._every

    @unbroken
    async def run(self, *, thorough: bool = False) -> Maintained:
        """Do one pass, unless another process is at it.

        Args:
            thorough: remove old files however few they are.

        Raises:
            StoreError: LanceDB or the disk refused; nothing is lost and the next pass tries again.
        """
        if reason := await self.reason_against(removal=thorough):
            return Maintained(ran=False, reason=reason)
        processes = self._store.processes
        if processes is None:
            await self._rewrite()
            await self.index_vectors()
            await self._optimize(_KEEP_FOR_OTHERS)
            return Maintained(ran=True)
        try:
            async with processes.alone_at("maintain", wait=False):
                return await self._local_pass(processes, thorough=thorough)
        except Timeout:
            return Maintained(ran=False, reason="another process is at it")

    async def reason_against(self, *, removal: bool = False) -> str:
        """Say why nothing may be rewritten or removed; empty where nothing speaks against it.

        What is damaged can be saved as long as the files of earlier versions are there.

        Args:
            removal: look at earlier versions, too; a millisecond each.
        """
        if refusals := self._store.refusals:
            return str(refusals[0])
        if self._store.processes is None:
            return ""
        with mapped("read", self._store.location):
            place = Path(self._store.location)
            found = await asyncio.to_thread(damages, place, every_version=removal)
        if not found:
            return ""
        first = next(iter(found.values()))[0]
        return f"{first}, and nothing is removed until it is mended; run: {REPAIR}"

    async def leave(self) -> None:
        """Remove what passes of this process left behind, where that is done in a moment."""
        if self._left_behind and (await self._size())[1] < _SMALL_BYTES:
            await self.run(thorough=True)

    async def _size(self) -> tuple[int, int]:
        """Return files and bytes; looking at a thousand files takes a tenth of a second."""
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
        with mapped("tidy", self._store.location):
            await check_whole(self._store.table)
        # Rows join the older ones only when they are indexed; after this second time nothing
        # large is left to rewrite while others wait.
        await self._rewrite()
        async with processes.alone_at("create"):  # nobody opens the store meanwhile
            if processes.others_alive():
                async with self._store.alone("write"):  # updates in between would undo it
                    await self._optimize(_KEEP_FOR_OTHERS)
                return
            async with self._store.gate.closed():
                await self._optimize(_KEEP_ALL)
                await self._settle()
                await self._optimize(_KEEP_ALONE)

    async def index_vectors(self) -> None:
        """Build the index over vectors, anew when the table has outgrown its partitions."""
        table, space = self._store.table, self._store.space
        if space is None:
            return
        record = f"indexed-{space.column}"
        with mapped("index", self._store.location):
            rows = await table.count_rows()
            if rows >= max(_INDEX_FROM, _OUTGROWN * await self._indexed(space, record)):
                small = space.dimension % _RQ_STEP == 0
                kind = IvfRq(distance_type="cosine") if small else IvfFlat(distance_type="cosine")
                await table.create_index(space.column, config=kind)
                self._record(record, rows)

    async def _indexed(self, space: Space, record: str) -> int:
        """Return how many rows the partitions were made for; 0 without an index."""
        table = self._store.table
        names = [each.name for each in await table.list_indices() if space.column in each.columns]
        if not names:  # a record may be of a column of this name that was dropped
            return 0
        # On an object store nobody notes it.
        stats = None if self._recorded(record) else await table.index_stats(names[0])
        return stats.num_indexed_rows if stats else self._recorded(record)

    async def _rewrite(self) -> None:
        """Compact and index; what it replaces may be removed only when its result is on disk."""
        with mapped("index", self._store.location):
            await ensure_indices(self._store.table)
        if not self._takes_turns:
            try:
                await self._optimize(_KEEP_ALL)
            except StoreError:
                # Updates in between undo a compaction that has not ended, and what it wrote stays:
                # from now on they wait.
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
        """Make every index anew: one that cannot be read stops all of them, and loses nothing."""
        table = self._store.table
        with mapped("index", self._store.location):
            await check_whole(table)
            for index in await table.list_indices():
                await table.drop_index(index.name)
            await ensure_text_index(table)
            await ensure_indices(table)

    async def _settle(self) -> None:
        # Not the store's own: while the gate is closed that would wait for it to open.
        with mapped("tidy", self._store.location):
            version = int(await self._store.table.version())
        await self._store.make_durable(version)

    async def _optimize(self, keep: timedelta) -> None:
        with mapped("tidy", self._store.location):
            # A handle that has not seen another process's commits loses every rewrite.
            await self._store.table.checkout_latest()  # type: ignore[no-untyped-call]
            await self._store.table.optimize(cleanup_older_than=keep)

    def _recorded(self, what: str) -> int:
        path = self._record_file(what)
        recorded = path.read_bytes()[:_DIGITS] if path and path.is_file() else b""
        return int(recorded) if recorded.isdigit() else 0

    def _record(self, what: str, number: int) -> None:
        if path := self._record_file(what):
            with mapped("tidy", self._store.location):
                path.write_text(str(number))

    def _record_file(self, what: str) -> Path | None:
        return Path(self._store.location) / "locks" / what if self._store.processes else None
