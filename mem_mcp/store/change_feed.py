"""A change feed between processes that share a data directory, and what this one knows of commits.

The feed is a line for each commit, in a shared file. It is only a hint: a line that is missing, or
torn, means that what its commit may have changed is read again.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mem_mcp.api.models import Memory
from mem_mcp.store.schema import Version

# Memories of one commit; a larger one stays unknown.
_MOST_IN_A_LINE = 200
_MOST_BYTES = 1_000_000
Touched = tuple[str, str, str]
"""memory_id, user_id and kind."""


class Notices:
    """A file that every process appends to, and reads from where it began.

    Args:
        path: of the file; made at the first commit.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # What was said before may be of commits that a restored backup has undone.
        self._file, self._read = self._now()

    def post(self, version: int, touched: Iterable[Version]) -> None:
        """Tell of a commit.

        Args:
            version: its number.
            touched: rows of the memories that it added to or changed.
        """
        memories: dict[str, Memory] = {row.memory.memory_id: row.memory for row in touched}
        if len(memories) > _MOST_IN_A_LINE:
            return
        told = [[one.memory_id, one.user_id, one.kind] for one in memories.values()]
        line = json.dumps([version, told], ensure_ascii=False) + "\n"
        try:
            if self._now()[1] > _MOST_BYTES:
                self._path.unlink(missing_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError:  # the commit stays unknown to others
            return

    def new(self) -> Iterator[tuple[int, list[Touched]]]:
        """Yield each commit, of this process too, that was told since the last call."""
        file, size = self._now()
        if file != self._file or size < self._read:
            self._file, self._read = file, 0
        if size == self._read:
            return
        try:
            with self._path.open("rb") as lines:
                lines.seek(self._read)
                said = lines.read()
        except OSError:
            return
        whole = said.rfind(b"\n") + 1  # the rest is still being written
        self._read += whole
        for line in said[:whole].splitlines():
            try:
                version, told = json.loads(line)
                yield int(version), [(str(one), str(user), str(kind)) for one, user, kind in told]
            except (ValueError, TypeError):
                continue

    def _now(self) -> tuple[int, int]:
        """Return which file it is, and its size; zeros where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0
        return found.st_ino, found.st_size


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
