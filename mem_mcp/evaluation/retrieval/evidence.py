"""Suites that ask at which ranks the evidence of a question is found, by recall and by others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from statistics import fmean

from mem_mcp.api.models import Model
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.evaluation.baselines import LEGEND, Baselines
from mem_mcp.evaluation.datasets.dataset import Case
from mem_mcp.evaluation.harness import Bench
from mem_mcp.evaluation.metrics import (
    Gain,
    Interval,
    Timing,
    gain,
    interval,
    left_out_note,
    mean,
    measure,
    ranks_of,
    timing,
)
from mem_mcp.evaluation.report import Column, Report, Row, Table, by_category, line, table
from mem_mcp.text import count_tokens

LIMIT = 20
"""Memories that each recall asks for."""


class EvidenceQuestion(Row):
    """One question; a failed one found nothing."""

    category: str
    relevant: int
    ranks: tuple[int, ...] = ()
    """Ranks, from 1, of the relevant memories."""
    others: dict[str, tuple[int, ...]]
    """The same of the other rankings."""
    shown: int = LIMIT
    """How many of the returned ones are left where no min_score is given."""
    tokens: int = 0
    """Tokens of the memories that were returned."""
    full_tokens: int = 0
    """Tokens of all memories that could have been returned."""


class RankingFigures(Model):
    """Means over questions; for failed ones nothing was found."""

    cases: int
    failed: int
    metrics: dict[str, float]
    """In percent."""
    intervals: dict[str, Interval]
    """95 % bootstrap interval of each metric, in percent."""
    tokens: float
    full_tokens: float


class EvidenceReport(Report):
    """How well recall found the relevant memories."""

    limit: int
    """Memories that each recall asks for."""
    overall: RankingFigures
    categories: dict[str, RankingFigures]
    others: dict[str, dict[str, float]]
    """The metrics of the other rankings, in percent; empty if they were not wanted."""
    gains: dict[str, Gain]
    """By metric: how much better ours is than the best of the others."""
    timing: Timing
    rows: Sequence[EvidenceQuestion]

    def _tables(self) -> list[Table]:
        return [self._categories(), *([self._rankings()] if self.others else [])]

    def _legend(self) -> Iterator[str]:
        overall = self.overall
        share = 100 * overall.tokens / overall.full_tokens if overall.full_tokens else 0
        if self.others:
            yield LEGEND
        yield (
            f"tokens: {overall.tokens:,.0f} in the {self.limit} memories returned, "
            f"{overall.full_tokens:,.0f} in the whole ({share:.1f} %)"
        )
        yield left_out_note([(row.ranks, row.shown, row.relevant) for row in self.rows])
        yield f"recall: p50 {self.timing.p50_ms} ms, p95 {self.timing.p95_ms} ms"

    def _categories(self) -> Table:
        categories = self.categories if len(self.categories) > 1 else {}
        columns: list[Column[RankingFigures]] = [
            Column("questions", lambda figures: figures.cases, ",.0f"),
            *(Column(name, _metric(name), ".1f") for name in self.overall.metrics),
            Column("tokens", lambda figures: figures.tokens, ",.0f"),
        ]
        intervals = line("95 % interval", self.overall.intervals.values(), ".1f")
        intervals = [intervals[0], "", *intervals[1:], ""]
        return [
            *table("category", [*categories.items(), ("all", self.overall)], columns),
            intervals,
        ]

    def _rankings(self) -> Table:
        gains = self.gains.values()
        rankings = {**self.others, "ours": self.overall.metrics}
        return [
            ["ranking", *self.overall.metrics],
            *(line(name, metrics.values(), ".1f") for name, metrics in rankings.items()),
            ["best other", *(each.over for each in gains)],
            line("ours - best other", (each.points for each in gains), "+.1f"),
            line("95 % interval", (each.interval for each in gains), "+.1f"),
        ]


async def find_evidence(bench: Bench, metrics: Sequence[str]) -> EvidenceReport:
    """Ask every question once, and rank its candidates by the other rankings, too.

    Args:
        bench: the memory to ask.
        metrics: names of the metrics.
    """
    with closing(BundledEmbedder()) as embedder:
        baselines = Baselines(embedder) if bench.arms else None
        answers = [await _ask(bench, case, baselines) for case in bench.dataset.cases]
    rows, seed = [row for row, _ in answers], bench.seed
    categories = by_category(rows, lambda row: row.category).items()
    return EvidenceReport(
        **bench.ran,
        rows=rows,
        limit=LIMIT,
        overall=figures(rows, metrics, seed),
        categories={name: figures(each, metrics, seed) for name, each in categories},
        others={
            ranking: {name: mean(_values(rows, name, ranking)) for name in metrics}
            for ranking in rows[0].others
        },
        gains={name: gain_of(rows, name, seed) for name in metrics} if bench.arms else {},
        timing=timing([milliseconds for row, milliseconds in answers if row.error is None]),
    )


async def _ask(
    bench: Bench, case: Case, baselines: Baselines | None
) -> tuple[EvidenceQuestion, float]:
    """Return the row of a question, and how many milliseconds its answer took."""
    answer = await bench.ask(case, limit=LIMIT)
    relevant, among = bench.relevant(case), bench.among(case)
    query = case.arguments["query"]
    orders = await baselines.orders(query, among, LIMIT) if baselines else {}
    row = EvidenceQuestion(
        case=case.name,
        category=case.category,
        relevant=len(relevant),
        ranks=answer.ranks,
        shown=answer.shown,
        others={name: tuple(ranks_of(ids, relevant)) for name, ids in orders.items()},
        tokens=answer.tokens,
        full_tokens=sum(count_tokens(memory.text) for memory in among),
        error=answer.error,
    )
    return row, answer.milliseconds


def figures(rows: Sequence[EvidenceQuestion], metrics: Sequence[str], seed: int) -> RankingFigures:
    """Summarise rows; there must be at least one."""
    values = {name: _values(rows, name) for name in metrics}
    return RankingFigures(
        cases=len(rows),
        failed=sum(row.error is not None for row in rows),
        metrics={name: mean(each) for name, each in values.items()},
        intervals={name: interval(each, seed) for name, each in values.items()},
        tokens=round(fmean(row.tokens for row in rows), 1),
        full_tokens=round(fmean(row.full_tokens for row in rows), 1),
    )


def gain_of(rows: Sequence[EvidenceQuestion], metric: str, seed: int) -> Gain:
    """Compare ours with the best of the other rankings, question by question."""
    others = {name: _values(rows, metric, name) for name in rows[0].others}
    best = max(others, key=lambda name: fmean(others[name]))
    pairs = zip(_values(rows, metric), others[best], strict=True)
    return gain(best, [ours - theirs for ours, theirs in pairs], seed)


def _values(rows: Sequence[EvidenceQuestion], metric: str, ranking: str = "") -> list[float]:
    """Return a metric of each row in percent, ours or that of another ranking."""
    return [
        100 * measure(metric, row.others[ranking] if ranking else row.ranks, row.relevant)
        for row in rows
    ]


def _metric(name: str) -> Callable[[RankingFigures], float]:
    return lambda figures: figures.metrics[name]
