"""Small scopes as they were read last: agents ask and tell about the same one again and again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from mem_mcp.engine.candidacy import COLUMNS, Candidacy
from mem_mcp.engine.visibility import every
from mem_mcp.store import Filters, Store
from mem_mcp.telemetry import span

_MOST_BYTES = 64_000_000
# Touched memories that are looked up one by one; for more a scope is read anew.
_MOST_TOUCHED = 200


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    until: datetime | None
    found: Candidacy


class Scopes:
    """The last scopes that were read whole, brought up to date by what was written since."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    async def whole(
        self, store: Store, visible: Filters, key: str, now: datetime, most: int
    ) -> Candidacy | None:
        """Return every row of a scope, as of the store's newest commit.

        Args:
            store: where the rows are.
            visible: the conditions that choose them at this moment.
            key: what names these conditions whatever the moment.
            now: the moment of the question.
            most: rows; of a larger scope nothing is read.

        Returns:
            None for a larger scope.
        """
        known = await self.known(store, visible, key, now)
        if known is not None:
            return known if len(known.candidates) <= most else None
        with span("count"):
            version = await store.version()
            small = await store.count(visible) <= most
        if not small:
            return None
        with span("read"):
            found = Candidacy.of(await store.scan(visible, COLUMNS))
        self._keep(key, _Kept(version, found.until, found))
        return found

    async def known(
        self, store: Store, visible: Filters, key: str, now: datetime
    ) -> Candidacy | None:
        """Return the rows of a scope that was read before, brought up to date.

        Arguments as of `whole`.

        Returns:
            None where it would have to be read anew: this process does not know what has changed.
        """
        kept = self._kept.get(key)
        if kept is None or (kept.until is not None and kept.until <= now):
            return None
        with span("count"):
            version = await store.version()
        touched = store.changes.between(kept.version, version, _MOST_TOUCHED)
        if touched is None:
            return None
        found = kept.found
        if touched:
            with span("read"):
                # Whole memories, not versions: what a later commit made of them is seen as well.
                ids = {"memory_id": {"in": sorted(touched)}}
                rows = await store.scan(every(visible, ids), COLUMNS)
            found = found.revised(touched, rows)
        self._keep(key, _Kept(version, found.until, found))
        return found

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
