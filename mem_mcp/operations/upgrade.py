"""upgrade: embed what an earlier version left, by itself and in the background.

That is what a former bundled model embedded, and the passages of long texts.
"""

from __future__ import annotations

import asyncio
import logging

from mem_mcp.embedding import FORMER
from mem_mcp.errors import MemError
from mem_mcp.resident import give_back
from mem_mcp.runtime import Runtime
from mem_mcp.store import (
    Maintenance,
    activate,
    drop_others,
    is_active,
    lacks_passages,
    others,
)
from mem_mcp.writing.backfill import embed_earlier_passages, embed_missing, embed_versions

logger = logging.getLogger(__name__)

# A question waits for the batch that is being embedded, so it is small; the next batch waits until
# all questions are answered, but no longer than these seconds.
_BATCH = 4
_GIVES_WAY = 0.5
# Versions between two passes of maintenance. A vector moves its row to the end of the table, where
# no index finds it before the next pass: search by words reads these rows one by one.
_MAINTAIN_EVERY = 4_000
# Seconds between two looks whether the process that does it is still at it.
_LOOK_AGAIN = 5.0


class Upgrade:
    """Fills the space of the bundled model from that of a former one; one process at a time.

    A process that ends or dies leaves what it has committed, and another one, or the next, goes
    on. Until all is done every process may also be of an earlier version, which works with the
    former vectors; what it stores meanwhile is embedded again like the rest.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._maintenance = Maintenance(runtime.store, 1)
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._waits = False
        self._written = 0

    def start(self) -> None:
        """Begin, if the embedder is the bundled one and works in a space of its own."""
        store, bundled = self._runtime.store, self._runtime.settings.embedding.bundled
        if bundled and store.space and store.space.embedder == self._runtime.identity:
            self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Commit what is embedded, and leave the rest to others."""
        self._stopped = True
        if self._task is not None:
            if self._waits:
                self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        store = self._runtime.store
        try:
            has_former = bool(await others(store, FORMER))
            if store.rescue.refusals or not (has_former or await lacks_passages(store)):
                return
            self._waits = True
            async with store.alone("reembed", retry=_LOOK_AGAIN):
                self._waits = False
                if has_former and await self._embed_all():
                    await self._finish()
                for note in await embed_earlier_passages(
                    self._runtime, batch=1, goes_on=self._goes_on, after_commit=self._maintain
                ):
                    logger.warning("the passages of long texts are not embedded: %s", note)
        except MemError as error:  # what is committed stays; the next start goes on
            logger.warning("memories are not embedded again: %s", error)
        await asyncio.to_thread(give_back)

    async def _embed_all(self) -> bool:
        """Embed what the former model embedded; return whether nothing is left."""
        trusting = True
        while not self._stopped:
            embedded, degraded = await embed_versions(
                self._runtime,
                trusting=trusting,
                most=_MAINTAIN_EVERY,
                batch=_BATCH,
                goes_on=self._goes_on,
            )
            if degraded:
                logger.warning("memories are not embedded again: %s", degraded[0])
                return False
            if not embedded and (not trusting or await is_active(self._runtime.store)):
                return True
            if embedded >= _MAINTAIN_EVERY:
                await self._maintenance.run()
            trusting = trusting and bool(embedded)  # the name may be of vectors dropped since
        return False

    async def _goes_on(self) -> bool:
        await self._runtime.recalls.over(_GIVES_WAY)
        return not self._stopped

    async def _maintain(self, written: int) -> None:
        """Let the indices find what was written, when it has become much."""
        self._written += written
        if self._written >= _MAINTAIN_EVERY:
            self._written = 0
            await self._maintenance.run()

    async def _finish(self) -> None:
        """Let every process open the store with the new vectors, and drop the former ones.

        The questions of feedback come last, because each has only one vector, and processes of an
        earlier version needed it.
        """
        store = self._runtime.store
        if not await is_active(store):
            await self._maintenance.index_vectors()
            await activate(store)
        await embed_missing(self._runtime)
        await drop_others(store, FORMER)
