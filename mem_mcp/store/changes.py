"""What the last commits did, as far as this process knows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mem_mcp.store.change_feed import Notices, Touched
from mem_mcp.store.schema import Version

_MOST_COMMITS = 2_000
_MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit."""

    touched: Sequence[Touched]
    """The memories that it added to or changed."""
    current: Mapping[str, Version]
    """The current row of those of which it is known."""


class Changes:
    """A journal of commits, so that what was read before them can be brought up to date.

    Args:
        notices: what other processes tell of theirs; None where nobody tells.
    """

    def __init__(self, notices: Notices | None = None) -> None:
        self._notices = notices
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
        touched = [*touched]
        if self._notices is not None:
            self._notices.post(version, touched)
        memories = (row.memory for row in touched)
        told = list({(one.memory_id, one.user_id, one.kind) for one in memories})
        self._enter(version, Commit(told, {row.memory.memory_id: row for row in current}))

    def _enter(self, version: int, commit: Commit) -> None:
        self._commits[version] = commit
        self._rows += len(commit.touched)
        while len(self._commits) > _MOST_COMMITS or self._rows > _MOST_ROWS:
            _, oldest = self._commits.popitem(last=False)
            self._rows -= len(oldest.touched)

    def _listen(self) -> None:
        """Enter what others did meanwhile."""
        for version, touched in self._notices.new() if self._notices else ():
            if version not in self._commits:
                self._enter(version, Commit(touched, {}))

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
            commit is not known, or they touched more than `most`.
        """
        found: dict[str, Version | None] = {}
        for commit in self._known(after, until):
            if commit is None:
                return None
            for memory_id, user_id, kind in commit.touched:
                if user_id in users and (not kinds or kind in kinds):
                    found[memory_id] = commit.current.get(memory_id)
            if len(found) > most:
                return None
        return found

    def touched(self, after: int, until: int) -> set[str] | None:
        """Return the ids of the memories that the commits after one touched, up to another.

        None where a commit is not known.
        """
        found: set[str] = set()
        for commit in self._known(after, until):
            if commit is None:
                return None
            found.update(memory_id for memory_id, _, _ in commit.touched)
        return found

    def _known(self, after: int, until: int) -> Iterator[Commit | None]:
        versions = range(after + 1, until + 1)
        if any(version not in self._commits for version in versions):
            self._listen()
        return (self._commits.get(version) for version in versions)
