"""What processes on one folder tell each other of their commits: a line each, in a shared file.

Nobody relies on a line to be there. One that is missing, or torn, leaves its commit unknown, and
what it may have changed is read anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from mem_mcp.api.models import Memory
from mem_mcp.store.schema import Version

# Memories of one commit; a larger one stays unknown.
_MOST_TOUCHED = 200
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
        if len(memories) > _MOST_TOUCHED:
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
