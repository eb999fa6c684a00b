"""What changed since a read: a journal of commits, and a feed of them between processes.

The feed is a file shared by the processes on a data directory, with a line for each commit. It is
only a hint: where a line is missing or damaged, the rows that its commit may have changed are read
again.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mem_mcp.store.schema import Version

# A commit of more memories is not announced.
_MOST_IN_A_LINE = 200
_MOST_BYTES = 1_000_000
_MOST_COMMITS = 2_000
_MOST_ROWS = 5_000
FEED = "commits"
"""Name of the file, among the locks of a store."""
Touched = tuple[str, str, str]
"""memory_id, user_id and kind of a memory that a commit added or changed."""
Commit = Mapping[Touched, Version | None]
"""Its memories, each with its current row since then; None if that is unknown."""


def _touched(rows: Iterable[Version]) -> list[Touched]:
    memories = [row.memory for row in rows]
    return list(dict.fromkeys((each.memory_id, each.user_id, each.kind) for each in memories))


def announced(lines: bytes) -> Iterator[tuple[int, list[Touched]]]:
    """Yield the commits in lines of the feed, by their numbers; damaged lines are passed over."""
    for line in lines.splitlines():
        try:
            version, memories = json.loads(line)
            yield int(version), [(str(one), str(user), str(kind)) for one, user, kind in memories]
        except (ValueError, TypeError):
            continue


class Notices:
    """The feed: every process appends to the file, and reads what was appended since it began."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Earlier lines may be of commits that a restored backup has undone.
        self._file, self._read = self._state()

    def post(self, version: int, rows: Iterable[Version]) -> None:
        """Announce a commit by its number and the rows that it added or changed."""
        memories = _touched(rows)
        if len(memories) > _MOST_IN_A_LINE:
            return
        line = json.dumps([version, memories], ensure_ascii=False) + "\n"
        try:
            if self._state()[1] > _MOST_BYTES:
                self._path.unlink(missing_ok=True)
            with self._path.open("ab", buffering=0) as feed:  # one write, so that lines never mix
                feed.write(line.encode())
        except OSError:  # others will read again what the commit may have changed
            return

    def remove(self) -> None:
        """Remove the file with the names in it; others then read again what they must."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def new(self) -> Iterator[tuple[int, list[Touched]]]:
        """Yield the commits announced since the last call, those of this process included."""
        file, size = self._state()
        if file != self._file or size < self._read:
            self._file, self._read = file, 0
        if size == self._read:
            return
        try:
            with self._path.open("rb") as feed:
                feed.seek(self._read)
                content = feed.read()
        except OSError:
            return
        end = content.rfind(b"\n") + 1  # another process is still writing the rest
        self._read += end
        yield from announced(content[:end])

    def _state(self) -> tuple[int, int]:
        """Return the file's inode and size; zeros without a file."""
        try:
            status = self._path.stat()
        except OSError:
            return 0, 0
        return status.st_ino, status.st_size


class Changes:
    """A journal of commits, to bring up to date what was read before them."""

    def __init__(self, notices: Notices | None = None) -> None:
        self._notices = notices
        self._commits: OrderedDict[int, Commit] = OrderedDict()
        self._rows = 0

    def add(self, version: int, rows: Sequence[Version], current: Iterable[Version] = ()) -> None:
        """Enter and announce a commit of this process.

        Args:
            version: its number.
            rows: rows that it added or changed.
            current: rows that are current since; those of other memories are unknown.
        """
        if self._notices is not None:
            self._notices.post(version, rows)
        current_rows = {row.memory.memory_id: row for row in current}
        self._enter(version, {memory: current_rows.get(memory[0]) for memory in _touched(rows)})

    def forget_feed(self) -> None:
        """Remove the feed, which names users and memories."""
        if self._notices is not None:
            self._notices.remove()

    def _enter(self, version: int, commit: Commit) -> None:
        self._commits[version] = commit
        self._rows += len(commit)
        while len(self._commits) > _MOST_COMMITS or self._rows > _MOST_ROWS:
            _, oldest = self._commits.popitem(last=False)
            self._rows -= len(oldest)

    def between(
        self, after: int, until: int, most: int, users: Collection[str], kinds: Collection[str]
    ) -> dict[str, Version | None] | None:
        """Return the memories touched by a range of commits.

        Args:
            after: number of the commit before the first.
            until: number of the last commit.
            most: most memories to return.
            users: users whose memories count.
            kinds: kinds that count; empty for all.

        Returns:
            Memory id to its current row, which is None if it must be read. None instead if a commit
            is unknown, or more than `most` memories were touched.
        """
        memories: dict[str, Version | None] = {}
        for commit in self._range(after, until):
            if commit is None:
                return None
            for (memory_id, user_id, kind), row in commit.items():
                if user_id in users and (not kinds or kind in kinds):
                    memories[memory_id] = row
            if len(memories) > most:
                return None
        return memories

    def touched(self, after: int, until: int) -> set[str] | None:
        """Return the ids of the memories touched by a range of commits; see `between`."""
        memories: set[str] = set()
        for commit in self._range(after, until):
            if commit is None:
                return None
            memories.update(memory_id for memory_id, _, _ in commit)
        return memories

    def _range(self, after: int, until: int) -> Iterator[Commit | None]:
        versions = range(after + 1, until + 1)
        if self._notices and any(version not in self._commits for version in versions):
            for version, touched in self._notices.new():
                if version not in self._commits:
                    self._enter(version, dict.fromkeys(touched))
        return (self._commits.get(version) for version in versions)
