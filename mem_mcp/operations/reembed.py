"""reembed: vectors of another model, made while the ones that are there serve."""

from __future__ import annotations

from collections.abc import Callable

from mem_mcp.api.models import Reembedded
from mem_mcp.errors import EmbedderUnavailable
from mem_mcp.runtime import Runtime
from mem_mcp.store import Maintenance, activate, adopt, drop_others, is_active, unfilled
from mem_mcp.writing.backfill import embed_versions


async def reembed(runtime: Runtime, told: Callable[[int, int], None]) -> Reembedded:
    """Fill a column with vectors of this embedder, and let every process that opens use it.

    One process at a time does it. What was filled before it stopped, or by another one, stays.

    Args:
        runtime: of a store that may hold vectors of another embedder.
        told: called with how many versions are done, and in all.

    Raises:
        EmbedderUnavailable: the model gave no vector; nothing has changed for anybody.
    """
    store, embedder = runtime.store, runtime.embedder
    (probe,) = await embedder.embed(["How long are your vectors?"])
    async with store.alone("reembed"):
        await adopt(store, embedder.identity, len(probe))
        await runtime.fit(len(probe))
        total = (await unfilled(store, ["version_id"], trusting=False)).num_rows
        # Not the questions of feedback: they have one vector, and until the switch others need it.
        embedded, degraded = await embed_versions(
            runtime, lambda done: told(done, total), trusting=False
        )
        if degraded:
            raise EmbedderUnavailable(
                f"{embedded:,} are done, the rest is not: {degraded[0]}. Run it again to go on"
            )
        switched = not await is_active(store)
        if switched:
            await Maintenance(store, 1).index_vectors()
            await activate(store)
        dropped = await drop_others(store)
    return Reembedded(
        embedder=embedder.identity,
        dimension=len(probe),
        embedded=embedded,
        switched=switched,
        others_dropped=dropped,
    )
