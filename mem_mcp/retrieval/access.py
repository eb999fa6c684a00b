"""The current version of one memory, as far as a caller may see or change it."""

from __future__ import annotations

from collections.abc import Collection

from mem_mcp.api import checks
from mem_mcp.api.models import GLOBAL_USER, Memory, Scope
from mem_mcp.errors import NotFound, NotPermitted
from mem_mcp.retrieval.row_filters import current, every, owned
from mem_mcp.store import Store, Version
from mem_mcp.store.table import ROW_COLUMNS

EVERY_FIELD = (*ROW_COLUMNS, "source", "vector")


async def find(store: Store, scope: Scope, memory_id: str, *, deleted: bool = False) -> Version:
    """Read the current version of a memory, whole.

    Args:
        store: where.
        scope: who asks.
        memory_id: which.
        deleted: whether a forgotten one counts.

    Raises:
        InvalidInput: no id that could be one.
        NotFound: none such, or another user's.
    """
    checks.required_text(memory_id, "memory_id", checks.MAX_NAME)
    rows = await store.read(
        every({"memory_id": memory_id}, owned(scope, include_global=True), current()),
        columns=EVERY_FIELD,
    )
    if not rows or (rows[0].memory.status == "deleted" and not deleted):
        raise NotFound(memory_id)
    return rows[0]


async def visible(store: Store, scope: Scope, memory_ids: Collection[str]) -> dict[str, Memory]:
    """Read whose and of which status some memories are, as far as a caller may see them.

    Args:
        store: where.
        scope: who asks; its agent and run do not matter.
        memory_ids: which; of others, and of forgotten ones, nothing is returned.
    """
    if not memory_ids:
        return {}
    rows = await store.read(
        every(
            {"memory_id": {"in": sorted(memory_ids)}, "status": {"ne": "deleted"}},
            owned(Scope(user_id=scope.user_id), include_global=True),
            current(),
        ),
        columns=["memory_id", "user_id", "status"],
    )
    return {row.memory.memory_id: row.memory for row in rows}


async def check_may_change(store: Store, scope: Scope, memory: Memory) -> None:
    """Refuse a change of a shared memory by a caller who did not write it.

    Raises:
        NotPermitted: it is another writer's, and the caller's user is not "global".
    """
    if memory.user_id != GLOBAL_USER or scope.user_id == GLOBAL_USER:
        return
    first = await store.read(
        {"memory_id": memory.memory_id, "version": 1}, columns=["version_id", "actor"]
    )
    if not first or first[0].memory.actor != scope.user_id:
        raise NotPermitted(
            f"memory {memory.memory_id!r} is shared by all users; only its writer or the user "
            f"{GLOBAL_USER!r} may change it"
        )
