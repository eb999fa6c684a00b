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
# Touched memories that are looked up one by one; for more a scope is read anew.
_MOST_TOUCHED = 200
_COUNT_HOLDS = timedelta(minutes=1)
# Large scopes whose number of rows is kept.
_MOST_LARGE = 1_000


@dataclass(frozen=True, slots=True)
class _Kept:
    space: Space | None
    version: int
    until: datetime | None
    found: CandidateTable


@dataclass(frozen=True, slots=True)
class Parts:
    """The rows of a view: what was read of it before, and what was written since."""

    read: CandidateTable
    stale: Collection[str]
    """Memories among these that have changed since."""
    written: Sequence[Version]
    """Rows that those, and new ones, have now."""


@dataclass(frozen=True, slots=True)
class _Counted:
    at: datetime
    version: int
    rows: int


class ScopeCache:
    """The last scopes that were read whole, brought up to date by what was written since."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0
        self._large: OrderedDict[str, _Counted] = OrderedDict()

    async def whole(self, store: Store, view: RowFilter, most: int) -> CandidateTable | None:
        """Return every row of a view, as of the store's newest commit.

        Args:
            store: where the rows are.
            view: which rows.
            most: rows; of a larger view nothing is read.

        Returns:
            None for a larger view.
        """
        found = await self._revised(store, view)
        if found is not None:
            return found if len(found.candidates) <= most else None
        space = store.space
        with span("count"):
            version = await store.version()
            if self.at_least(store, view) > most:
                return None
            rows = await store.count(view.conditions)
        if rows > most:
            self._note_large(view.key, _Counted(view.now, version, rows))
            return None
        with span("read"):
            found = CandidateTable.of(await store.scan(view.conditions, COLUMNS))
        self._keep(view.key, _Kept(space, version, found.until, found))
        return found

    async def parts(self, store: Store, view: RowFilter, most: int) -> Parts | None:
        """Return what `whole` does, without laying out anew what this process has just written."""
        if (kept := self._usable(store, view)) is not None and view.holds is not None:
            _, touched = await _since(store, view, kept)
            if touched is not None and all(row is not None for row in touched.values()):
                written = [row for row in touched.values() if row and view.holds(row.memory)]
                return Parts(kept.found, touched, written)
        found = await self.whole(store, view, most)
        return Parts(found, (), ()) if found is not None else None

    def at_least(self, store: Store, view: RowFilter) -> int:
        """Return a number of rows that a view surely has, as far as it was counted: 0 if never.

        Each memory that was touched since may have left it. What expires is not told of, so a count
        holds for a minute.
        """
        counted = self._large.get(view.key)
        if counted is None or abs(view.now - counted.at) > _COUNT_HOLDS:
            return 0
        touched = store.changes.touched(counted.version, store.newest)
        return 0 if touched is None else counted.rows - len(touched)

    def _note_large(self, key: str, counted: _Counted) -> None:
        self._large[key] = counted
        self._large.move_to_end(key)
        if len(self._large) > _MOST_LARGE:
            self._large.popitem(last=False)

    async def _revised(self, store: Store, view: RowFilter) -> CandidateTable | None:
        """Bring what was read last up to date, where this process knows what has changed."""
        kept = self._usable(store, view)
        if kept is None:
            return None
        version, touched = await _since(store, view, kept)
        if touched is None:
            return None
        found = kept.found
        if touched:
            with span("read"):
                found = found.revised(touched, await _rows(store, view, touched))
        self._keep(view.key, _Kept(kept.space, version, found.until, found))
        return found

    def _usable(self, store: Store, view: RowFilter) -> _Kept | None:
        kept = self._kept.get(view.key)
        if kept is None or (kept.until is not None and kept.until <= view.now):
            return None
        # Else its vectors are not those that the question has.
        return kept if kept.space == store.space else None

    def _keep(self, key: str, kept: _Kept) -> None:
        self._drop(key)
        if kept.found.size > _MOST_BYTES:
            return
        self._kept[key] = kept
        self._bytes += kept.found.size
        while self._bytes > _MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.found.size


async def _since(
    store: Store, view: RowFilter, kept: _Kept
) -> tuple[int, dict[str, Version | None] | None]:
    """Return the newest commit, and what a view's memories were touched by since they were read."""
    with span("count"):
        version = await store.version()
    return version, store.changes.between(
        kept.version, version, _MOST_TOUCHED, view.users, view.kinds
    )


async def _rows(store: Store, view: RowFilter, touched: Mapping[str, Version | None]) -> pa.Table:
    """Return what a view sees of some memories now."""
    rows = [row for row in touched.values() if row is not None]
    if view.holds is not None and len(rows) == len(touched):
        return store.rows([row for row in rows if view.holds(row.memory)], COLUMNS)
    # Whole memories, not versions: what a later commit made of them is seen as well.
    return await store.scan(every(view.conditions, {"memory_id": {"in": [*touched]}}), COLUMNS)
