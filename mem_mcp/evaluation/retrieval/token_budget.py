"""How much of the evidence fits into how many tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from mem_mcp.api.models import Model
from mem_mcp.evaluation.datasets.dataset import Case
from mem_mcp.evaluation.harness import Bench, RecallAnswer
from mem_mcp.evaluation.metrics import Interval, interval, mean
from mem_mcp.evaluation.report import Column, Report, Row, Table, table
from mem_mcp.text import count_tokens

BUDGETS = (250, 500, 1_000, 2_000, 4_000, 8_000)
MOST = 200
"""Memories that a recall within a budget asks for: as many as recall allows."""
USUAL = 20
"""Memories of the recall without a budget, with which the budgets are compared."""
BAR = (1_000, 80)
"""So many tokens should find so many percent of what the usual number of memories finds."""

_INK, _PALE = "#1f5fa8", "#707070"
_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1}
_BELOW = {"textcoords": "offset points", "va": "top", "bbox": _WHITE}


class RecallYield(Model):
    """The share of the evidence that one recall found, in how many tokens and memories."""

    found: float = 0.0
    tokens: float = 0.0
    memories: float = 0.0


class BudgetQuestion(Row):
    """One question; a failed one found nothing."""

    budgets: dict[int, RecallYield]
    usual: RecallYield
    full_tokens: int


class Point(RecallYield):
    """Means over questions, `found` in percent."""

    interval: Interval
    """95 % bootstrap interval of `found`."""


_COLUMNS: Sequence[Column[Point]] = (
    Column("evidence found", lambda point: point.found, ".1f"),
    Column("95 % interval", lambda point: point.interval, ".1f"),
    Column("tokens used", lambda point: point.tokens, ",.0f"),
    Column("memories", lambda point: point.memories, ".1f"),
)


class CurveReport(Report):
    """The share of the evidence that is found within a budget of tokens."""

    budgets: dict[int, Point]
    usual: Point
    """With 20 memories and no budget."""
    full_tokens: float
    """Mean tokens of a whole conversation."""
    rows: Sequence[BudgetQuestion]

    @property
    def reached(self) -> float:
        """Percent of what the usual number of memories finds that the bar's tokens find."""
        return 100 * self.budgets[BAR[0]].found / self.usual.found if self.usual.found else 0.0

    def _tables(self) -> list[Table]:
        points = [(f"{budget:,}", point) for budget, point in self.budgets.items()]
        points += [(f"{USUAL} memories", self.usual)]
        whole = ["whole conversation", "100.0", "", f"{self.full_tokens:,.0f}", ""]
        return [[*table("tokens allowed", points, _COLUMNS), whole]]

    def _legend(self) -> Iterator[str]:
        tokens, bar = BAR
        yield (
            f"within {tokens:,} tokens {self.reached:.1f} % of what {USUAL} memories find is found "
            f"(to be reached: {bar} %)"
        )


async def curve(bench: Bench) -> CurveReport:
    """Ask every question once within each budget, and once without."""
    rows = [await _ask(bench, case) for case in bench.dataset.cases]
    return CurveReport(
        **bench.ran,
        rows=rows,
        budgets={
            budget: _point([row.budgets[budget] for row in rows], bench.seed) for budget in BUDGETS
        },
        usual=_point([row.usual for row in rows], bench.seed),
        full_tokens=round(fmean(row.full_tokens for row in rows), 1),
    )


async def _ask(bench: Bench, case: Case) -> BudgetQuestion:
    within = {budget: await bench.ask(case, limit=MOST, max_tokens=budget) for budget in BUDGETS}
    usual = await bench.ask(case, limit=USUAL)
    relevant = len(bench.relevant(case))
    errors = (answer.error for answer in (usual, *within.values()))
    return BudgetQuestion(
        case=case.name,
        budgets={budget: _yield(answer, relevant) for budget, answer in within.items()},
        usual=_yield(usual, relevant),
        full_tokens=sum(count_tokens(memory.text) for memory in bench.among(case)),
        error=next((error for error in errors if error), None),
    )


def _yield(answer: RecallAnswer, relevant: int) -> RecallYield:
    return RecallYield(
        found=round(len(answer.ranks) / relevant, 4),
        tokens=answer.tokens,
        memories=len(answer.memories),
    )


def _point(yields: Sequence[RecallYield], seed: int) -> Point:
    shares = [100 * each.found for each in yields]
    return Point(
        found=mean(shares),
        tokens=round(fmean(each.tokens for each in yields), 1),
        memories=round(fmean(each.memories for each in yields), 1),
        interval=interval(shares, seed),
    )


def draw(report: CurveReport, path: Path) -> None:
    """Write the curve as an SVG, beside 20 memories and the whole; needs matplotlib."""
    import matplotlib as mpl  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
    from matplotlib.figure import (  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        Figure,
    )

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot(xscale="log", ylim=(0, 104))
    _frame(axes, report)
    _curve(axes, report)
    _comparison(axes, report)
    with mpl.rc_context({"svg.hashsalt": "mem-mcp"}):  # the same report gives the same file
        figure.savefig(path, format="svg", metadata={"Date": None})


def _frame(axes: Any, report: CurveReport) -> None:  # noqa: ANN401 - matplotlib is optional
    ticks = [*report.budgets, round(report.full_tokens)]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.set_xlim(min(ticks) * 0.8, max(ticks) * 1.6)
    axes.minorticks_off()
    axes.set_xlabel("tokens allowed (95 % interval shaded)")
    axes.set_ylabel("evidence found, percent")
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes: Any, report: CurveReport) -> None:  # noqa: ANN401
    budgets, points = list(report.budgets), report.budgets.values()
    low, high = zip(*(point.interval for point in points), strict=True)
    axes.fill_between(budgets, low, high, color=_INK, alpha=0.15, linewidth=0)
    axes.plot(budgets, [point.found for point in points], "o-", color=_INK)
    for budget, point in report.budgets.items():
        place = (budget, point.found)
        axes.annotate(f"{point.found:.1f}", place, (0, -12), ha="center", color=_INK, **_BELOW)


def _comparison(axes: Any, report: CurveReport) -> None:  # noqa: ANN401
    whole, usual = report.full_tokens, report.usual
    axes.axhline(usual.found, color=_PALE, linestyle="--", linewidth=1, zorder=0)
    label = f"{USUAL} memories ({usual.tokens:,.0f} tokens): {usual.found:.1f}"
    axes.annotate(label, (whole * 1.5, usual.found), (0, -4), ha="right", color=_PALE, **_BELOW)
    axes.plot([whole], [100], "s", color=_PALE)
    name = "whole\nconversation"
    axes.annotate(name, (whole, 100), (0, -9), ha="center", color=_PALE, **_BELOW)
