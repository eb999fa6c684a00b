"""Identity of new memories: their ids, their duplicates, and their positions in a run."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mem_mcp.api.models import Event, Memory, Scope
from mem_mcp.store import Filters, Store
from mem_mcp.text import content_hash, digest

_DEDUPLICATED_KINDS = ("fact", "procedure", "lesson")
_LIVE_STATUSES = ("active", "pending", "probation", "hidden")
_COLUMNS = (
    "version_id", "memory_id", "version", "kind", "user_id", "agent_id", "run_id", "position",
    "content_hash", "status", "superseded_at", "expires_at", "recorded_at", "text",
)  # fmt: skip
_Run = tuple[str, str | None]
"""User and run of a message."""
_Key = tuple[Any, ...]
"""What two memories have in common if one is a duplicate of the other."""


@dataclass(frozen=True, slots=True)
class Insertion:
    """What becomes of a new memory."""

    memory: Memory
    """The new memory with its ids, or the stored one that it is a duplicate of."""
    event: Event
    is_new: bool
    """Whether a row has to be written."""


def new_memory(scope: Scope, text: str, now: datetime, **fields: Any) -> Memory:  # noqa: ANN401
    """Return the first version of a memory; `assign_ids` gives it its ids.

    Args:
        scope: of the memory; its user is the actor, too.
        text: of the memory.
        now: transaction time, and when it happened unless `occurred_at` is given.
        fields: any others.
    """
    fields.setdefault("occurred_at", now)
    return Memory(
        version_id="",
        memory_id="",
        version=1,
        event="ADD",
        actor=scope.user_id,
        text=text,
        user_id=scope.user_id,
        agent_id=scope.agent_id,
        run_id=scope.run_id,
        content_hash=content_hash(text),
        recorded_at=now,
        **fields,
    )


async def assign_ids(
    store: Store,
    memories: Sequence[Memory],
    now: datetime,
    written: Collection[tuple[str, datetime]] = (),
) -> list[Insertion]:
    """Give new memories their ids, find their stored duplicates, and number messages.

    Messages without a position continue their run. The caller must hold `store.alone("append")`
    until the rows are written, so that no other process takes the same positions.

    Args:
        store: where to look for duplicates.
        memories: what is to be inserted.
        now: transaction time.
        written: version_id and recorded_at of rows that this call wrote in an earlier attempt,
            which failed for others of its rows. They are reported as added.
    """
    numbered = await _numbered(store, memories)
    stored = await _possible_duplicates(store, numbered)
    insertions: list[Insertion] = []
    for index, memory in enumerate(numbered):
        key = _key(memory)
        same_key = stored.setdefault(key, []) if key else []
        duplicate = next((one for one in same_key if _is_live(one, now)), None)
        if duplicate is not None:
            is_ours = (duplicate.version_id, duplicate.recorded_at) in written
            insertions.append(Insertion(duplicate, "ADD" if is_ours else "NONE", is_new=False))
            continue
        memory_id = _new_id(key, {one.memory_id for one in same_key})
        # Lists sort by this time: the rows of a batch keep their order.
        recorded_at = now + timedelta(microseconds=index)
        is_time_given = memory.occurred_at != memory.recorded_at
        identity = {
            "memory_id": memory_id,
            "version_id": f"{memory_id}.{memory.version}",
            "occurred_at": memory.occurred_at if is_time_given else recorded_at,
            "recorded_at": recorded_at,
        }
        new = memory.model_copy(update=identity)
        same_key.append(new)
        insertions.append(Insertion(new, "ADD", is_new=True))
    return insertions


async def _numbered(store: Store, memories: Sequence[Memory]) -> list[Memory]:
    """Return the memories with a position for each message."""
    last: dict[_Run, int] = {}
    numbered: list[Memory] = []
    for memory in memories:
        run = _run(memory)
        if run is None or memory.position is not None:
            numbered.append(memory)
            continue
        if run not in last:
            given = [other.position for other in memories if _run(other) == run]
            stored = await _last_position(store, run)
            last[run] = max([stored, *(position for position in given if position is not None)])
        last[run] += 1
        numbered.append(memory.model_copy(update={"position": last[run]}))
    return numbered


def _run(memory: Memory) -> _Run | None:
    return (memory.user_id, memory.run_id) if memory.kind == "message" else None


def _messages_of(run: _Run) -> Filters:
    """Return the filter for the messages of a run."""
    user_id, run_id = run
    run_condition = {"exists": False} if run_id is None else run_id
    return {"user_id": user_id, "run_id": run_condition, "kind": "message"}


async def _last_position(store: Store, run: _Run) -> int:
    """Return the highest position in a run; -1 if it is empty."""
    rows = await store.read(
        {**_messages_of(run), "position": {"exists": True}},
        columns=["position"],
        order=[("position", False)],
        limit=1,
    )
    return rows[0].memory.position if rows and rows[0].memory.position is not None else -1


async def _possible_duplicates(
    store: Store, memories: Sequence[Memory]
) -> dict[_Key | None, list[Memory]]:
    """Read the stored versions, also those no longer live, that have the key of a new memory."""
    hashes = {memory.content_hash for memory in memories if memory.kind in _DEDUPLICATED_KINDS}
    conditions: list[Filters] = [{"content_hash": {"in": sorted(hashes)}}] if hashes else []
    positions: dict[_Run, list[int | None]] = {}
    for memory in memories:
        if (run := _run(memory)) is not None:
            positions.setdefault(run, []).append(memory.position)
    conditions += [
        {**_messages_of(run), "position": {"in": numbers}} for run, numbers in positions.items()
    ]
    if not conditions or (hashes and not positions and not await store.count(conditions[0])):
        return {}  # in the usual case a look at one index tells it
    by_key: dict[_Key | None, list[Memory]] = {}
    for row in await store.read({"OR": conditions}, columns=_COLUMNS):
        by_key.setdefault(_key(row.memory), []).append(row.memory)
    return by_key


def _key(memory: Memory) -> _Key | None:
    """Return what a memory shares with its duplicates; None if it cannot have any."""
    if memory.kind in _DEDUPLICATED_KINDS:
        return (memory.kind, memory.user_id, memory.agent_id, memory.content_hash)
    if memory.kind == "message":
        return (memory.kind, memory.user_id, memory.run_id, memory.position)
    return None


def _is_live(memory: Memory, now: datetime) -> bool:
    is_expired = memory.expires_at is not None and memory.expires_at <= now
    return memory.superseded_at is None and memory.status in _LIVE_STATUSES and not is_expired


def _new_id(key: _Key | None, taken: set[str]) -> str:
    """Return an id that follows from the key, so that two writers of one memory collide."""
    if key is None:
        return secrets.token_hex(16)
    generation = 0
    while (memory_id := digest(*key, generation)) in taken:
        generation += 1
    return memory_id
