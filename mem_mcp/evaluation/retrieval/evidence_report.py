"""The report of the suites that ask where what is relevant was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from mem_mcp.api.models import Model
from mem_mcp.evaluation.baselines import LEGEND
from mem_mcp.evaluation.metrics import bootstrap_interval, measure
from mem_mcp.evaluation.page import Page, Table
from mem_mcp.evaluation.report import Report, Row

Interval = tuple[float, float]


class Found(Row):
    """One question; a failed one found nothing."""

    category: str
    relevant: int
    ranks: tuple[int, ...] = ()
    """Ranks, from 1, at which relevant memories were found."""
    others: dict[str, tuple[int, ...]]
    """The same of the other rankings."""
    tokens: int = 0
    """Tokens of what was returned."""
    full_tokens: int = 0
    """Tokens of all that could have been returned."""


class Figures(Model):
    """Means over cases; failed ones count as nothing found."""

    cases: int
    failed: int
    metrics: dict[str, float]
    """In percent."""
    intervals: dict[str, Interval]
    """95 % bootstrap interval of each metric, in percent."""
    tokens: float
    full_tokens: float


class Gain(Model):
    """How much better ours is than the best of the others, in points."""

    over: str
    points: float
    interval: Interval
    """95 %, paired bootstrap."""


class Timing(Model):
    """Milliseconds that a recall took; None if none was answered."""

    p50_ms: float | None = None
    p95_ms: float | None = None


class FoundReport(Report):
    """How well recall found what is relevant."""

    limit: int
    """Memories asked for by each recall."""
    overall: Figures
    categories: dict[str, Figures]
    others: dict[str, dict[str, float]]
    """The metrics of the other rankings, in percent; empty if none was wanted."""
    gains: dict[str, Gain]
    """By metric."""
    timing: Timing
    rows: Sequence[Found]

    def page(self) -> Page:
        """Return what is shown of it."""
        tables = [self._categories(), *([self._rankings()] if self.others else [])]
        return Page(self.title, tables, list(self._notes()))

    def _categories(self) -> Table:
        interval = [f"{low:.1f}-{high:.1f}" for low, high in self.overall.intervals.values()]
        each = self.categories.items() if len(self.categories) > 1 else ()
        return [
            ["category", "questions", *self.overall.metrics, "tokens"],
            *([name, *_cells(figures)] for name, figures in each),
            ["all", *_cells(self.overall)],
            ["95 % interval", "", *interval, ""],
        ]

    def _rankings(self) -> Table:
        gains = self.gains.values()
        return [
            ["ranking", *self.overall.metrics],
            *([name, *_percents(each)] for name, each in self.others.items()),
            ["ours", *_percents(self.overall.metrics)],
            ["best other", *(gain.over for gain in gains)],
            ["ours - best other", *(f"{gain.points:+.1f}" for gain in gains)],
            ["95 % interval", *("{:+.1f} to {:+.1f}".format(*gain.interval) for gain in gains)],
        ]

    def _notes(self) -> Iterator[str]:
        each = self.overall
        share = 100 * each.tokens / each.full_tokens if each.full_tokens else 0
        if self.others:
            yield LEGEND
        yield (
            f"tokens: {each.tokens:,.0f} in the {self.limit} memories returned, "
            f"{each.full_tokens:,.0f} in the whole ({share:.1f} %)"
        )
        yield f"recall: p50 {self.timing.p50_ms} ms, p95 {self.timing.p95_ms} ms"
        yield from self.origin()


def figures(rows: Sequence[Found], metrics: Sequence[str], seed: int) -> Figures:
    """Summarise rows; there must be at least one."""
    values = {name: _values(rows, name) for name in metrics}
    intervals = {name: bootstrap_interval(each, seed=seed) for name, each in values.items()}
    return Figures(
        cases=len(rows),
        failed=sum(row.error is not None for row in rows),
        metrics={name: round(fmean(each), 2) for name, each in values.items()},
        intervals={name: _rounded(each) for name, each in intervals.items()},
        tokens=round(fmean(row.tokens for row in rows), 1),
        full_tokens=round(fmean(row.full_tokens for row in rows), 1),
    )


def by_category(rows: Sequence[Found], metrics: Sequence[str], seed: int) -> dict[str, Figures]:
    """Summarise the rows of each category, in alphabetical order."""
    names = sorted({row.category for row in rows})
    return {
        name: figures([row for row in rows if row.category == name], metrics, seed)
        for name in names
    }


def of_others(rows: Sequence[Found], metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the metrics of each other ranking, in percent."""
    return {
        arm: {name: round(fmean(_values(rows, name, arm)), 2) for name in metrics}
        for arm in rows[0].others
    }


def gain(rows: Sequence[Found], metric: str, seed: int) -> Gain:
    """Compare ours with the best of the others, question by question."""
    others = {arm: _values(rows, metric, arm) for arm in rows[0].others}
    best = max(others, key=lambda arm: fmean(others[arm]))
    pairs = zip(_values(rows, metric), others[best], strict=True)
    differences = [ours - theirs for ours, theirs in pairs]
    interval = bootstrap_interval(differences, seed=seed)
    return Gain(over=best, points=round(fmean(differences), 2), interval=_rounded(interval))


def timing(milliseconds: Sequence[float]) -> Timing:
    """Summarise how long the recalls took."""
    if not milliseconds:
        return Timing()
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return Timing(p50_ms=round(float(p50), 2), p95_ms=round(float(p95), 2))


def _values(rows: Sequence[Found], metric: str, arm: str = "") -> list[float]:
    """Return a metric of each row in percent, ours or that of another ranking."""
    return [
        100 * measure(metric, row.others[arm] if arm else row.ranks, row.relevant) for row in rows
    ]


def _cells(each: Figures) -> list[str]:
    return [f"{each.cases:,}", *_percents(each.metrics), f"{each.tokens:,.0f}"]


def _percents(metrics: Mapping[str, float]) -> list[str]:
    return [f"{value:.1f}" for value in metrics.values()]


def _rounded(interval: Interval) -> Interval:
    low, high = interval
    return round(low, 2), round(high, 2)
