"""Which memories the last commits of this process touched."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

_MOST_COMMITS = 2_000


class Changes:
    """A journal of commits, so that what was read before them can be brought up to date."""

    def __init__(self) -> None:
        self._touched: OrderedDict[int, frozenset[str]] = OrderedDict()

    def add(self, version: int, memory_ids: Iterable[str]) -> None:
        """Note a commit.

        Args:
            version: its number.
            memory_ids: the memories whose rows it added or changed.
        """
        self._touched[version] = frozenset(memory_ids)
        if len(self._touched) > _MOST_COMMITS:
            self._touched.popitem(last=False)

    def between(self, after: int, until: int, most: int) -> frozenset[str] | None:
        """Return the memories touched by the commits after one, up to another.

        Returns:
            None where one of them is not this process's own, or they touched more than `most`.
        """
        touched: set[str] = set()
        for version in range(after + 1, until + 1):
            if version not in self._touched:
                return None
            touched |= self._touched[version]
            if len(touched) > most:
                return None
        return frozenset(touched)
