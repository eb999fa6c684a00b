"""Identity of new memories: their ids, their duplicates, and their positions in a run."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from mem_mcp.api.arguments import end
from mem_mcp.api.models import Event, Memory, Scope
from mem_mcp.current_client import current_client
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.store import Filters, Store, TextVectors, Version
from mem_mcp.text import content_hash, digest
from mem_mcp.writing.repeats import is_live, news
from mem_mcp.writing.versions import next_version

_DEDUPLICATED_KINDS = ("fact", "procedure", "lesson")
_COLUMNS = (
    "version_id", "memory_id", "kind", "user_id", "agent_id", "run_id", "position", "content_hash",
    "status", "superseded_at", "expires_at", "recorded_at",
)  # fmt: skip
_SAID_AGAIN = "said again"
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
    superseded: Version | None = None
    """The stored version, closed, that this row follows; None for the first version."""

    def row(self, vectors: TextVectors) -> Version:
        """Return the row to write; `vectors` are those of a first version."""
        return Version(self.memory, *(self.superseded.vectors if self.superseded else vectors))


def new_memory(scope: Scope, text: str, now: datetime, **fields: Any) -> Memory:  # noqa: ANN401
    """Return the first version of a memory; `assign_ids` gives it its ids.

    Args:
        scope: of the memory; its user is the actor, too, and the client is that of this call.
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
        client=current_client(),
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
    changing: Collection[str] = (),
) -> list[Insertion]:
    """Give new memories their ids, find their stored duplicates, and number messages.

    A duplicate that brings something new becomes the next version of what is stored.

    Messages without a position continue their run. The caller must hold `store.alone("append")`
    until the rows are written, so that no other process takes the same positions.

    Args:
        store: where to look for duplicates.
        memories: what is to be inserted.
        now: transaction time.
        written: version_id and recorded_at of rows that this call wrote in an earlier attempt,
            which failed for others of its rows. They are reported as what they were then.
        changing: memory_ids that the same commit changes otherwise; they get no version here.

    Raises:
        InvalidInput: the metadata of a duplicate would become too large.
    """
    numbered = await _numbered(store, memories)
    ids, duplicates = await _stored(store, numbered, now)
    insertions: list[Insertion] = []
    # Of the row to write for each key.
    places: dict[_Key, int] = {}
    for index, memory in enumerate(numbered):
        key = _key(memory)
        # Lists sort by this time: the rows of a batch keep their order.
        moment = now + timedelta(microseconds=index)
        place = places.get(key) if key else None
        if place is not None:
            insertions[place], one = _merged(insertions[place], memory, moment)
        elif key in duplicates:
            one = _repeated(duplicates[key], memory, moment, written, changing)
        else:
            own = key or _request(memory, index)
            memory_id = _new_id(own, ids.get(key, ()) if key else ())
            one = Insertion(_first(memory, memory_id, moment), "ADD", is_new=True)
        if key and one.is_new:
            places[key] = index
        insertions.append(one)
    return insertions


def _first(memory: Memory, memory_id: str, moment: datetime) -> Memory:
    is_time_given = memory.occurred_at != memory.recorded_at
    return memory.model_copy(
        update={
            "memory_id": memory_id,
            "version_id": f"{memory_id}.{memory.version}",
            "occurred_at": memory.occurred_at if is_time_given else moment,
            "recorded_at": moment,
            "valid_until": end(memory.valid_until),
            "expires_at": end(memory.expires_at),
        }
    )


def _repeated(
    stored: Version,
    said: Memory,
    moment: datetime,
    written: Collection[tuple[str, datetime]],
    changing: Collection[str],
) -> Insertion:
    """Return what becomes of a text that is stored already."""
    memory = stored.memory
    if (memory.version_id, memory.recorded_at) in written:
        return Insertion(memory, memory.event, is_new=False)
    fields = {} if memory.memory_id in changing else news(memory, said, moment)
    if not fields:
        return Insertion(memory, "NONE", is_new=False)
    fields["reason"] = _SAID_AGAIN
    scope = Scope(user_id=said.user_id)
    closed, opened = next_version(
        stored, "UPDATE", scope, moment, fields=fields, vectors=stored.vectors
    )
    repeated = opened.memory.model_copy(update={"request_key": said.request_key})
    return Insertion(repeated, "UPDATE", is_new=True, superseded=closed)


