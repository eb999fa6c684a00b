"""The report of the feedback suite: the same questions without marks, and with each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

from mem_mcp.evaluation.found import Gain
from mem_mcp.evaluation.metrics import bootstrap_interval, measure
from mem_mcp.evaluation.page import Page, Table
from mem_mcp.evaluation.report import Report, Row
from mem_mcp.models import Model

METRICS = ("MRR", "recall@10")
NONE = "none"
"""The arm without marks."""


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
    "shared": lambda each: each.shared,
    "others": lambda each: not each.shared,
}


class Group(Model):
    """Means over questions, in percent; each counts once, as the mean of its seeds."""

    questions: int
    metrics: dict[str, dict[str, float]]
    """By arm."""
    gains: dict[str, dict[str, Gain]]
    """By arm with marks: the difference to none, with a bootstrap interval over questions."""


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
    """all, helped, shared and others; a group without questions is left out."""
    by_seed: dict[int, dict[str, Group]]
    rows: Sequence[Marked]

    def page(self) -> Page:
        """Return what is shown of it."""
        tables = [_table("marks", self.groups)]
        tables += [_table(f"seed {seed}", groups) for seed, groups in self.by_seed.items()]
        return Page(self.title, tables, list(self._notes()))

    def _notes(self) -> Iterator[str]:
        yield (
            f"marks: {self.marks:,.0f} in each arm, by half of the questions on the first ten "
            "memories of each; measured: the other half, drawn once a seed "
            f"({', '.join(map(str, self.seeds))})"
        )
        yield (
            "shared: any of what answers the question was marked, in whatever way; helped: and by "
            "a question that it answers too; others: nothing of it was marked"
        )
        yield (
            "first table: each question counts once, as the mean of its seeds; intervals: of the "
            "difference to none, paired bootstrap over questions"
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
    arms = list(chosen[0][1][0].ranks)
    values = {
        arm: {
            name: [
                fmean(100 * measure(name, each.ranks[arm], row.relevant) for each in some)
                for row, some in chosen
            ]
            for name in METRICS
        }
        for arm in arms
    }
    return Group(
        questions=len(chosen),
        metrics={
            arm: {name: round(fmean(each), 2) for name, each in of.items()}
            for arm, of in values.items()
        },
        gains={
            arm: {name: _gain(of[name], values[NONE][name], seed) for name in METRICS}
            for arm, of in values.items()
            if arm != NONE
        },
    )


def _gain(ours: Sequence[float], theirs: Sequence[float], seed: int) -> Gain:
    points = [one - other for one, other in zip(ours, theirs, strict=True)]
    low, high = bootstrap_interval(points, seed=seed)
    return Gain(over=NONE, points=round(fmean(points), 2), interval=(round(low, 2), round(high, 2)))


def _table(label: str, groups: dict[str, Group]) -> Table:
    columns = [(group, name) for group in groups for name in METRICS]
    counts = [
        f"{groups[group].questions:,}" if name == METRICS[0] else "" for group, name in columns
    ]
    table = [
        [label, *(f"{name} {group}" for group, name in columns)],
        ["questions", *counts],
        [NONE, *(f"{groups[group].metrics[NONE][name]:.1f}" for group, name in columns)],
    ]
    for arm in next(iter(groups.values())).gains:
        gains = [groups[group].gains[arm][name] for group, name in columns]
        table += [
            [arm, *(f"{groups[group].metrics[arm][name]:.1f}" for group, name in columns)],
            [f"{arm} - none", *(f"{gain.points:+.1f}" for gain in gains)],
            ["95 % interval", *("{:+.1f} to {:+.1f}".format(*gain.interval) for gain in gains)],
        ]
    return table
