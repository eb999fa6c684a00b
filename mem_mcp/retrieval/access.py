"""Read memories by id, if the caller may see them, and check that the caller may change them.

The first characters of an id, at least SHORTEST_ID, stand for the whole id if they match only one
memory that the caller may see.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mem_mcp.api import checks
from mem_mcp.api.models import GLOBAL_USER, Memory, Scope
from mem_mcp.display import SHORTEST_ID, one_line
from mem_mcp.errors import InvalidInput, NotFound, NotPermitted
from mem_mcp.retrieval.row_filters import current, every, owned
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters, Store, Version
from mem_mcp.store.table import ROW_COLUMNS

EVERY_FIELD = (*ROW_COLUMNS, "source", "vector", "passages")
# Memories that match an ambiguous id: the error lists so many, and at most so many are read.
_MOST_LISTED = 5
_MOST_READ = 100
# Characters of a text in that list.
_LONGEST = 60
LAST = "\U0010ffff"
"""Sorts after every character of an id."""


@dataclass(frozen=True, slots=True)
class Visible:
    """Memories that a caller may see, by the ids given."""

    memories: Mapping[str, Memory]
    """By the id or the beginning of an id that was given, and by the whole id."""
    refusals: Mapping[str, InvalidInput]
    """The error for each beginning that several ids have."""

    def of(self, memory_id: str) -> Memory:
        """Return the memory with this id.

        Args:
            memory_id: one of the ids, or beginnings of ids, that were given to `visible`.

        Raises:
            InvalidInput: several ids begin so.
            NotFound: there is no such memory, or it belongs to another user.
        """
        if memory_id in self.refusals:
            raise self.refusals[memory_id]
        if memory_id not in self.memories:
            raise NotFound(memory_id)
        return self.memories[memory_id]


async def find(store: Store, scope: Scope, memory_id: str, *, deleted: bool = False) -> Version:
    """Read the current version of a memory, with every field.

    Args:
        store: the store.
        scope: the caller.
        memory_id: the id, or its first characters.
        deleted: also return a forgotten memory.

    Raises:
        InvalidInput: memory_id is not a valid id, or several ids begin so.
        NotFound: there is no such memory, or it belongs to another user.
    """
    checks.required_text(memory_id, "memory_id", checks.MAX_NAME)
    readable = _readable(scope, deleted=deleted)
    rows = await store.read(every({"memory_id": memory_id}, readable), columns=EVERY_FIELD)
    if not rows and len(memory_id) >= SHORTEST_ID:
        rows = await store.read(
            every(beginning_with(memory_id), readable),
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
    """Read the owner and the status of the memories that a caller may see.

    Args:
        store: the store.
        scope: the caller; its agent and run are ignored.
        memory_ids: ids, or their first characters. Forgotten memories are left out.
    """
    if not memory_ids:
        return Visible({}, {})
    readable = _readable(Scope(user_id=scope.user_id))
    columns = ["memory_id", "user_id", "status"]
    rows = await store.read(
        every({"memory_id": {"in": sorted(memory_ids)}}, readable), columns=columns
    )
    memories = {row.memory.memory_id: row.memory for row in rows}
    refusals: dict[str, InvalidInput] = {}
    beginnings = [
        given for given in memory_ids if given not in memories and len(given) >= SHORTEST_ID
    ]
    if beginnings:
        rows = await store.read(
            every({"OR": [beginning_with(beginning) for beginning in beginnings]}, readable),
            columns=[*columns, "text"],
            order=[("memory_id", True)],
        )
        for beginning in beginnings:
            match [row.memory for row in rows if row.memory.memory_id.startswith(beginning)]:
                case [memory]:
                    memories |= {beginning: memory, memory.memory_id: memory}
                case [_, *_] as several:
                    refusals[beginning] = _ambiguous(beginning, several)
    return Visible(memories, refusals)


def _readable(scope: Scope, *, deleted: bool = False) -> Filters:
    status = {} if deleted else {"status": {"ne": "deleted"}}
    return every(owned(scope, include_global=True), current(), status)


def beginning_with(memory_id: str) -> Filters:
    """Return the condition that an id begins so."""
    return {"memory_id": {"gte": memory_id, "lt": memory_id + LAST}}


def _ambiguous(memory_id: str, memories: Sequence[Memory]) -> InvalidInput:
    lines = [
        f"{memory.memory_id} {one_line(memory.text, _LONGEST)}"
        for memory in memories[:_MOST_LISTED]
    ]
    if (more := len(memories) - _MOST_LISTED) > 0:
        at_least = "at least " if len(memories) == _MOST_READ else ""
        lines.append(f"and {at_least}{more} more")
    return InvalidInput(
        "memory_id",
        "\n".join([f"{memory_id!r} is the beginning of several ids; give more of it:", *lines]),
    )


async def check_may_change(runtime: Runtime, scope: Scope, memory: Memory) -> None:
    """Check that a caller may change a memory; a shared one only its first writer may change.

    Raises:
        NotPermitted: another user wrote the shared memory, and the caller's user is not "global"
            and may not change what is shared.
    """
    is_own = memory.user_id != GLOBAL_USER or scope.user_id == GLOBAL_USER
    if is_own or runtime.changes_shared:
        return
    first = await runtime.store.read(
        {"memory_id": memory.memory_id, "version": 1}, columns=["version_id", "actor"]
    )
    if not first or first[0].memory.actor != scope.user_id:
        raise NotPermitted(
            f"memory {memory.memory_id!r} is shared by all users; only its writer or the user "
            f"{GLOBAL_USER!r} may change it"
        )
