"""reembed: embed every memory with another model while the old vectors stay in use."""

from __future__ import annotations

from collections.abc import Callable

from mem_mcp.api.models import Reembedded
from mem_mcp.errors import EmbedderUnavailable
from mem_mcp.runtime import Runtime
from mem_mcp.store import Maintenance, activate, adopt, drop_others, is_active, unfilled
from mem_mcp.writing.backfill import count_earlier, embed_earlier_passages, embed_versions


async def reembed(
    runtime: Runtime, progress: Callable[[int, int], None], announce: Callable[[int], None]
) -> Reembedded:
    """Embed every version with the runtime's embedder, then make its vectors the active ones.

    Only one process at a time does this. A run that was stopped can be continued: vectors that are
    already stored are kept.

    Args:
        runtime: the open memory; its store may have vectors of another embedder.
        progress: called with the number of versions done, and their total.
        announce: called with the number of versions to embed, before the first request.

    Raises:
        EmbedderUnavailable: the model returned no vector; the old vectors stay active.
    """
    store, embedder = runtime.store, runtime.embedder
    announce(await _to_embed(runtime))
    (probe,) = await embedder.embed(["How long are your vectors?"], "passage")
    async with store.alone("reembed"):
        await adopt(store, embedder.identity, len(probe))
        await runtime.fit(len(probe))
        total = (await unfilled(store, ["version_id"], trusting=False)).num_rows
        # The queries in the feedback log are left out: each has only one vector, and other
        # processes need it until the switch.
        embedded, degraded = await embed_versions(
            runtime, lambda done: progress(done, total), trusting=False
        )
        degraded = degraded or await embed_earlier_passages(runtime)
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


async def _to_embed(runtime: Runtime) -> int:
    """Count the versions without a vector of the runtime's embedder, or of their passages."""
    store = runtime.store
    if store.space is not None and store.space.embedder == runtime.embedder.identity:
        without = len(await unfilled(store, ["version_id"], trusting=False))
        return without + await count_earlier(store)
    return await store.count({"status": {"ne": "deleted"}})
