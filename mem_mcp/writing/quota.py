"""Quota: how many memories a user may have, and how many bytes."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.errors import QuotaExceeded
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.store import Version

_COUNTED = ("text", "source")


def is_bounded(runtime: Runtime) -> bool:
    """Whether there is a bound, so that writers take turns."""
    limits = runtime.settings.limits
    return bool(limits.memories_per_user or limits.bytes_per_user)


async def check_quota(runtime: Runtime, rows: Sequence[Version]) -> None:
    """Check that users have room for what is about to be stored.

    Args:
        runtime: what to work with.
        rows: new versions.

    Raises:
        QuotaExceeded: one has not; nothing is stored.
    """
    limits, store = runtime.settings.limits, runtime.store
    for user_id in {row.memory.user_id for row in rows}:
        own = [row.memory for row in rows if row.memory.user_id == user_id]
        new = sum(memory.version == 1 for memory in own)
        if limits.memories_per_user and new:
            kept = every({"user_id": user_id, "status": {"ne": "deleted"}}, current())
            have = await store.count(kept)
            if have + new > limits.memories_per_user:
                raise QuotaExceeded(
                    f"memories: {new:,} more than the {have:,} that are stored would be over the "
                    f"{limits.memories_per_user:,} that a user may have here "
                    "(limits.memories_per_user); nothing was stored; forget some first"
                )
        if limits.bytes_per_user:
            more = sum(len((m.text + (m.source or "")).encode()) for m in own)
            have = _bytes(await store.scan({"user_id": user_id}, [*_COUNTED]))
            if have + more > limits.bytes_per_user:
                raise QuotaExceeded(
                    f"bytes: {more:,} more than the {have:,} that are stored would be over the "
                    f"{limits.bytes_per_user:,} that a user may have here (limits.bytes_per_user, "
                    "earlier versions included); nothing was stored; purge what is not needed"
                )


def _bytes(rows: pa.Table) -> int:
    sums = [pc.sum(pc.binary_length(rows[name])).as_py() for name in _COUNTED]
    return sum(each or 0 for each in sums)
