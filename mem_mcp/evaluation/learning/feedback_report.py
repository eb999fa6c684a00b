"""The report of the feedback suite: the same questions without marks, and with each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mem_mcp.api.models import Model
from mem_mcp.evaluation.metrics import measure
from mem_mcp.evaluation.page import Page, Table
from mem_mcp.evaluation.report import Report, Row
from mem_mcp.evaluation.retrieval.evidence_report import Gain

METRICS = ("MRR", "recall@10")
NONE = "none"
"""The arm without marks."""
_SAMPLES = 2_000

Column = NDArray[np.float64]
Counts = NDArray[np.int64]


class Measured(Model):
    """What a question found, in one drawing of the halves."""

    shared: bool
    """Whether any of what answers it was marked, in whatever way."""
    helped: bool
    """Whether any of that also answers a question that marked it."""
    ranks: dict[str, tuple[int, ...]]
    """By arm: ranks, from 1, at which relevant memories were found."""


class Marked(Row):
    """One question; where it fails it found nothing."""

    category: str
    relevant: int
    seeds: dict[int, Measured]
    """By seed, where the question is not in the half that gives the marks."""


_GROUPS: dict[str, Callable[[Measured], bool]] = {
    "all": lambda _: True,
    "helped": lambda each: each.helped,
    "not helped": lambda each: not each.helped,
    "shared": lambda each: each.shared,
    "others": lambda each: not each.shared,
}


class Group(Model):
    """Means over all measurements, in percent."""

    questions: int
    measured: int
    """How often questions were measured: each once a seed that does not have it give marks."""
    metrics: dict[str, dict[str, float]]
    """By arm."""
    gains: dict[str, dict[str, Gain]]
    """By arm with marks: the difference to none. A question is drawn with all its measurements."""


class FeedbackReport(Report):
    """What marks do to questions other than those that they were given for."""

    seeds: Sequence[int]
    limit: int
    """Memories asked for by each recall."""
    marks: float
    """Given in each arm, mean of the seeds."""
    refused: int
    """Marks that were not stored or not taken back."""
    changed: int
    """Questions whose answer differed from the first one after all marks had been taken back."""
    groups: dict[str, Group]
    """all; helped and not helped; shared and others. A group without questions is left out."""
    by_seed: dict[int, dict[str, Group]]
    rows: Sequence[Marked]

    def page(self) -> Page:
        """Return what is shown of it."""
        tables = [_means(name, self.groups) for name in METRICS]
        tables += [self._seeds(name) for name in METRICS]
        return Page(self.title, tables, list(self._notes()))

    def _seeds(self, metric: str) -> Table:
        return [
            [f"{metric}, by seed", *self.groups],
            *(
                [f"{seed}, {arm}", *_each(groups, self.groups, metric, arm)]
                for seed, groups in self.by_seed.items()
                for arm in groups["all"].metrics
            ),
        ]

    def _notes(self) -> Iterator[str]:
        yield (
            f"marks: {self.marks:,.0f} in each arm, by half of the questions on the first ten "
            "memories of each; measured: the other half, drawn once a seed "
            f"({', '.join(map(str, self.seeds))})"
        )
        yield (
            "helped: what answers the question was also marked by one that it answers; shared: it "
            "was marked, in whatever way; others: it was not"
        )
        yield (
            "intervals: paired bootstrap over questions, each with what all seeds measured of it"
        )
        yield (
            f"after all marks were taken back {self.changed} of {len(self.rows):,} questions were "
            "answered differently than before any was given"
        )
        if self.refused:
            yield f"{self.refused:,} marks were refused"
        yield from self.origin()


def grouped(rows: Sequence[Marked], seeds: Sequence[int], bootstrap_seed: int) -> dict[str, Group]:
    """Summarise all measured questions, and those whose answers were marked or not."""
    groups = {}
    for name, belongs in _GROUPS.items():
        chosen = [
            (row, some)
            for row in rows
            if (some := [each for each in _of(row, seeds) if belongs(each)])
        ]
        if chosen:
            groups[name] = _group(chosen, bootstrap_seed)
    return groups


def _of(row: Marked, seeds: Sequence[int]) -> list[Measured]:
    return [row.seeds[seed] for seed in seeds if seed in row.seeds]


def _group(chosen: Sequence[tuple[Marked, list[Measured]]], seed: int) -> Group:
    counts = np.array([len(some) for _, some in chosen])
    arms = list(chosen[0][1][0].ranks)
    sums = {
        arm: {name: np.array([_sum(name, arm, *one) for one in chosen]) for name in METRICS}
        for arm in arms
    }
    return Group(
        questions=len(chosen),
        measured=int(counts.sum()),
        metrics={
            arm: {name: round(float(each.sum() / counts.sum()), 2) for name, each in of.items()}
            for arm, of in sums.items()
        },
        gains={
            arm: {name: _gain(of[name] - sums[NONE][name], counts, seed) for name in METRICS}
            for arm, of in sums.items()
            if arm != NONE
        },
    )


def _sum(metric: str, arm: str, row: Marked, some: Sequence[Measured]) -> float:
    """Return the sum of a question's measurements, in percent."""
    return sum(100 * measure(metric, each.ranks[arm], row.relevant) for each in some)


def _gain(differences: Column, counts: Counts, seed: int) -> Gain:
    drawn = np.random.default_rng(seed).integers(0, counts.size, (_SAMPLES, counts.size))
    means = differences[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Gain(
        over=NONE,
        points=round(float(differences.sum() / counts.sum()), 2),
        interval=(round(float(low), 2), round(float(high), 2)),
    )


def _means(metric: str, groups: Mapping[str, Group]) -> Table:
    table = [
        [f"{metric}, all seeds", *groups],
        ["questions", *(f"{each.questions:,}" for each in groups.values())],
        ["measured", *(f"{each.measured:,}" for each in groups.values())],
        [NONE, *_each(groups, groups, metric, NONE)],
    ]
    for arm in groups["all"].gains:
        gains = [each.gains[arm][metric] for each in groups.values()]
        table += [
            [arm, *_each(groups, groups, metric, arm)],
            [f"{arm} - none", *(f"{gain.points:+.1f}" for gain in gains)],
            ["95 % interval", *("{:+.1f} to {:+.1f}".format(*gain.interval) for gain in gains)],
        ]
    return table


def _each(
    groups: Mapping[str, Group], columns: Iterable[str], metric: str, arm: str
) -> Iterator[str]:
    for name in columns:
        yield f"{groups[name].metrics[arm][metric]:.1f}" if name in groups else ""
