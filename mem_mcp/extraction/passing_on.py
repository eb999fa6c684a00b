"""Pass marks and credits of messages that waited on to the memories that a model made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mem_mcp.api.models import Scope
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.store import Version
from mem_mcp.times import utc_now
from mem_mcp.writing.versions import next_version

Successors = Mapping[str, Sequence[str]]
"""By the id of a message: the ids of the memories that were made of it."""


async def pass_ratings_on(runtime: Runtime, ended: Sequence[Version], became: Successors) -> None:
    """Give the ratings of messages to their successors, before those are written.

    So a process that is killed in between loses none; on what is never written they say nothing.
    """
    owners = frozenset(row.memory.user_id for row in ended if became.get(row.memory.memory_id))
    if not owners:
        return
    now = utc_now()
    _, in_force = await runtime.ratings.of(owners)
    entries = [
        replace(rating, memory_id=successor, created_at=now)
        for rating in in_force
        for successor in became.get(rating.memory_id, ())
    ]
    if entries:
        await runtime.ratings.add(entries)


async def credits_passed_on(
    runtime: Runtime, ended: Sequence[Version], became: Successors
) -> list[tuple[Version, Version]]:
    """Return the outcomes that used messages, closed, and as they use the successors instead."""
    if not any(became.get(row.memory.memory_id) for row in ended):
        return []
    since = min(row.memory.recorded_at for row in ended)
    using = {"kind": "outcome", "used": {"exists": True}, "recorded_at": {"gte": since}}
    rows = await runtime.store.read(every(current(), using), columns=EVERY_FIELD)
    pairs = []
    for row in rows:
        used = [
            each for memory_id in row.memory.used for each in (became.get(memory_id) or [memory_id])
        ]
        if used == row.memory.used:
            continue
        fields = {"used": list(dict.fromkeys(used)), "reason": row.memory.reason}
        whose = Scope(user_id=row.memory.actor or row.memory.user_id)
        pairs.append(
            next_version(row, "UPDATE", whose, utc_now(), fields=fields, vectors=row.vectors)
        )
    return pairs
