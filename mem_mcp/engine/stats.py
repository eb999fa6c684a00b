"""stats: what a store holds."""

from __future__ import annotations

from collections import Counter

from mem_mcp.engine.resources import Resources
from mem_mcp.engine.visibility import current, every
from mem_mcp.models import Stats


async def stats(resources: Resources) -> Stats:
    """Count what is stored; forgotten memories count among the versions only."""
    store = resources.store
    columns = ["version_id", "kind", "status", "user_id", "embedder"]
    rows = await store.scan(every(current(), {"status": {"ne": "deleted"}}), columns)
    counts = {name: Counter(rows[name].to_pylist()) for name in ("kind", "status", "user_id")}
    return Stats(
        memories=rows.num_rows,
        versions=await store.count({}),
        users=len(counts["user_id"]),
        by_kind=dict(counts["kind"].most_common()),
        by_status=dict(counts["status"].most_common()),
        without_vector=rows["embedder"].null_count,
        embedder=resources.identity,
        data_bytes=store.size()[1] if store.processes else None,
        table_version=await store.version(),
        location=store.location,
    )
