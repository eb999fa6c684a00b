"""Small scopes as they were read last: agents ask more often than they tell."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from mem_mcp.engine.candidacy import Candidacy

_MOST_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    until: datetime | None
    found: Candidacy


class Scopes:
    """The last scopes that were read whole, as long as no commit of any process follows."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    def get(self, key: str, version: int, now: datetime) -> Candidacy | None:
        """Return a scope if it is still what the store would give.

        Args:
            key: the conditions that chose its rows.
            version: the store's newest commit.
            now: the moment of the question; a memory may have expired since.
        """
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.version != version or (kept.until is not None and kept.until <= now):
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.found

    def put(self, key: str, version: int, found: Candidacy) -> None:
        """Keep a scope.

        Args:
            key: the conditions that chose its rows.
            version: a commit not newer than the rows.
            found: its rows.
        """
        self._drop(key)
        if found.size > _MOST_BYTES:
            return
        self._kept[key] = _Kept(version, found.until, found)
        self._bytes += found.size
        while self._bytes > _MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.found.size
