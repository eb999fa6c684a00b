"""The report of what a model learns from conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mem_mcp.api.models import LLMUsage, Model
from mem_mcp.evaluation.extraction.scores import Counts
from mem_mcp.evaluation.page import Page, Table
from mem_mcp.evaluation.report import Report, Row

_LEGEND = (
    "recall: expected changes that were made, with every word and the right target, of all "
    "expected; precision: the same, of all made; a memory that ends is a change, too",
    "forbidden: things that must not be stored, and were (lower is better); targets: expected "
    "changes that befell the right memory; dates: right ones, of the changes made for which one "
    "is expected; too many: cases that added more memories than wanted (lower is better)",
    "lost: expected facts that stand neither in a memory nor in a message that was kept as given",
    "a failed case misses all that is expected of it",
)


class Conversation(Row):
    """One case; a failed one was not read by the model."""

    category: str
    counts: Counts
    wrong: Sequence[str] = ()
    """What is not as expected."""
    degraded: Sequence[str] = ()
    """What `remember` says of it."""
    dropped: int = 0
    """Operations of the answer that did not count."""
    seconds: float | None = None
    """That `remember` took; None where it failed."""
    llm: LLMUsage | None = None


class Learnt(Model):
    """Shares of some cases in percent; None of what is not expected in any."""

    cases: int
    failed: int
    counts: Counts
    recall: float | None
    precision: float | None
    forbidden: float | None
    targets: float | None
    dates: float | None
    too_many: float | None
    lost: float | None


class Asked(Model):
    """What the model was asked for."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """Of the calls whose price is known; None where none is."""
    p50_seconds: float | None
    """Of a `remember`; None where each failed."""
    dropped: float | None
    """Percent of the answers of which something did not count; None where there is none."""


class ExtractionReport(Report):
    """What became of conversations, beside what should."""

    answers: str | None
    """File of the recorded answers; None where a model was asked."""
    answers_sha256: str | None
    overall: Learnt
    categories: dict[str, Learnt]
    asked: Asked
    rows: Sequence[Conversation]

    @property
    def title(self) -> str:
        """What was done, in short."""
        said = "recorded answers" if self.answers else self.settings["llm"]["model"]
        return f"{self.suite}: {len(self.rows):,} conversations, {said}, in percent"

    def page(self) -> Page:
        """Return what is shown of it."""
        return Page(self.title, [self._table()], list(self._notes()))

    def _table(self) -> Table:
        names = ["recall", "precision", "forbidden", "targets", "dates", "too many", "lost"]
        return [
            ["category", "cases", "failed", "expected", "made", *names],
            *([name, *_cells(each)] for name, each in self.categories.items()),
            ["all", *_cells(self.overall)],
        ]

    def _notes(self) -> Iterator[str]:
        yield from _LEGEND
        asked = self.asked
        cost = "unknown" if asked.cost_usd is None else f"${asked.cost_usd:.4f}"
        yield (
            f"model: {asked.calls:,} calls, {asked.input_tokens:,} tokens sent, "
            f"{asked.output_tokens:,} received, cost {cost}; remember: p50 "
            f"{_share(asked.p50_seconds, 3) or '-'} s; answers with dropped operations: "
            f"{_share(asked.dropped) or '-'} %"
        )
        yield from (f"{row.case}: {one}" for row in self.rows for one in row.wrong)
        yield from (f"degraded: {row.case}: {one}" for row in self.rows for one in row.degraded)
        data = self.data
        yield f"data: {data.file}, sha256 {data.sha256[:12]}; {data.memories} memories beforehand"
        if self.answers and self.answers_sha256:
            yield f"answers: {self.answers}, sha256 {self.answers_sha256[:12]}"
        _, *ran = self.origin()
        yield from ran


def learnt(rows: Sequence[Conversation]) -> Learnt:
    """Summarise rows; there must be at least one."""
    sums = sum((row.counts for row in rows), Counts())
    return Learnt(
        cases=len(rows),
        failed=sum(row.error is not None for row in rows),
        counts=sums,
        recall=_percent(sums.hits, sums.expected),
        precision=_percent(sums.hits, sums.made),
        forbidden=_percent(sums.stored, sums.forbidden),
        targets=_percent(sums.targets, sums.targeted),
        dates=_percent(sums.dates, sums.dated),
        too_many=_percent(sums.too_many, len(rows)),
        lost=_percent(sums.lost, sums.expected),
    )


def by_category(rows: Sequence[Conversation]) -> dict[str, Learnt]:
    """Summarise the rows of each category, in alphabetical order."""
    names = sorted({row.category for row in rows})
    return {name: learnt([row for row in rows if row.category == name]) for name in names}


def asked(rows: Sequence[Conversation]) -> Asked:
    """Sum up what the model was asked for."""
    used = [row.llm for row in rows if row.llm]
    costs = [one.cost_usd for one in used if one.cost_usd is not None]
    seconds = sorted(row.seconds for row in rows if row.seconds is not None)
    read = [row for row in rows if row.error is None]
    return Asked(
        calls=sum(one.calls for one in used),
        input_tokens=sum(one.input_tokens for one in used),
        output_tokens=sum(one.output_tokens for one in used),
        cost_usd=sum(costs) if costs else None,
        p50_seconds=round(seconds[len(seconds) // 2], 4) if seconds else None,
        dropped=_percent(sum(row.dropped > 0 for row in read), len(read)),
    )


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def _cells(each: Learnt) -> list[str]:
    shares = (
        each.recall, each.precision, each.forbidden, each.targets, each.dates, each.too_many,
        each.lost,
    )  # fmt: skip
    counted = (each.cases, each.failed, each.counts.expected, each.counts.made)
    return [*map(str, counted), *map(_share, shares)]


def _share(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"
