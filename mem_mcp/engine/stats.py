"""stats: what a store holds, and how its memories are used."""

from __future__ import annotations

from collections import Counter

from mem_mcp.engine.learning import COLUMNS, learning
from mem_mcp.engine.resources import Resources
from mem_mcp.engine.visibility import current, every
from mem_mcp.models import Learning, Stats


async def stats(resources: Resources, *, detailed: bool = True) -> Stats:
    """Count what is stored; forgotten memories count among the versions only.

    Args:
        resources: what to work with.
        detailed: also how memories are used. It names some of them, whoever they belong to: not for
            one of several users.
    """
    store = resources.store
    columns = dict.fromkeys(["version_id", "kind", "status", "user_id", "embedder", *COLUMNS])
    rows = await store.scan(every(current(), {"status": {"ne": "deleted"}}), [*columns])
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
        learning=await learning(resources, rows) if detailed else Learning(),
    )
