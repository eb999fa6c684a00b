"""The suites: which data they read, and how recall is measured on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation import locomo
from mem_mcp.evaluation.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Suite:
    """A data format, and how recall is measured on it."""

    load: Callable[[Path, int | None], Dataset]
    """Reads a file, or only its first so many parts."""
    metrics: tuple[str, ...]
    limit: int
    """Memories asked for by each recall."""


SUITES = {
    "locomo": Suite(
        load=locomo.load,
        metrics=("recall@5", "recall@10", "recall@20", "MRR", "nDCG@10"),
        limit=20,
    ),
}


def suite_named(name: str) -> Suite:
    """Return a suite.

    Raises:
        InvalidInput: there is none of this name.
    """
    if name not in SUITES:
        raise InvalidInput("suite", f"{name!r} is not one of {', '.join(SUITES)}")
    return SUITES[name]
