"""Progress of long work, shown on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

_MOST_STEPS = 200


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar while something is done; what it yields takes how much is done, and in all.

    As long as nobody knows how much there is in all, which 0 stands for, nothing is shown.
    """
    with typer.progressbar(
        length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as shown:

        def show(done: int, total: int) -> None:
            if total and (done == total or done - shown.pos >= total / _MOST_STEPS):
                shown.length = total
                shown.update(done - shown.pos)

        yield show
