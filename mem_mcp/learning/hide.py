"""Hiding: a VERY_NEGATIVE rating by its owner hides a memory, taking it back shows it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mem_mcp.api.models import GLOBAL_USER, RECALLABLE, Feedback, Memory, Scope, Status
from mem_mcp.errors import WriteConflict
from mem_mcp.logs.feedback import Rating, RatingKey
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.store import Store
from mem_mcp.times import utc_now
from mem_mcp.writing.versions import next_version

_HIDES: Feedback = "VERY_NEGATIVE"
_HIDDEN: Status = "hidden"
_HIDE_REASON = f"feedback of its owner: {_HIDES}"
_SHOW_REASON = "its owner took the feedback back"


def affected(
    ratings: Sequence[Rating], before: Mapping[RatingKey, Rating], memories: Mapping[str, Memory]
) -> dict[str, bool]:
    """Return the memories whose status may change by new ratings.

    Args:
        ratings: the new ratings.
        before: the ratings that were in force before them.
        memories: those that they are about, by memory_id.

    Returns:
        memory_id to whether the memory may be hidden, which is only so if one of these ratings
        hides. One that was shown again in spite of an earlier rating stays, whatever other ratings
        come.
    """
    may_hide: dict[str, bool] = {}
    for rating in ratings:
        earlier = before.get(rating.key)
        hides = rating.rating == _HIDES
        undone = earlier is not None and earlier.rating == _HIDES
        if hides or undone or memories[rating.memory_id].status == _HIDDEN:
            may_hide[rating.memory_id] = hides or may_hide.get(rating.memory_id, False)
    return may_hide


async def sync_hidden(runtime: Runtime, scope: Scope, may_hide: Mapping[str, bool]) -> None:
    """Hide or show memories as the ratings of their owners demand.

    Args:
        runtime: what to work with.
        scope: who asks. A shared memory changes only for its writer and for the user "global".
        may_hide: as `affected` returns it; each of these memories may be shown.

    Raises:
        WriteConflict: other writers kept winning.
    """
    store, may_hide = runtime.store, dict(may_hide)
    for _ in range(WRITE_ATTEMPTS):
        statuses = await _wrong_statuses(runtime, scope, may_hide)
        if not statuses:
            return
        rows = await store.read(
            every({"version_id": {"in": sorted(statuses)}}, current()), columns=EVERY_FIELD
        )
        now = utc_now()
        pairs = []
        for row in rows:
            status = statuses[row.memory.version_id]
            reason = _HIDE_REASON if status == _HIDDEN else _SHOW_REASON
            fields = {"status": status, "reason": reason}
            pairs.append(
                next_version(row, "UPDATE", scope, now, fields=fields, vectors=row.vectors)
            )
        if pairs:
            await store.apply([new for _, new in pairs], close=[old for old, _ in pairs])
        # Check again: other writers may have won, or changed their rating before this commit. What
        # was shown here may have to be hidden here, since they still saw it hidden.
        may_hide |= {row.memory.memory_id: True for row in rows}
    raise WriteConflict("others keep changing these memories; try again")


async def _wrong_statuses(
    runtime: Runtime, scope: Scope, may_hide: Mapping[str, bool]
) -> dict[str, Status]:
    """Return version_id to right status, of the memories whose status is another one."""
    conditions = {"memory_id": {"in": sorted(may_hide)}, "status": {"in": [*RECALLABLE, _HIDDEN]}}
    rows = await runtime.store.read(
        every(conditions, current()), columns=["version_id", "memory_id", "user_id", "status"]
    )
    memories = [row.memory for row in rows]
    ratings = await runtime.ratings.latest(frozenset(memory.user_id for memory in memories))
    against = {(one.memory_id, one.user_id) for one in ratings.values() if one.rating == _HIDES}
    writers = await _writers(runtime.store, memories)
    hide, show = list[Memory](), list[Memory]()
    for memory in memories:
        owners = {memory.user_id, *writers.get(memory.memory_id, ())}
        is_condemned = any((memory.memory_id, user) in against for user in owners)
        if scope.user_id not in owners:
            continue
        if memory.status == _HIDDEN and not is_condemned:
            show.append(memory)
        elif memory.status != _HIDDEN and is_condemned and may_hide[memory.memory_id]:
            hide.append(memory)
    earlier = await _earlier_statuses(runtime.store, show)
    return {
        **{memory.version_id: _HIDDEN for memory in hide},
        **{memory.version_id: earlier.get(memory.memory_id, "active") for memory in show},
    }


async def _writers(store: Store, memories: Sequence[Memory]) -> dict[str, list[str]]:
    """Return who wrote the first version of each shared memory, by memory_id."""
    shared = [memory.memory_id for memory in memories if memory.user_id == GLOBAL_USER]
    if not shared:
        return {}
    first = await store.read(
        {"memory_id": {"in": shared}, "version": 1}, columns=["version_id", "memory_id", "actor"]
    )
    return {row.memory.memory_id: [row.memory.actor] for row in first if row.memory.actor}


async def _earlier_statuses(store: Store, memories: Sequence[Memory]) -> dict[str, Status]:
    """Return the last status of each memory that recall could see, by memory_id."""
    if not memories:
        return {}
    ids = [memory.memory_id for memory in memories]
    rows = await store.read(
        {"memory_id": {"in": ids}, "status": {"in": [*RECALLABLE]}},
        columns=["memory_id", "status"],
        order=[("version", True)],
    )
    return {row.memory.memory_id: row.memory.status for row in rows}
