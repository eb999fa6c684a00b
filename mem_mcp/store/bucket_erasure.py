"""Take what was deleted out of a store in a bucket, where it cannot be known who else is alive.

Objects say what is to be done: `erasing-…` that rows are to be written anew, `erased-…` that they
were and that earlier versions may go when nobody reads them any more. Whichever process comes then
removes them. How long ago that was is told by the clock of the object store, and how old a version
is by that of the process that made it, which may be wrong.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import lancedb

from mem_mcp.errors import StoreBusy
from mem_mcp.store.bucket import Bucket
from mem_mcp.store.error_mapping import store_errors
from mem_mcp.store.lease import SECONDS, Lease

KEEP_FOR_OTHERS = timedelta(minutes=10)
"""How long other processes may read earlier versions; a search takes seconds."""
LOOK_EVERY = timedelta(minutes=1)
"""How often a process looks whether that is over."""
_CLOCKS_OFF = timedelta(hours=2)
"""Two clocks that are an hour off each, in opposite directions."""
_BEGUN, _REWRITTEN = "erasing-", "erased-"
_TRIES = 4


async def announce_in_bucket(bucket: Bucket) -> None:
    """Say before rows are deleted that they must leave the bucket."""
    await bucket.write(_BEGUN + uuid.uuid4().hex, b"", over=None)


class BucketErasure:
    """Erases deleted rows of a store in a bucket.

    Args:
        lease: of the one who rewrites.
        rewrite: writes every row and index anew.
        tables: returns every table.
    """

    def __init__(
        self,
        lease: Lease,
        rewrite: Callable[[], Awaitable[None]],
        tables: Callable[[], Awaitable[list[lancedb.AsyncTable]]],
    ) -> None:
        self._lease = lease
        self._bucket = lease.bucket
        self._rewrite = rewrite
        self._tables = tables

    async def erase(self) -> datetime:
        """Write everything anew; return until when what was deleted will have left the bucket.

        Raises:
            StoreBusy: another process did not end its maintenance; `resume` goes on later.
            StoreError: the object store failed, likewise.
        """
        for _ in range(_TRIES):
            async with self._lease.held(wait=True) as has_it:
                if has_it:
                    return await self._erase()
            await asyncio.sleep(SECONDS / _TRIES)
        raise StoreBusy("another process is maintaining the store", "it is done later")

    async def resume(self) -> None:
        """Go on with what is left of erasures, if its time has come and nobody else does."""
        ages = await self._bucket.ages("eras")
        ready = [
            name
            for name, age in ages.items()
            if name.startswith(_REWRITTEN) and age >= KEEP_FOR_OTHERS + _CLOCKS_OFF
        ]
        # A process that is alive takes less time.
        given_up = any(
            name.startswith(_BEGUN) and age >= KEEP_FOR_OTHERS for name, age in ages.items()
        )
        if not ready and not given_up:
            return
        async with self._lease.held() as has_it:
            if has_it and ready:
                await self._remove_earlier()
                for name in ready:
                    await self._bucket.remove(name)
            if has_it and given_up:
                await self._erase()

    async def _erase(self) -> datetime:
        begun = await self._bucket.ages(_BEGUN)
        with store_errors("erase", self._bucket.location):
            await self._rewrite()
        await self._bucket.write(_REWRITTEN + uuid.uuid4().hex, b"", over=None)
        for name in begun:
            await self._bucket.remove(name)
        return datetime.now(UTC) + KEEP_FOR_OTHERS + _CLOCKS_OFF + 3 * LOOK_EVERY

    async def _remove_earlier(self) -> None:
        with store_errors("erase", self._bucket.location):
            for table in await self._tables():
                await table.checkout_latest()  # type: ignore[no-untyped-call]
                # Files that no version names may be of a commit that is being made.
                await table.optimize(cleanup_older_than=KEEP_FOR_OTHERS)
