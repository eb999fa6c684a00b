"""Cache of small scopes' rows, refreshed from the commits made since."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from mem_mcp.retrieval.candidate_rows import COLUMNS, CandidateTable
from mem_mcp.retrieval.row_filters import RowFilter, every
from mem_mcp.store import Space, Store, Version
from mem_mcp.telemetry import span

_MOST_BYTES = 64_000_000
# If more memories have changed, the whole scope is read again instead of their rows.
_MOST_CHANGED = 200
_COUNT_HOLDS = timedelta(minutes=1)
# Large scopes whose row counts are cached.
_MOST_LARGE = 1_000


@dataclass(frozen=True, slots=True)
class _CachedScope:
    """The rows of a scope as of one commit."""

    space: Space | None
    version: int
    expires_at: datetime | None
    table: CandidateTable


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of a scope: the cached ones, and those written since."""

    read: CandidateTable
    stale: Collection[str]
    """Ids of memories whose rows in `read` are out of date."""
    written: Sequence[Version]
    """Current rows of the stale and of the new memories."""


@dataclass(frozen=True, slots=True)
class _RowCount:
    """The number of rows of a large scope as of one commit."""

    at: datetime
    version: int
    rows: int


class ScopeCache:
    """Rows of the scopes read last, up to 64 MB in all; each read brings them up to date."""

    def __init__(self) -> None:
        self._cached: OrderedDict[str, _CachedScope] = OrderedDict()
        self._bytes = 0
        self._large: OrderedDict[str, _RowCount] = OrderedDict()

    async def whole(self, store: Store, row_filter: RowFilter, most: int) -> CandidateTable | None:
        """Return every row that passes a filter, as of the store's newest commit.

        Args:
            store: the store.
            row_filter: the rows to return.
            most: the maximum number of rows.

        Returns:
            The rows; None if there are more than `most`.
        """
        table = await self._revised(store, row_filter)
        if table is not None:
            return table if len(table.candidates) <= most else None
        space = store.space
        with span("count"):
            version = await store.version()
            if self.at_least(store, row_filter) > most:
                return None
            rows = await store.count(row_filter.conditions)
        if rows > most:
            self._note_large(row_filter.key, _RowCount(row_filter.now, version, rows))
            return None
        with span("read"):
            table = CandidateTable.of(await store.scan(row_filter.conditions, COLUMNS))
        self._keep(row_filter.key, _CachedScope(space, version, table.first_expiry, table))
        return table

    async def parts(self, store: Store, row_filter: RowFilter, most: int) -> Parts | None:
        """Return what `whole` does, but with rows that this process wrote lately kept apart.

        That saves laying out the scope for ranking again after each write.
        """
        if (cached := self._usable(store, row_filter)) is not None and row_filter.holds is not None:
            _, changed = await _changes_since(store, row_filter, cached)
            if changed is not None and all(row is not None for row in changed.values()):
                written = [row for row in changed.values() if row and row_filter.holds(row.memory)]
                return Parts(cached.table, changed, written)
        table = await self.whole(store, row_filter, most)
        return Parts(table, (), ()) if table is not None else None

    def at_least(self, store: Store, row_filter: RowFilter) -> int:
        """Return a lower bound on the number of rows that pass a filter; 0 if not counted.

        Each memory changed since the count may have left the scope, so it is subtracted. Rows also
        expire without a write, so a count is valid for one minute only.
        """
        counted = self._large.get(row_filter.key)
        if counted is None or abs(row_filter.now - counted.at) > _COUNT_HOLDS:
            return 0
        changed = store.changes.touched(counted.version, store.newest)
        return 0 if changed is None else counted.rows - len(changed)

    def _note_large(self, key: str, counted: _RowCount) -> None:
        self._large[key] = counted
        self._large.move_to_end(key)
        if len(self._large) > _MOST_LARGE:
            self._large.popitem(last=False)

    async def _revised(self, store: Store, row_filter: RowFilter) -> CandidateTable | None:
        """Return the cached rows, brought up to date; None if this process cannot do that."""
        cached = self._usable(store, row_filter)
        if cached is None:
            return None
        version, changed = await _changes_since(store, row_filter, cached)
        if changed is None:
            return None
        table = cached.table
        if changed:
            with span("read"):
                table = table.revised(changed, await _current_rows(store, row_filter, changed))
        self._keep(row_filter.key, _CachedScope(cached.space, version, table.first_expiry, table))
        return table

    def _usable(self, store: Store, row_filter: RowFilter) -> _CachedScope | None:
        cached = self._cached.get(row_filter.key)
        if cached is None or (
            cached.expires_at is not None and cached.expires_at <= row_filter.now
        ):
            return None
        # Vectors of another embedder cannot be compared with the query's.
        return cached if cached.space == store.space else None

    def _keep(self, key: str, cached: _CachedScope) -> None:
        self._drop(key)
        if cached.table.size > _MOST_BYTES:
            return
        self._cached[key] = cached
        self._bytes += cached.table.size
        while self._bytes > _MOST_BYTES:
            self._drop(next(iter(self._cached)))

    def _drop(self, key: str) -> None:
        cached = self._cached.pop(key, None)
        if cached is not None:
            self._bytes -= cached.table.size


async def _changes_since(
    store: Store, row_filter: RowFilter, cached: _CachedScope
) -> tuple[int, dict[str, Version | None] | None]:
    """Return the newest commit, and the memories of a scope that changed since it was cached.

    Returns:
        The number of the newest commit, and memory id to its current row, which is None if it must
        be read. None instead of the second if a change is unknown, or there are too many.
    """
    with span("count"):
        version = await store.version()
    return version, store.changes.between(
        cached.version, version, _MOST_CHANGED, row_filter.users, row_filter.kinds
    )


async def _current_rows(
    store: Store, row_filter: RowFilter, changed: Mapping[str, Version | None]
) -> pa.Table:
    """Return the current rows of the changed memories that pass a filter."""
    rows = [row for row in changed.values() if row is not None]
    if row_filter.holds is not None and len(rows) == len(changed):
        return store.rows([row for row in rows if row_filter.holds(row.memory)], COLUMNS)
    # Read by memory_id, not version_id, so that versions of still later commits are seen, too.
    return await store.scan(
        every(row_filter.conditions, {"memory_id": {"in": [*changed]}}), COLUMNS
    )
