"""How much of the evidence fits into how many tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

from mem_mcp.api.models import Model
from mem_mcp.evaluation.datasets.dataset import Case
from mem_mcp.evaluation.harness import Answer, Bench
from mem_mcp.evaluation.metrics import bootstrap_interval
from mem_mcp.evaluation.page import Page
from mem_mcp.evaluation.report import Report, Row
from mem_mcp.text import count_tokens

BUDGETS = (250, 500, 1_000, 2_000, 4_000, 8_000)
MOST = 200
"""Memories asked for within a budget: as many as recall allows."""
USUAL = 20
"""Memories whose find the budgets are held against."""
BAR = (1_000, 80)
"""Tokens within which so many percent of what the usual number finds are to be found."""


class Spent(Model):
    """What one recall found, as a share, for how many tokens and memories."""

    found: float = 0.0
    tokens: float = 0.0
    memories: float = 0.0


class Traced(Row):
    """One question; a failed one found nothing."""

    budgets: dict[int, Spent]
    usual: Spent
    full_tokens: int


class Point(Spent):
    """Means over questions, `found` in percent."""

    interval: tuple[float, float]
    """95 % bootstrap interval of what was found."""


class CurveReport(Report):
    """The share of the evidence that is found within a budget of tokens."""

    budgets: dict[int, Point]
    usual: Point
    """With 20 memories and no budget."""
    full_tokens: float
    """Mean tokens of a whole conversation."""
    rows: Sequence[Traced]

    @property
    def reached(self) -> float:
        """The share, in percent, of the usual find that the bar's budget finds."""
        return 100 * self.budgets[BAR[0]].found / self.usual.found if self.usual.found else 0.0

    def page(self) -> Page:
        """Return what is shown of it."""
        table = [
            ["tokens allowed", "evidence found", "95 % interval", "tokens used", "memories"],
            *([f"{budget:,}", *_cells(point)] for budget, point in self.budgets.items()),
            [f"{USUAL} memories", *_cells(self.usual)],
            ["whole conversation", "100.0", "", f"{self.full_tokens:,.0f}", ""],
        ]
        return Page(self.title, [table], list(self._notes()))

    def _notes(self) -> Iterator[str]:
        tokens, bar = BAR
        yield (
            f"within {tokens:,} tokens {self.reached:.1f} % of what {USUAL} memories find is found "
            f"(to be reached: {bar} %)"
        )
        yield from self.origin()


async def curve(bench: Bench, **ran: Any) -> CurveReport:  # noqa: ANN401 - a report's fields
    """Ask every question once a budget, and once without.

    Args:
        bench: what to ask.
        ran: what the report says of the run.
    """
    rows = [await _ask(bench, case) for case in bench.dataset.cases]
    return CurveReport(
        **ran,
        rows=rows,
        budgets={each: _mean([row.budgets[each] for row in rows], bench.seed) for each in BUDGETS},
        usual=_mean([row.usual for row in rows], bench.seed),
        full_tokens=round(fmean(row.full_tokens for row in rows), 1),
    )


async def _ask(bench: Bench, case: Case) -> Traced:
    within = {each: await bench.ask(case, limit=MOST, max_tokens=each) for each in BUDGETS}
    usual = await bench.ask(case, limit=USUAL)
    relevant = len(bench.relevant(case))
    return Traced(
        case=case.name,
        budgets={each: _spent(answer, relevant) for each, answer in within.items()},
        usual=_spent(usual, relevant),
        full_tokens=sum(count_tokens(one.text) for one in bench.among(case)),
        error=next((one.error for one in (usual, *within.values()) if one.error), None),
    )


def _spent(answer: Answer, relevant: int) -> Spent:
    return Spent(
        found=round(len(answer.ranks) / relevant, 4),
        tokens=answer.tokens,
        memories=len(answer.found),
    )


def _mean(each: Sequence[Spent], seed: int) -> Point:
    found = [100 * one.found for one in each]
    low, high = bootstrap_interval(found, seed=seed)
    return Point(
        found=round(fmean(found), 2),
        tokens=round(fmean(one.tokens for one in each), 1),
        memories=round(fmean(one.memories for one in each), 1),
        interval=(round(low, 2), round(high, 2)),
    )


def _cells(point: Point) -> list[str]:
    low, high = point.interval
    return [
        f"{point.found:.1f}",
        f"{low:.1f}-{high:.1f}",
        f"{point.tokens:,.0f}",
        f"{point.memories:.1f}",
    ]
