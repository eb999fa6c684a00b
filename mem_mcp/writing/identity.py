"""Memories on their way into the store: identity, duplicates and places in a run.

`remember` and import share what stands here.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mem_mcp.api.models import Event, Memory, Scope
from mem_mcp.retrieval.row_filters import every
from mem_mcp.store import Store
from mem_mcp.text import content_hash, digest, said_by

DEDUPLICATED = ("fact", "procedure", "lesson")
_SEEN = ("active", "pending", "probation", "hidden")
_KEY_COLUMNS = (
    "version_id", "memory_id", "version", "kind", "user_id", "agent_id", "run_id", "position",
    "content_hash", "status", "superseded_at", "expires_at", "recorded_at", "text",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placed:
    """What becomes of a new memory: itself with its identity, or the one that says the same."""

    memory: Memory
    event: Event
    is_new: bool


def new_memory(scope: Scope, text: str, now: datetime, **fields: Any) -> Memory:  # noqa: ANN401
    """Return the first version of a memory whose identity is still to be found."""
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


def spoken(memory: Memory) -> str:
    """Return what is embedded: a message counts with who says it."""
    return said_by(memory.actor_id, memory.text)


async def place(
    store: Store,
    memories: Sequence[Memory],
    now: datetime,
    written: Collection[tuple[str, datetime]] = (),
) -> list[Placed]:
    """Give new memories their ids, find those already stored, and number messages.

    Messages without a position go on from the last one of their run, so whoever appends keeps
    other processes from it (`store.alone`) until the rows are written.

    Args:
        store: where.
        memories: what is to be added.
        now: transaction time.
        written: version_id and time of rows that this call wrote itself when it lost the race for
            others of them.
    """
    numbered = await _number(store, memories)
    stored = await _stored_alike(store, numbered)
    placed: list[Placed] = []
    for index, memory in enumerate(numbered):
        key = _key(memory)
        alike = stored.setdefault(key, []) if key else []
        twin = next((row for row in alike if _is_live(row, now)), None)
        if twin is not None:
            ours = (twin.version_id, twin.recorded_at) in written
            placed.append(Placed(twin, "ADD" if ours else "NONE", is_new=False))
            continue
        memory_id = _new_id(key, {row.memory_id for row in alike})
        # Within a batch, rows keep their order: lists sort by this time.
        new = _new(memory, memory_id, now + timedelta(microseconds=index))
        alike.append(new.memory)
        placed.append(new)
    return placed


async def _number(store: Store, memories: Sequence[Memory]) -> list[Memory]:
    last: dict[tuple[str, str | None], int] = {}
    numbered: list[Memory] = []
    for memory in memories:
        run = _run(memory)
        if run is None or memory.position is not None:
            numbered.append(memory)
            continue
        if run not in last:
            given = [other.position for other in memories if _run(other) == run]
            stored = await _last_position(store, *run)
            last[run] = max([stored, *(place for place in given if place is not None)])
        last[run] += 1
        numbered.append(memory.model_copy(update={"position": last[run]}))
    return numbered


def _run(memory: Memory) -> tuple[str, str | None] | None:
    return (memory.user_id, memory.run_id) if memory.kind == "message" else None


async def _last_position(store: Store, user_id: str, run_id: str | None) -> int:
    run = {"run_id": run_id} if run_id is not None else {"run_id": {"exists": False}}
    rows = await store.read(
        every({"user_id": user_id, "kind": "message", "position": {"exists": True}}, run),
        columns=["position"],
        order=[("position", False)],
        limit=1,
    )
    return rows[0].memory.position if rows and rows[0].memory.position is not None else -1


async def _stored_alike(
    store: Store, memories: Sequence[Memory]
) -> dict[tuple[Any, ...] | None, list[Memory]]:
    hashes = {memory.content_hash for memory in memories if memory.kind in DEDUPLICATED}
    conditions: list[dict[str, Any]] = []
    if hashes:
        conditions.append({"content_hash": {"in": sorted(hashes)}})
    places: dict[tuple[str, str | None], list[int | None]] = {}
    for memory in memories:
        if (run := _run(memory)) is not None:
            places.setdefault(run, []).append(memory.position)
    conditions += [
        {
            "user_id": user_id,
            "run_id": {"exists": False} if run_id is None else run_id,
            "kind": "message",
            "position": {"in": positions},
        }
        for (user_id, run_id), positions in places.items()
    ]
    alike: dict[tuple[Any, ...] | None, list[Memory]] = {}
    if hashes and not places and not await store.count(conditions[0]):
        return {}  # the usual case, told by one index
    if conditions:
        for row in await store.read({"OR": conditions}, columns=_KEY_COLUMNS):
            alike.setdefault(_key(row.memory), []).append(row.memory)
    return alike


def _key(memory: Memory) -> tuple[Any, ...] | None:
    """Return what two memories share when one is the other's duplicate; None if nothing can."""
    if memory.kind in DEDUPLICATED:
        return (memory.kind, memory.user_id, memory.agent_id, memory.content_hash)
    if memory.kind == "message":
        return (memory.kind, memory.user_id, memory.run_id, memory.position)
    return None


def _is_live(memory: Memory, now: datetime) -> bool:
    expired = memory.expires_at is not None and memory.expires_at <= now
    return memory.superseded_at is None and memory.status in _SEEN and not expired


def _new(memory: Memory, memory_id: str, now: datetime) -> Placed:
    identity = {
        "memory_id": memory_id,
        "version_id": f"{memory_id}.{memory.version}",
        "recorded_at": now,
    }
    return Placed(memory.model_copy(update=identity), "ADD", is_new=True)


def _new_id(key: tuple[Any, ...] | None, taken: set[str]) -> str:
    if key is None:
        return secrets.token_hex(16)
    generation = 0
    while (memory_id := digest(*key, generation)) in taken:
        generation += 1
    return memory_id
