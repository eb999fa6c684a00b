"""The report of what a model learns from conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mem_mcp.api.models import LLMUsage, Model
from mem_mcp.evaluation.extraction.scores import ChangeCounts
from mem_mcp.evaluation.report import Column, Report, Row, Table, by_category, table, usage_note
from mem_mcp.llm import Usage


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
    lost: float | None


class ModelWork(LLMUsage):
    """What the model was asked for, and how that went."""

    p50_seconds: float | None
    """Median time of a `remember`; None where all failed."""
    dropped: float | None
    """Percent of the answers with an operation that did not count; None without answers."""


_COLUMNS: Sequence[Column[ExtractionFigures]] = (
    Column("cases", lambda figures: figures.cases),
    Column("failed", lambda figures: figures.failed),
    Column("expected", lambda figures: figures.counts.expected),
    Column("made", lambda figures: figures.counts.made),
    Column("recall", lambda figures: figures.recall, ".1f"),
    Column("precision", lambda figures: figures.precision, ".1f"),
    Column("forbidden", lambda figures: figures.forbidden, ".1f"),
    Column("targets", lambda figures: figures.targets, ".1f"),
    Column("dates", lambda figures: figures.dates, ".1f"),
    Column("too many", lambda figures: figures.too_many, ".1f"),
    Column("lost", lambda figures: figures.lost, ".1f"),
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

    def _tables(self) -> list[Table]:
        return [table("category", [*self.categories.items(), ("all", self.overall)], _COLUMNS)]

    def _legend(self) -> Iterator[str]:
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
        yield (
            "lost: expected facts that stand neither in a memory nor in a message that was kept as "
            "given (lower is better)"
        )
        yield "a failed case misses all that is expected of it"
        work = self.asked
        seconds = "-" if work.p50_seconds is None else f"{work.p50_seconds:.3f}"
        dropped = "-" if work.dropped is None else f"{work.dropped:.1f}"
        yield (
            f"model: {usage_note(work)}; remember: p50 {seconds} s; answers with dropped "
            f"operations: {dropped} %"
        )
        yield from (f"{row.case}: {each}" for row in self.rows for each in row.wrong)
        yield from (f"degraded: {row.case}: {note}" for row in self.rows for note in row.degraded)

    def _data_notes(self) -> Iterator[str]:
        data = self.data
        yield f"data: {data.file}, sha256 {data.sha256[:12]}; {data.memories} memories beforehand"
        if self.answers and self.answers_sha256:
            yield f"answers: {self.answers}, sha256 {self.answers_sha256[:12]}"


def summary(rows: Sequence[ScoredConversation]) -> dict[str, Any]:
    """Return the fields of an `ExtractionReport` that sum its rows up; there must be a row."""
    categories = by_category(rows, lambda row: row.category).items()
    return {
        "overall": _figures(rows),
        "categories": {name: _figures(each) for name, each in categories},
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
        lost=_percent(sums.lost, sums.expected),
    )


def _work(rows: Sequence[ScoredConversation]) -> ModelWork:
    usage = sum((Usage(**row.llm.model_dump()) for row in rows if row.llm), Usage())
    seconds = sorted(row.seconds for row in rows if row.seconds is not None)
    answered = [row for row in rows if row.error is None]
    return ModelWork(
        calls=usage.calls,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
        p50_seconds=round(seconds[len(seconds) // 2], 4) if seconds else None,
        dropped=_percent(sum(row.dropped > 0 for row in answered), len(answered)),
    )


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None