def _merged(earlier: Insertion, said: Memory, moment: datetime) -> tuple[Insertion, Insertion]:
    """Add to an insertion what a later memory of the same text brings; return what became of both.

    The row is written once, with the earlier one.
    """
    fields = news(earlier.memory, said, moment)
    if not fields:
        return earlier, replace(earlier, event="NONE", is_new=False, superseded=None)
    both = replace(earlier, memory=earlier.memory.model_copy(update=fields))
    return both, replace(both, event="UPDATE", is_new=False, superseded=None)


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


async def _stored(
    store: Store, memories: Sequence[Memory], now: datetime
) -> tuple[dict[_Key | None, set[str]], dict[_Key | None, Version]]:
    """Return the ids that were ever given to each key, and the current memory of it, whole."""
    while True:
        by_key = await _with_same_keys(store, memories)
        ids = {key: {one.memory_id for one in some} for key, some in by_key.items()}
        # Of several the one that recall sees: an update may have made two texts equal.
        chosen = {
            key: max(current, key=lambda one: (is_live(one, now), one.recorded_at)).version_id
            for key, some in by_key.items()
            if (current := [one for one in some if _is_current(one)])
        }
        if not chosen:
            return ids, {}
        named = {"version_id": {"in": sorted(chosen.values())}}
        rows = await store.read(named, columns=EVERY_FIELD)
        whole = {row.memory.version_id: row for row in rows if _is_current(row.memory)}
        if len(whole) == len(set(chosen.values())):  # none was changed between the two reads
            return ids, {key: whole[version_id] for key, version_id in chosen.items()}


def _is_current(memory: Memory) -> bool:
    return memory.superseded_at is None and memory.status != "deleted"


async def _with_same_keys(
    store: Store, memories: Sequence[Memory]
) -> dict[_Key | None, list[Memory]]:
    """Read the stored versions, also those no longer current, that have the key of a new memory."""
    texts = [memory for memory in memories if memory.kind in _DEDUPLICATED_KINDS]
    conditions: list[Filters] = []
    if texts:
        # Others may have said the same, however many they are.
        hashes, users = ({one.content_hash for one in texts}, {one.user_id for one in texts})
        conditions.append(
            {"content_hash": {"in": sorted(hashes)}, "user_id": {"in": sorted(users)}}
        )
    positions: dict[_Run, list[int | None]] = {}
    for memory in memories:
        if (run := _run(memory)) is not None:
            positions.setdefault(run, []).append(memory.position)
    conditions += [
        {**_messages_of(run), "position": {"in": numbers}} for run, numbers in positions.items()
    ]
    if not conditions or (texts and not positions and not await store.count(conditions[0])):
        return {}  # in the usual case a look at one index tells it
    by_key: dict[_Key | None, list[Memory]] = {_key(memory): [] for memory in memories}
    for row in await store.read({"OR": conditions}, columns=_COLUMNS):
        if (same := by_key.get(_key(row.memory))) is not None:
            same.append(row.memory)
    return by_key


def _key(memory: Memory) -> _Key | None:
    """Return what a memory shares with its duplicates; None if it cannot have any."""
    if memory.kind in _DEDUPLICATED_KINDS:
        return (memory.kind, memory.user_id, memory.agent_id, memory.content_hash)
    if memory.kind == "message":
        return (memory.kind, memory.user_id, memory.run_id, memory.position)
    return None


def _request(memory: Memory, index: int) -> _Key | None:
    """Return what a memory shares with that of a server which works on the same request."""
    if memory.request_key is None:
        return None
    scope = (memory.user_id, memory.agent_id, memory.run_id, memory.actor)
    return ("request", memory.kind, *scope, memory.request_key, index)


def _new_id(key: _Key | None, taken: Collection[str]) -> str:
    """Return an id that follows from the key, so that two writers of one memory collide."""
    if key is None:
        return secrets.token_hex(16)
    generation = 0
    while (memory_id := digest(*key, generation)) in taken:
        generation += 1
    return memory_id
