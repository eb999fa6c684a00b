"""erase_user: everything of one person leaves the store, with a receipt."""

from __future__ import annotations

from mem_mcp.api.manage import EraseUser
from mem_mcp.api.models import GLOBAL_USER, Erased
from mem_mcp.errors import InvalidInput
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters, announce_erasure
from mem_mcp.times import utc_now
from mem_mcp.writing.purge import purge, write_traces

_AT_ONCE = 1_000
"""Memories deleted in one commit."""


async def erase_user(runtime: Runtime, request: EraseUser) -> Erased:
    """Delete all that a user stored, was told, marked and asked; count what it was.

    Raises:
        InvalidInput: all users are meant.
    """
    user = request.user
    if user == GLOBAL_USER:
        raise InvalidInput("user", f"name one; what {GLOBAL_USER!r} has is shared by all users")
    store, ratings, traces = runtime.store, runtime.ratings.log, runtime.traces.log
    await write_traces(runtime)
    own = await store.scan({"user_id": user}, ["memory_id", "kind", "status"])
    shared = await _shared_ids(runtime, user)
    marks = 0
    for column in ("owner", "user_id"):
        rows = await ratings.read(["owner", "user_id"], any_of={column: [user]})
        marks += sum(column == "owner" or row["owner"] != user for row in rows.to_pylist())
    recalls = (await traces.read(["recall_id"], any_of={"user_id": [user]})).num_rows
    kinds: dict[str, set[str]] = {}
    for row in own.to_pylist():
        kinds.setdefault(row["kind"], set()).add(row["memory_id"])
    gone = {
        "user_id": user,
        "erased_at": utc_now(),
        "memories": {kind: len(ids) for kind, ids in sorted(kinds.items())},
        "versions": own.num_rows,
        "pending": sum(one == "pending" for one in own["status"].to_pylist()),
        "marks": marks,
        "recalls": recalls,
        "shared": len(shared),
        "shared_erased": request.shared,
        "dry_run": request.dry_run,
    }
    if request.dry_run:
        return Erased.model_validate(gone)
    await announce_erasure(store)
    await runtime.ratings.erase_user(user)
    await traces.erase("user_id", [user])
    await store.delete({"user_id": user})
    if request.shared:
        for start in range(0, len(shared), _AT_ONCE):
            await purge(runtime, shared[start : start + _AT_ONCE])
    store.changes.forget_feed()
    return Erased.model_validate(gone)


async def _shared_ids(runtime: Runtime, user: str) -> list[str]:
    """Return the memories for all users that this one wrote."""
    written: Filters = {"user_id": GLOBAL_USER, "version": 1, "actor": user}
    rows = await runtime.store.scan(written, ["memory_id"])
    return sorted(rows["memory_id"].to_pylist())
