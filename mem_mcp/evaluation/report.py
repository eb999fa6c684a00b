"""What an evaluation found, with all that is needed to repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from mem_mcp.evaluation.metrics import bootstrap_interval, measure
from mem_mcp.models import Model


class Row(Model):
    """One case; a failed one found nothing and says why."""

    case: str
    category: str
    relevant: int
    ranks: tuple[int, ...] = ()
    """Ranks, from 1, at which relevant memories were found."""
    tokens: int = 0
    """Tokens of what was returned."""
    full_tokens: int = 0
    """Tokens of all that could have been returned."""
    error: str | None = None


class Figures(Model):
    """Means over cases; failed ones count as nothing found."""

    cases: int
    failed: int
    metrics: dict[str, float]
    """In percent."""
    intervals: dict[str, tuple[float, float]]
    """95 % bootstrap interval of each metric, in percent."""
    tokens: float
    full_tokens: float


class Timing(Model):
    """Milliseconds that a recall took; None if none was answered."""

    p50_ms: float | None = None
    p95_ms: float | None = None


class Data(Model):
    """What was evaluated on."""

    file: str
    sha256: str
    memories: int
    skipped: int
    """Questions for which the file names nothing that answers them."""


class Report(Model):
    """One run of one suite."""

    suite: str
    seed: int
    limit: int
    """Memories asked for by each recall."""
    data: Data
    settings: dict[str, Any]
    versions: dict[str, str]
    commit: str | None
    """Of the source tree that ran, if it was one; ends in -dirty if it was changed."""
    overall: Figures
    categories: dict[str, Figures]
    timing: Timing
    rows: list[Row]

    @property
    def failures(self) -> list[Row]:
        """The rows of cases that failed."""
        return [row for row in self.rows if row.error is not None]


def figures(rows: Sequence[Row], metrics: Sequence[str], seed: int) -> Figures:
    """Summarise rows; there must be at least one."""
    values = {
        name: [100 * measure(name, row.ranks, row.relevant) for row in rows] for name in metrics
    }
    intervals = {name: bootstrap_interval(each, seed=seed) for name, each in values.items()}
    return Figures(
        cases=len(rows),
        failed=sum(row.error is not None for row in rows),
        metrics={name: round(fmean(each), 2) for name, each in values.items()},
        intervals={n: (round(low, 2), round(high, 2)) for n, (low, high) in intervals.items()},
        tokens=round(fmean(row.tokens for row in rows), 1),
        full_tokens=round(fmean(row.full_tokens for row in rows), 1),
    )


def by_category(rows: Sequence[Row], metrics: Sequence[str], seed: int) -> dict[str, Figures]:
    """Summarise the rows of each category, in alphabetical order."""
    names = sorted({row.category for row in rows})
    return {
        name: figures([row for row in rows if row.category == name], metrics, seed)
        for name in names
    }


def timing(milliseconds: Sequence[float]) -> Timing:
    """Summarise how long the recalls took."""
    if not milliseconds:
        return Timing()
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return Timing(p50_ms=round(float(p50), 2), p95_ms=round(float(p95), 2))
