"""A lease in an object store: of all processes that ask for it, one has it.

Its object says who has it, and is written anew while that goes on. Wall clocks are not compared,
since they may be hours apart: who asks sees on a clock of its own for how long the object has not
changed, and takes it over after that time. Who has it gives itself less.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from mem_mcp.errors import StoreError
from mem_mcp.store.bucket import Bucket, Stored

SECONDS = 30.0
"""Without a change for so long, the holder counts as dead."""
_LOOKS = 0.05, 0.3
"""Seconds between two looks at a lease that is soon given back."""
_RENEWALS = 6
"""In that time; after all but the last two have failed the holder gives up."""


class Lease:
    """A lease by its name.

    Args:
        bucket: where its object is.
        name: of what one process at a time does.
        seconds: without a change for so long, the holder counts as dead.
    """

    def __init__(self, bucket: Bucket, name: str, seconds: float = SECONDS) -> None:
        self.bucket = bucket
        self._object = f"lease-{name}"
        self._seconds = seconds
        self._own = uuid.uuid4().hex
        self._turn = asyncio.Lock()
        self._seen, self._since = "", 0.0
        self.lost = False
        """Whether the holder cannot be sure any more that nobody else has taken it over."""
        self.done = 0
        """A number that each holder finds as the one before has left it."""

    @asynccontextmanager
    async def held(self, *, wait: bool = False) -> AsyncIterator[bool]:
        """Hold the lease for the body of a `with` statement, unless somebody else does.

        The body should end soon when `lost` becomes true.

        Args:
            wait: where the holder may be dead, look until that is sure, which takes `seconds`.

        Yields:
            Whether this process holds it.

        Raises:
            StoreError: the object store failed, before the body began.
        """
        if self._turn.locked() and not wait:
            yield False
            return
        async with self._turn:
            if (taken := await self._taken(wait=wait)) is None:
                yield False
                return
            self.lost = False
            renewals = _Renewals(self, taken)
            renewing = asyncio.create_task(renewals.run())
            try:
                yield True
            finally:
                renewing.cancel()
                await asyncio.wait([renewing])
                if not self.lost:
                    with suppress(StoreError):  # then it is taken over in time
                        await self.write("", over=renewals.newest)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Hold the lease for the body of a `with` statement, and wait while somebody else does."""
        while True:
            async with self.held() as has_it:
                if has_it:
                    yield
                    return
            await asyncio.sleep(random.uniform(*_LOOKS))  # noqa: S311 - no secret

    async def write(self, holder: str | None = None, *, over: Stored | None) -> Stored | None:
        """Write who holds it; None if somebody else has written since `over`."""
        # No two contents are equal, and so no two tags.
        lease = {
            "holder": self._own if holder is None else holder,
            "done": self.done,
            "beat": uuid.uuid4().hex,
        }
        written = await self.bucket.write(self._object, json.dumps(lease).encode(), over=over)
        if written or holder is not None:
            return written
        # The answer to an earlier write of ours may have been lost.
        there = await self.bucket.read(self._object)
        return there if there and _fields(there).get("holder") == self._own else None

    @property
    def pause(self) -> float:
        """Seconds between two renewals."""
        return self._seconds / _RENEWALS

    async def _taken(self, *, wait: bool) -> Stored | None:
        while True:
            there = await self.bucket.read(self._object)
            before = self._seen
            if there is None or self._is_over(there):
                done = _fields(there).get("done") if there else 0
                self.done = done if isinstance(done, int) else 0
                return await self.write(over=there)
            is_alive = before not in ("", there.tag)
            if is_alive or not wait:
                return None
            await asyncio.sleep(self.pause)

    def _is_over(self, there: Stored) -> bool:
        """Return whether nobody holds it, or who did is dead."""
        if not _fields(there).get("holder"):
            return True
        if self._seen != there.tag:
            self._seen, self._since = there.tag, time.monotonic()
        return time.monotonic() - self._since >= self._seconds


class _Renewals:
    """Writes a lease anew until it is lost."""

    def __init__(self, lease: Lease, taken: Stored) -> None:
        self._lease = lease
        self.newest: Stored | None = taken

    async def run(self) -> None:
        """Renew until the lease is lost, and say so."""
        pause = self._lease.pause
        # Counted from before the write: others count from after it.
        sure_until = time.monotonic() + (_RENEWALS - 3) * pause
        while True:
            await asyncio.sleep(pause)
            begun = time.monotonic()
            with suppress(StoreError, TimeoutError):
                async with asyncio.timeout(2 * pause):
                    self.newest = await self._lease.write(over=self.newest)
                sure_until = begun + (_RENEWALS - 2) * pause
            if self.newest is None or time.monotonic() >= sure_until:
                self._lease.lost = True
                return


def _fields(lease: Stored) -> dict[str, Any]:
    try:
        fields = json.loads(lease.content)
    except ValueError:
        fields = None
    # What is not of us goes over in its time.
    return fields if isinstance(fields, dict) else {"holder": "unknown"}
