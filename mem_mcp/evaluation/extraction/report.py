"""The report of what a model learns from conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mem_mcp.api.models import LLMUsage, Model
from mem_mcp.evaluation.extraction.scores import ChangeCounts
from mem_mcp.evaluation.report import Report, Row
from mem_mcp.evaluation.tables import DECIMAL, Column, Table, table


class ScoredConversation(Row):
    """One case; a failed one was not read by the model."""

    category: str
    counts: ChangeCounts
    wrong: Sequence[str] = ()
    """What differs from the expected."""
    degraded: Sequence[str] = ()
    """The notes of `remember`."""
    dropped: int = 0
    """Operations of the answer that did not count."""
    seconds: float | None = None
    """Time that `remember` took; None where it failed."""
    llm: LLMUsage | None = None


class ExtractionFigures(Model):
    """Shares over some cases in percent; None where no case expects any."""

    cases: int
    failed: int
    counts: ChangeCounts
    recall: float | None
    precision: float | None
    forbidden: float | None
    targets: float | None
    dates: float | None
    too_many: float | None


class ModelWork(Model):
    """What the model did, and how long it took."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """Of the calls whose price is known; None where none is."""
    p50_seconds: float | None
    """Of a `remember`; None where each failed."""
    dropped: float | None
    """Percent of the answers of which something did not count; None where there is none."""


_COLUMNS: Sequence[Column[ExtractionFigures]] = (
    Column("cases", lambda figures: figures.cases),
    Column("failed", lambda figures: figures.failed),
    Column("expected", lambda figures: figures.counts.expected),
    Column("made", lambda figures: figures.counts.made),
    Column("recall", lambda figures: figures.recall, DECIMAL),
    Column("precision", lambda figures: figures.precision, DECIMAL),
    Column("forbidden", lambda figures: figures.forbidden, DECIMAL),
    Column("targets", lambda figures: figures.targets, DECIMAL),
    Column("dates", lambda figures: figures.dates, DECIMAL),
    Column("too many", lambda figures: figures.too_many, DECIMAL),
)


class ExtractionReport(Report):
    """The changes that conversations made, beside those that they should make."""

    answers: str | None
    """File of the recorded answers; None where a model was asked."""
    answers_sha256: str | None
    overall: ExtractionFigures
    categories: dict[str, ExtractionFigures]
    asked: ModelWork
    rows: Sequence[ScoredConversation]

    @property
    def title(self) -> str:
        """What was done, in short."""
        model = "recorded answers" if self.answers else self.settings["llm"]["model"]
        return f"{self.suite}: {len(self.rows):,} conversations, {model}, in percent"

    def tables(self) -> list[Table]:
        """Return the figures of each category and of all."""
        return [table("category", [*self.categories.items(), ("all", self.overall)], _COLUMNS)]

    def legend(self) -> Iterator[str]:
        """Explain the columns, say what the model did, and list what differs case by case."""
        yield (
            "recall: expected changes that were made, with every word and the right target, of all "
            "expected; precision: the same, of all made; a memory that ends is a change, too"
        )
        yield (
            "forbidden: things that must not be stored, and were (lower is better); targets: "
            "expected changes that befell the right memory; dates: right ones, of the changes made "
            "for which one is expected; too many: cases that added more memories than wanted "
            "(lower is better)"
        )
        yield "a failed case misses all that is expected of it"
        asked = self.asked
        cost = "unknown" if asked.cost_usd is None else f"${asked.cost_usd:.4f}"
        seconds = "-" if asked.p50_seconds is None else f"{asked.p50_seconds:.3f}"
        dropped = "-" if asked.dropped is None else f"{asked.dropped:.1f}"
        yield (
            f"model: {asked.calls:,} calls, {asked.input_tokens:,} tokens sent, "
            f"{asked.output_tokens:,} received, cost {cost}; remember: p50 {seconds} s; answers "
            f"with dropped operations: {dropped} %"
        )
        yield from (f"{row.case}: {each}" for row in self.rows for each in row.wrong)
        yield from (f"degraded: {row.case}: {note}" for row in self.rows for note in row.degraded)

    def data_notes(self) -> Iterator[str]:
        """Yield the notes on the conversations and on the recorded answers."""
        data = self.data
        yield f"data: {data.file}, sha256 {data.sha256[:12]}; {data.memories} memories beforehand"
        if self.answers and self.answers_sha256:
            yield f"answers: {self.answers}, sha256 {self.answers_sha256[:12]}"


def summary(rows: Sequence[ScoredConversation]) -> dict[str, Any]:
    """Return the fields of an `ExtractionReport` that sum its rows up; there must be a row."""
    names = sorted({row.category for row in rows})
    by_category = {name: [row for row in rows if row.category == name] for name in names}
    return {
        "overall": _figures(rows),
        "categories": {name: _figures(each) for name, each in by_category.items()},
        "asked": _work(rows),
        "rows": rows,
    }


def _figures(rows: Sequence[ScoredConversation]) -> ExtractionFigures:
    sums = sum((row.counts for row in rows), ChangeCounts())
    return ExtractionFigures(
        cases=len(rows),
        failed=sum(row.error is not None for row in rows),
        counts=sums,
        recall=_percent(sums.hits, sums.expected),
        precision=_percent(sums.hits, sums.made),
        forbidden=_percent(sums.stored, sums.forbidden),
        targets=_percent(sums.targets, sums.targeted),
        dates=_percent(sums.dates, sums.dated),
        too_many=_percent(sums.too_many, len(rows)),
    )


def _work(rows: Sequence[ScoredConversation]) -> ModelWork:
    used = [row.llm for row in rows if row.llm]
    costs = [each.cost_usd for each in used if each.cost_usd is not None]
    seconds = sorted(row.seconds for row in rows if row.seconds is not None)
    read = [row for row in rows if row.error is None]
    return ModelWork(
        calls=sum(each.calls for each in used),
        input_tokens=sum(each.input_tokens for each in used),
        output_tokens=sum(each.output_tokens for each in used),
        cost_usd=sum(costs) if costs else None,
        p50_seconds=round(seconds[len(seconds) // 2], 4) if seconds else None,
        dropped=_percent(sum(row.dropped > 0 for row in read), len(read)),
    )


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None
