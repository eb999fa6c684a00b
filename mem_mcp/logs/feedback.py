"""The log of ratings: of each rater the latest on a memory and a question is in force."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from mem_mcp.store import LogTable, Space, Vector, log_schema, matrix
from mem_mcp.text import digest

_TEXTS = (
    "memory_id", "owner", "rating", "reason", "question", "query", "user_id", "agent_id",
)  # fmt: skip
SCHEMA = log_schema(*((name, pa.string()) for name in _TEXTS))
"""The columns of the log."""
_COLUMNS = (*_TEXTS, "vector", "created_at")
_CACHE_ENTRIES_MAX = 64
RatingKey = tuple[str, str, str | None, str]
"""memory_id, user_id and agent_id of the rater, question."""


@dataclass(frozen=True, slots=True)
class Rating:
    """One entry of the log."""

    memory_id: str
    owner: str
    """user_id of the memory."""
    rating: str
    """A `Feedback`; "" takes an earlier rating back."""
    reason: str | None
    query: str
    question: str
    """`question_key` of the query."""
    user_id: str
    """The rater."""
    agent_id: str | None
    vector: Vector | None
    """Of the query."""
    created_at: datetime

    @property
    def key(self) -> RatingKey:
        """A rating replaces an earlier one of the same key."""
        return (self.memory_id, self.user_id, self.agent_id, self.question)


@dataclass(frozen=True)
class _CachedRatings:
    space: Space | None
    version: int
    latest: dict[RatingKey, Rating]

    @cached_property
    def in_force(self) -> list[Rating]:
        return [rating for rating in self.latest.values() if rating.rating]


class Ratings:
    """The log of a store's ratings, with a cache that lasts until another process writes.

    Every method raises StoreError if LanceDB or the disk refuses.
    """

    def __init__(self, log: LogTable) -> None:
        self.log = log
        self._cache: OrderedDict[frozenset[str], _CachedRatings] = OrderedDict()

    async def of(self, owners: frozenset[str]) -> tuple[int, Iterable[Rating]]:
        """Return the ratings in force on the memories of these users.

        Returns:
            A version number that changes with the ratings, and the ratings.
        """
        cached = await self._read(owners)
        return cached.version, cached.in_force

    async def latest(self, owners: frozenset[str]) -> dict[RatingKey, Rating]:
        """Return the latest entry of each key, also those that take a rating back."""
        return (await self._read(owners)).latest

    async def at(self, owners: frozenset[str], moment: datetime) -> list[Rating]:
        """Return the ratings that were in force at a past time."""
        entries = await self._entries(owners)
        latest = {entry.key: entry for entry in entries if entry.created_at <= moment}
        return [rating for rating in latest.values() if rating.rating]

    async def every(self, owner: str = "") -> list[Rating]:
        """Return all entries on the memories of a user, or of everybody, oldest first."""
        rows = await self.log.read(_COLUMNS, any_of={"owner": [owner]} if owner else None)
        return sorted(_ratings(rows), key=lambda entry: entry.created_at)

    async def on(self, memory_ids: Collection[str]) -> list[Rating]:
        """Return all entries on some memories."""
        if not memory_ids:
            return []
        return _ratings(await self.log.read(_COLUMNS, any_of={"memory_id": sorted(memory_ids)}))

    async def add(self, entries: Sequence[Rating]) -> None:
        """Store entries, durably and in one commit."""
        rows = [_row(entry) for entry in entries]
        version = await self.log.append(rows, durable=True)
        for owners, cached in self._cache.items():
            if cached.version == version - 1:
                new = {entry.key: entry for entry in entries if entry.owner in owners}
                latest = {**cached.latest, **new}
                self._cache[owners] = _CachedRatings(cached.space, version, latest)

    async def erase(self, memory_ids: Sequence[str]) -> None:
        """Delete all entries on these memories."""
        await self.log.erase("memory_id", memory_ids)

    async def erase_user(self, user_id: str) -> None:
        """Delete all entries of a user, and all on this user's memories."""
        for column in ("owner", "user_id"):
            await self.log.erase(column, [user_id])

    async def redact(self, entries: Sequence[Rating]) -> None:
        """Empty the questions and reasons of entries; what they say of memories stays."""
        places = {(one.memory_id, one.created_at) for one in entries}
        for memory_id, moment in sorted(places):
            await self.log.empty(["query", "reason"], "memory_id", memory_id, moment)

    async def _read(self, owners: frozenset[str]) -> _CachedRatings:
        space, version = self.log.space, await self.log.version()
        cached = self._cache.get(owners)
        if cached is None or (cached.space, cached.version) != (space, version):
            latest = {entry.key: entry for entry in await self._entries(owners)}
            cached = _CachedRatings(space, version, latest)
        self._cache[owners] = cached
        self._cache.move_to_end(owners)
        if len(self._cache) > _CACHE_ENTRIES_MAX:
            self._cache.popitem(last=False)
        return cached

    async def _entries(self, owners: frozenset[str]) -> list[Rating]:
        """Read all entries, oldest first."""
        rows = await self.log.read(_COLUMNS, any_of={"owner": sorted(owners)})
        return sorted(_ratings(rows), key=lambda entry: entry.created_at)


def question_key(query: str) -> str:
    """Return a digest that is equal for queries that differ only in case and white space.

    "" for an empty query.
    """
    return digest(" ".join(query.casefold().split())) if query.strip() else ""


def _row(entry: Rating) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _COLUMNS}


def _ratings(rows: pa.Table) -> list[Rating]:
    vectors = matrix(rows)
    return [
        Rating(**row, vector=None if np.isnan(vector[0]) else vector)
        for row, vector in zip(rows.drop_columns("vector").to_pylist(), vectors, strict=True)
    ]
