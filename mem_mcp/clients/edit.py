"""One change of the text of a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from mem_mcp.errors import MemError

Keys: TypeAlias = tuple[str, ...]
"""They lead to a place in a file."""
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


class Unfit(MemError):
    """A file that is not changed, because it does not parse or has no place for the entry."""


@dataclass(frozen=True)
class Edit:
    """One change: what stood at a place, and what takes its place."""

    start: int
    removed: str
    inserted: str

    def applied(self, text: str) -> str:
        """Return a text with this change."""
        return text[: self.start] + self.inserted + text[self.start + len(self.removed) :]


def at(tree: Any, path: Keys) -> Any:  # noqa: ANN401 - whatever is there
    """Return what is at a path of a value; None if nothing is."""
    for key in path:
        if not isinstance(tree, Mapping) or key not in tree:
            return None
        tree = tree[key]
    return tree
