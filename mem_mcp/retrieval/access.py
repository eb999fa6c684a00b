"""The current version of one memory, as far as a caller may see or change it.

Wherever an id is taken its first characters are, too: at least SHORTEST_ID, and as many as tell it
from the other memories that the caller may see.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mem_mcp.api import checks
from mem_mcp.api.models import GLOBAL_USER, Memory, Scope
from mem_mcp.display import SHORTEST_ID, one_line
from mem_mcp.errors import InvalidInput, NotFound, NotPermitted
from mem_mcp.retrieval.row_filters import current, every, owned
from mem_mcp.store import Filters, Store, Version
from mem_mcp.store.table import ROW_COLUMNS

EVERY_FIELD = (*ROW_COLUMNS, "source", "vector")
# Of memories that an id may stand for: so many are named, and so many are looked at.
_MOST_NAMED = 5
_MOST_READ = 100
_LONGEST = 60
_LAST = "\U0010ffff"
"""Sorts behind whatever an id has in its place."""


@dataclass(frozen=True, slots=True)
class Visible:
    """Memories that a caller may see, by what the call named them by."""

    memories: Mapping[str, Memory]
    """By that, and by their ids."""
    refusals: Mapping[str, InvalidInput]
    """Why a name stands for none: it is the beginning of several ids."""

    def of(self, memory_id: str) -> Memory:
        """Return the memory that a name stands for.

        Raises:
            InvalidInput: it may be one of several.
            NotFound: none such, or another user's.
        """
        if memory_id in self.refusals:
            raise self.refusals[memory_id]
        if memory_id not in self.memories:
            raise NotFound(memory_id)
        return self.memories[memory_id]


async def find(store: Store, scope: Scope, memory_id: str, *, deleted: bool = False) -> Version:
    """Read the current version of a memory, whole.

    Args:
        store: where.
        scope: who asks.
        memory_id: which; or the first characters of its id.
        deleted: whether a forgotten one counts.

    Raises:
        InvalidInput: no id that could be one, or the beginning of several.
        NotFound: none such, or another user's.
    """
    checks.required_text(memory_id, "memory_id", checks.MAX_NAME)
    seen = _seen(scope, deleted=deleted)
    rows = await store.read(every({"memory_id": memory_id}, seen), columns=EVERY_FIELD)
    if not rows and len(memory_id) >= SHORTEST_ID:
        rows = await store.read(
            every(_beginning_with(memory_id), seen),
            columns=EVERY_FIELD,
            order=[("memory_id", True)],
            limit=_MOST_READ,
        )
    if not rows:
        raise NotFound(memory_id)
    if len(rows) > 1:
        raise _ambiguous(memory_id, [row.memory for row in rows])
    return rows[0]


async def visible(store: Store, scope: Scope, memory_ids: Collection[str]) -> Visible:
    """Read whose and of which status some memories are, as far as a caller may see them.

    Args:
        store: where.
        scope: who asks; its agent and run do not matter.
        memory_ids: which; or the first characters of their ids. Forgotten ones are not seen.
    """
    if not memory_ids:
        return Visible({}, {})
    seen = _seen(Scope(user_id=scope.user_id))
    columns = ["memory_id", "user_id", "status"]
    rows = await store.read(every({"memory_id": {"in": sorted(memory_ids)}}, seen), columns=columns)
    memories = {row.memory.memory_id: row.memory for row in rows}
    refusals: dict[str, InvalidInput] = {}
    missing = [one for one in memory_ids if one not in memories and len(one) >= SHORTEST_ID]
    if missing:
        rows = await store.read(
            every({"OR": [_beginning_with(one) for one in missing]}, seen),
            columns=[*columns, "text"],
            order=[("memory_id", True)],
        )
        for one in missing:
            match [row.memory for row in rows if row.memory.memory_id.startswith(one)]:
                case [memory]:
                    memories |= {one: memory, memory.memory_id: memory}
                case [_, *_] as several:
                    refusals[one] = _ambiguous(one, several)
    return Visible(memories, refusals)


def _seen(scope: Scope, *, deleted: bool = False) -> Filters:
    forgotten = {} if deleted else {"status": {"ne": "deleted"}}
    return every(owned(scope, include_global=True), current(), forgotten)


def _beginning_with(memory_id: str) -> Filters:
    return {"memory_id": {"gte": memory_id, "lt": memory_id + _LAST}}


def _ambiguous(memory_id: str, memories: Sequence[Memory]) -> InvalidInput:
    named = [f"{one.memory_id} {one_line(one.text, _LONGEST)}" for one in memories[:_MOST_NAMED]]
    if (more := len(memories) - _MOST_NAMED) > 0:
        at_least = "at least " if len(memories) == _MOST_READ else ""
        named.append(f"and {at_least}{more} more")
    return InvalidInput(
        "memory_id",
        "\n".join([f"{memory_id!r} is the beginning of several ids; give more of it:", *named]),
    )


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
