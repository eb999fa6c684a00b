"""What other values of the ranking's constants would do.

Each constant gets, one at a time, less and more than its value, and every question is asked again.
A value is better where it gains over all questions and still does with any group of them left out:
a conversation, a language, a repository.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import TypeAlias

from mem_mcp.evaluation.harness import Bench
from mem_mcp.evaluation.metrics import measure
from mem_mcp.evaluation.report import Column, Report, Row, Table, table
from mem_mcp.ranking import constants

LIMIT = 20
"""Memories that each recall asks for."""
PARTS = 5
"""Groups where all questions are asked of one user's memories."""
TUNED = (
    "EXACT_SHARE", "LEXICAL_WEIGHT_MAX", "LEXICAL_WEIGHT_MIN", "QUERY_LENGTH_RAMP",
    "TYPICALITY_RAMP", "SAME_TEXT_RAMP", "TRUST_RAMP", "KNOWN_RAMP", "OTHER_LANGUAGE_RAMP",
    "SMOOTHING_RAMP", "SMOOTHING_STEP_MAX", "SMOOTHING_SHARPNESS", "NAME_BOOST", "REPLY_SHARE",
    "SHORT_MESSAGE_TERMS", "TIME_BOOST", "PERIOD_BOOST", "RECENCY_BOOST",
)  # fmt: skip
"""Applied to each question. What is computed once for a scope needs a run of its own."""
METRICS: Mapping[str, str] = {
    "locomo": "recall@10", "lessons": "hit@5", "intents": "nDCG@10", "xquad": "hit@1",
}  # fmt: skip
"""By suite: the figure that its constants were chosen by."""
Value: TypeAlias = float | tuple[float, float]
_FACTORS = 0.5, 1.5


class OtherValue(Row):
    """One constant with another value."""

    constant: str
    present: Value
    value: Value
    figure: float
    """The metric over all questions, in percent."""
    gain: float
    """How much that is more than with the present value."""
    without_a_group: tuple[float, float]
    """The least and the most of the gain when one group is left out."""


class TuningReport(Report):
    """What other values of the constants would do."""

    metric: str
    groups: list[str]
    figure: float
    """The metric with all present values, in percent."""
    rows: Sequence[OtherValue]

    @property
    def title(self) -> str:
        """What was done, in short."""
        return f"{self.suite}: {self.metric} is {self.figure:.1f} with the present constants"

    def _tables(self) -> list[Table]:
        columns: list[Column[OtherValue]] = [
            Column("gain", lambda row: row.gain, "+.2f"),
            Column("without a group", lambda row: row.without_a_group, "+.2f"),
        ]
        names = (f"{row.constant} {row.present} -> {row.value}" for row in self.rows)
        return [table("constant", zip(names, self.rows, strict=True), columns)]

    def _legend(self) -> Iterator[str]:
        yield f"without a group: least and most of the gain without one of {', '.join(self.groups)}"


async def tune(bench: Bench, metric: str) -> TuningReport:
    """Ask every question with the present constants, and with two other values of each.

    Args:
        bench: the memory to ask.
        metric: its name, as `metrics.measure` takes it.
    """
    groups = _groups(bench)
    present = await _figures(bench, metric)
    rows = []
    for name, value in _others():
        with constant(name, value):
            figures = await _figures(bench, metric)
        gains = [100 * (new - old) for new, old in zip(figures, present, strict=True)]
        without = [fmean(_left(gains, groups, group)) for group in set(groups)]
        row = OtherValue(
            case=f"{name} = {value}",
            constant=name,
            present=getattr(constants, name),
            value=value,
            figure=round(100 * fmean(figures), 2),
            gain=round(fmean(gains), 2),
            without_a_group=(round(min(without), 2), round(max(without), 2)),
        )
        rows.append(row)
    return TuningReport(
        **bench.ran,
        metric=metric,
        groups=sorted(set(groups)),
        figure=round(100 * fmean(present), 2),
        rows=rows,
    )


@contextmanager
def constant(name: str, value: Value) -> Iterator[None]:
    """Give a constant of the ranking another value, in every module that imports it."""
    users = [
        module
        for key, module in sys.modules.items()
        if key.startswith("mem_mcp.ranking.") and module is not constants and name in vars(module)
    ]
    present = getattr(constants, name)
    try:
        for module in users:
            setattr(module, name, value)
        yield
    finally:
        for module in users:
            setattr(module, name, present)


def times() -> int:
    """Return how often each question is asked."""
    return 1 + sum(1 for _ in _others())


def _others() -> Iterator[tuple[str, Value]]:
    """Yield each constant with less and with more than its value, of a ramp both ends moved."""
    for name in TUNED:
        present: Value = getattr(constants, name)
        for factor in _FACTORS:
            if isinstance(present, tuple):
                low, high = present
                shift = (factor - 1) * (high - low)
                yield name, (round(low + shift, 3), round(high + shift, 3))
            else:
                yield name, round(factor * present, 3)


async def _figures(bench: Bench, metric: str) -> list[float]:
    figures = []
    for case in bench.dataset.cases:
        answer = await bench.ask(case, limit=LIMIT)
        figures.append(measure(metric, answer.ranks, len(bench.relevant(case))))
    return figures


def _groups(bench: Bench) -> list[str]:
    """Return the group of each question."""
    users = [case.arguments["user_id"] for case in bench.dataset.cases]
    if len(set(users)) > 1:
        return users
    return [f"part {number % PARTS + 1}" for number in range(len(users))]


def _left(gains: Sequence[float], groups: Sequence[str], without: str) -> list[float]:
    """Return the gains of all groups but one; of all where there is no other."""
    left = [gain for gain, group in zip(gains, groups, strict=True) if group != without]
    return left or list(gains)
