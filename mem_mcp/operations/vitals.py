"""vitals: read the figures of a store by which a server is watched."""

from __future__ import annotations

from mem_mcp.api.vitals import Vitals
from mem_mcp.extraction.pending import WAITING
from mem_mcp.runtime import Runtime


async def vitals(runtime: Runtime) -> Vitals:
    """Return the figures of a store.

    Raises:
        StoreError: it does not answer.
    """
    store = runtime.store
    return Vitals(
        table=await store.fragments(),
        waiting=await store.count(WAITING),
        version=await store.version(),
    )
