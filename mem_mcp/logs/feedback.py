"""What raters think of memories: the latest of each on a memory and a question counts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from mem_mcp.store import Log, Space, Vector, columns, matrix
from mem_mcp.text import digest

_TEXTS = (
    "memory_id", "owner", "rating", "reason", "question", "query", "user_id", "agent_id",
)  # fmt: skip
SCHEMA = columns(*((name, pa.string()) for name in _TEXTS))
"""Of the log."""
_MOST_OWNERS = 64
_COLUMNS = (*_TEXTS, "vector", "created_at")
Key = tuple[str, str, str | None, str]
"""Memory, the rater's user and agent, question."""


@dataclass(frozen=True, slots=True)
class Rating:
    """One entry; an empty rating takes an earlier one back."""

    memory_id: str
    owner: str
    """User of the memory."""
    rating: str
    reason: str | None
    query: str
    question: str
    """Which question it is about; entries on the same one replace each other."""
    user_id: str
    agent_id: str | None
    vector: Vector | None
    """Of the question."""
    created_at: datetime

    @property
    def key(self) -> Key:
        """Entries with the same key replace each other."""
        return (self.memory_id, self.user_id, self.agent_id, self.question)


@dataclass(frozen=True)
class _Kept:
    space: Space | None
    version: int
    latest: dict[Key, Rating]

    @cached_property
    def counting(self) -> list[Rating]:
        return [one for one in self.latest.values() if one.rating]


class Ratings:
    """The ratings of a store; what was read stays until another process writes.

    Every method raises StoreError where LanceDB or the disk refuses.
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self._kept: OrderedDict[frozenset[str], _Kept] = OrderedDict()

    async def of(self, owners: frozenset[str]) -> tuple[int, Iterable[Rating]]:
        """Return what counts of the ratings of some users' memories.

        Returns:
            A number that changes with them, and the ratings; those taken back are not among them.
        """
        kept = await self._read(owners)
        return kept.version, kept.counting

    async def latest(self, owners: frozenset[str]) -> dict[Key, Rating]:
        """Return the last entry for each key, also those that take a rating back."""
        return (await self._read(owners)).latest

    async def at(self, owners: frozenset[str], moment: datetime) -> list[Rating]:
        """Return what counted at a past moment, also what was replaced or taken back since."""
        entries = (one for one in await self._entries(owners) if one.created_at <= moment)
        return [one for one in {one.key: one for one in entries}.values() if one.rating]

    async def add(self, entries: Sequence[Rating]) -> None:
        """Store entries, durably and in one commit."""
        rows = [_row(entry) for entry in entries]
        version = await self.log.append(rows, durable=True)
        for owners, kept in self._kept.items():
            if kept.version == version - 1:
                mine = {entry.key: entry for entry in entries if entry.owner in owners}
                self._kept[owners] = _Kept(kept.space, version, {**kept.latest, **mine})

    async def erase(self, memory_ids: Sequence[str]) -> None:
        """Delete every entry on some memories."""
        await self.log.erase("memory_id", memory_ids)

    async def _read(self, owners: frozenset[str]) -> _Kept:
        space, version = self.log.space, await self.log.version()
        kept = self._kept.get(owners)
        if kept is None or (kept.space, kept.version) != (space, version):
            latest = {entry.key: entry for entry in await self._entries(owners)}
            kept = _Kept(space, version, latest)
        self._kept[owners] = kept
        self._kept.move_to_end(owners)
        if len(self._kept) > _MOST_OWNERS:
            self._kept.popitem(last=False)
        return kept

    async def _entries(self, owners: frozenset[str]) -> list[Rating]:
        """Read every entry, oldest first."""
        rows = await self.log.read(_COLUMNS, any_of={"owner": sorted(owners)})
        return sorted(_ratings(rows), key=lambda entry: entry.created_at)


def question_of(query: str) -> str:
    """Return what two wordings share when they are the same question."""
    return digest(" ".join(query.casefold().split())) if query.strip() else ""


def _row(entry: Rating) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _COLUMNS}


def _ratings(rows: pa.Table) -> list[Rating]:
    vectors = matrix(rows)
    return [
        Rating(**row, vector=None if np.isnan(vector[0]) else vector)
        for row, vector in zip(rows.drop_columns("vector").to_pylist(), vectors, strict=True)
    ]
