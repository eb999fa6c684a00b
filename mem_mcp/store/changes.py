"""What the last commits of this process did."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mem_mcp.models import Memory
from mem_mcp.store.schema import Version

_MOST_COMMITS = 2_000
_MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit."""

    touched: Mapping[str, Memory]
    """A row of each memory that it added to or changed."""
    current: Mapping[str, Version]
    """The current row of those of which it is known."""


class Changes:
    """A journal of commits, so that what was read before them can be brought up to date."""

    def __init__(self) -> None:
        self._commits: OrderedDict[int, Commit] = OrderedDict()
        self._rows = 0

    def add(
        self, version: int, touched: Iterable[Version], current: Iterable[Version] = ()
    ) -> None:
        """Note a commit.

        Args:
            version: its number.
            touched: rows of the memories that it added to or changed.
            current: rows that are current since; of other touched memories it is unknown which is.
        """
        commit = Commit(
            {row.memory.memory_id: row.memory for row in touched},
            {row.memory.memory_id: row for row in current},
        )
        self._commits[version] = commit
        self._rows += len(commit.touched)
        while len(self._commits) > _MOST_COMMITS or self._rows > _MOST_ROWS:
            _, oldest = self._commits.popitem(last=False)
            self._rows -= len(oldest.touched)

    def between(
        self, after: int, until: int, most: int, users: Collection[str], kinds: Collection[str]
    ) -> dict[str, Version | None] | None:
        """Return the memories touched by the commits after one, up to another.

        Args:
            after: number of a commit.
            until: number of a later one.
            most: memories.
            users: whose memories are asked for.
            kinds: of which kinds; empty for all.

        Returns:
            Each with its current row, or None where that has to be read. None for all where a
            commit is not this process's own, or they touched more than `most`.
        """
        found: dict[str, Version | None] = {}
        for version in range(after + 1, until + 1):
            commit = self._commits.get(version)
            if commit is None:
                return None
            for memory_id, memory in commit.touched.items():
                if memory.user_id in users and (not kinds or memory.kind in kinds):
                    found[memory_id] = commit.current.get(memory_id)
            if len(found) > most:
                return None
        return found
