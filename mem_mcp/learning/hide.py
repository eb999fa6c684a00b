"""Hiding what its owner calls very wrong, and showing it again when that is taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mem_mcp.api.models import GLOBAL_USER, RECALLABLE, Feedback, Memory, Scope, Status
from mem_mcp.errors import WriteConflict
from mem_mcp.logs.feedback import Key, Rating
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.store import Store
from mem_mcp.times import utc_now
from mem_mcp.writing.versions import succeed

_HIDES: Feedback = "VERY_NEGATIVE"
_HIDDEN: Status = "hidden"


def may_matter(
    entries: Sequence[Rating], before: Mapping[Key, Rating], known: Mapping[str, Memory]
) -> dict[str, bool]:
    """Return the memories whose status may have to follow some new marks.

    Args:
        entries: the new marks.
        before: the marks that counted before.
        known: the memories they are about.

    Returns:
        Memory to whether it may be hidden: only where one of these marks says so. One that was
        brought back in spite of an earlier mark stays, whatever else is said of it.
    """
    found: dict[str, bool] = {}
    for entry in entries:
        earlier = before.get(entry.key)
        hides = entry.rating == _HIDES
        undone = earlier is not None and earlier.rating == _HIDES
        if hides or undone or known[entry.memory_id].status == _HIDDEN:
            found[entry.memory_id] = hides or found.get(entry.memory_id, False)
    return found


async def follow(runtime: Runtime, scope: Scope, touched: Mapping[str, bool]) -> None:
    """Make the status of memories agree with what those who may hide them say.

    Args:
        runtime: what to work with.
        scope: who asks; of a shared memory only its writer and the user "global" change anything.
        touched: memory to whether it may be hidden; it may be shown in any case.

    Raises:
        WriteConflict: other writers kept winning.
    """
    store, touched = runtime.store, dict(touched)
    for _ in range(WRITE_ATTEMPTS):
        wanted = await _wanted(runtime, scope, touched)
        if not wanted:
            return
        rows = await store.read(
            every({"version_id": {"in": sorted(wanted)}}, current()), columns=EVERY_FIELD
        )
        now = utc_now()
        pairs = [
            succeed(
                row,
                "UPDATE",
                scope,
                now,
                fields=_changes(wanted[row.memory.version_id]),
                vector=row.vector,
            )
            for row in rows
        ]
        if pairs:
            await store.apply([new for _, new in pairs], close=[old for old, _ in pairs])
        # Once more: others may have won, or changed their mark before this commit. What was shown
        # here may then have to be hidden here, since they saw it hidden still.
        touched |= {row.memory.memory_id: True for row in rows}
    raise WriteConflict("others keep changing these memories; try again")


async def _wanted(runtime: Runtime, scope: Scope, touched: Mapping[str, bool]) -> dict[str, Status]:
    """Return the versions whose status does not agree, with the status each ought to have."""
    rows = await runtime.store.read(
        every(
            {"memory_id": {"in": sorted(touched)}, "status": {"in": [*RECALLABLE, _HIDDEN]}},
            current(),
        ),
        columns=["version_id", "memory_id", "user_id", "status"],
    )
    memories = [row.memory for row in rows]
    owners = frozenset(memory.user_id for memory in memories)
    marks = await runtime.ratings.latest(owners)
    against = {(mark.memory_id, mark.user_id) for mark in marks.values() if mark.rating == _HIDES}
    writers = await _writers(runtime.store, memories)
    hide, show = list[Memory](), list[Memory]()
    for memory in memories:
        may = {memory.user_id, *writers.get(memory.memory_id, ())}
        condemned = any((memory.memory_id, user) in against for user in may)
        if scope.user_id not in may:
            continue
        if memory.status == _HIDDEN and not condemned:
            show.append(memory)
        elif memory.status != _HIDDEN and condemned and touched[memory.memory_id]:
            hide.append(memory)
    earlier = await _earlier(runtime.store, show)
    return {
        **{memory.version_id: _HIDDEN for memory in hide},
        **{memory.version_id: earlier.get(memory.memory_id, "active") for memory in show},
    }


async def _writers(store: Store, memories: Sequence[Memory]) -> dict[str, list[str]]:
    """Return who wrote each of the shared ones among some memories."""
    shared = [memory.memory_id for memory in memories if memory.user_id == GLOBAL_USER]
    if not shared:
        return {}
    first = await store.read(
        {"memory_id": {"in": shared}, "version": 1}, columns=["version_id", "memory_id", "actor"]
    )
    return {row.memory.memory_id: [row.memory.actor] for row in first if row.memory.actor}


async def _earlier(store: Store, memories: Sequence[Memory]) -> dict[str, Status]:
    """Return the last status of memories that recall could see."""
    if not memories:
        return {}
    rows = await store.read(
        {
            "memory_id": {"in": [memory.memory_id for memory in memories]},
            "status": {"in": [*RECALLABLE]},
        },
        columns=["memory_id", "status"],
        order=[("version", True)],
    )
    return {row.memory.memory_id: row.memory.status for row in rows}


def _changes(status: Status) -> dict[str, str]:
    if status == _HIDDEN:
        return {"status": status, "reason": f"feedback of its owner: {_HIDES}"}
    return {"status": status, "reason": "its owner took the feedback back"}
