"""A progress bar on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

_MOST_STEPS = 200


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr during the block, if stderr is a terminal.

    Yields:
        A function to report progress: the amount done, and the total in the same unit. With a total
        of 0, which stands for unknown, the bar does not move.
    """
    with typer.progressbar(
        length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as shown:

        def show(done: int, total: int) -> None:
            if total and (done == total or done - shown.pos >= total / _MOST_STEPS):
                shown.length = total
                shown.update(done - shown.pos)

        yield show
