"""forget: end one memory, or all that match filters; a purge also deletes the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mem_mcp.api.manage import Forget
from mem_mcp.api.models import ForgetResult, Scope
from mem_mcp.errors import InvalidInput, WriteConflict
from mem_mcp.retrieval.access import EVERY_FIELD, check_may_change, find
from mem_mcp.retrieval.row_filters import chosen, current, every, listable, owned
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.store import Store, announce_erasure
from mem_mcp.times import utc_now
from mem_mcp.writing.purge import purge, quoting, strip_logs, texts_of
from mem_mcp.writing.versions import deletion

AT_ONCE = 1_000
"""Memories forgotten in one commit."""
_MOST_NAMED = 20


async def forget(runtime: Runtime, request: Forget) -> ForgetResult:
    """Forget one memory or, if confirmed, all that match filters.

    Raises:
        InvalidInput: neither or both of memory_id and filters are given, or the filters do not
            compile.
        NotFound: there is no such memory for this caller.
        NotPermitted: another user wrote the shared memory.
        WriteConflict: others kept changing the memories.
    """
    store = runtime.store
    scope = request.scope(runtime.settings.user_id)
    if bool(request.memory_id) == bool(request.filters):
        raise InvalidInput(
            "memory_id", "give either memory_id or filters, and with filters confirm=true"
        )
    if request.memory_id:
        row = await find(store, scope, request.memory_id, deleted=request.purge)
        await check_may_change(runtime, scope, row.memory)
        ids = [row.memory.memory_id]
    else:
        ids = await _matching(store, scope, request)
        if not request.confirm:
            return ForgetResult(forgotten=len(ids), memory_ids=ids, dry_run=True)
    quoted_by: set[str] = set()
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        if request.purge:
            await announce_erasure(store)
            texts = await texts_of(runtime, part)
            await purge(runtime, part)
            await strip_logs(runtime, texts)
            quoted_by |= {*await quoting(runtime, owned(scope), texts)}
        else:
            await _end(store, scope, part)
    quoting_still = sorted(quoted_by - {*ids})
    return ForgetResult(
        forgotten=len(ids),
        memory_ids=ids,
        dry_run=False,
        degraded=[_quoted_note(quoting_still)] if quoting_still else [],
    )


def _quoted_note(ids: Sequence[str]) -> str:
    """Name the memories that hold a purged text still: as theirs, as evidence or source."""
    more = f" and {len(ids) - _MOST_NAMED:,} more" if len(ids) > _MOST_NAMED else ""
    return f"purged, but other memories hold that text still: {', '.join(ids[:_MOST_NAMED])}{more}"


async def _matching(store: Store, scope: Scope, request: Forget) -> list[str]:
    filters = request.filters or {}
    asked = chosen(filters)  # first: it refuses what cannot be compiled
    state = current() if request.purge else every(listable(filters), current())
    rows = await store.read(
        every(owned(scope), asked, state),
        columns=["memory_id", "version_id"],
        order=[("recorded_at", True), ("version_id", True)],
    )
    return [row.memory.memory_id for row in rows]


async def _end(store: Store, scope: Scope, ids: Sequence[str]) -> None:
    """Add a DELETE version to each memory that is not deleted yet."""
    remaining: dict[str, Any] = {"memory_id": {"in": list(ids)}, "status": {"ne": "deleted"}}
    for _ in range(WRITE_ATTEMPTS):
        rows = await store.read(every(remaining, current()), columns=EVERY_FIELD)
        if not rows:
            await store.settle()
            return
        now = utc_now()
        pairs = [deletion(row, scope, now) for row in rows]
        if await store.apply([new for _, new in pairs], close=[old for old, _ in pairs]):
            return
    raise WriteConflict("others keep changing these memories; try again")
