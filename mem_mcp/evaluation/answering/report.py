"""The report of how well questions are answered from what each arm shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from statistics import fmean

from mem_mcp.api.models import Model
from mem_mcp.evaluation.answering.contexts import Arm
from mem_mcp.evaluation.answering.scores import Scores
from mem_mcp.evaluation.datasets.locomo import ADVERSARIAL
from mem_mcp.evaluation.metrics import bootstrap_interval
from mem_mcp.evaluation.page import Page, Table
from mem_mcp.evaluation.report import Report, Row
from mem_mcp.evaluation.retrieval.evidence_report import Timing, timing
from mem_mcp.llm import Usage

_LEGEND = (
    "judged: answers that the same model, asked to judge, calls right; F1, BLEU-1 and exact match "
    "are with the file's own answer, as LoCoMo's code scores (adversarial: whether the answer says "
    "that it is not mentioned)",
    "a failed question is wrong; an unjudged one has no verdict and does not count in judged",
    "tokens and seconds: of one answer, recall included and the judge not; cost: of all answers",
)


class Answered(Row):
    """One question, from what one arm shows; a failed one has no answer."""

    arm: Arm
    category: str
    question: str
    right: str
    given: str = ""
    scores: Scores = Scores()
    correct: bool | None = False
    """What the judge found; None without a verdict."""
    reason: str = ""
    """Why, in the judge's words; or why there is no verdict."""
    turns: int
    """That were shown."""
    left_out: int
    """Turns of the conversation that the model's window does not hold."""
    milliseconds: float | None = None
    """That recall and model took."""
    asked: Usage = Usage()
    """For the answer."""
    judged: Usage = Usage()
    """For the verdict."""


class Figures(Model):
    """Means over questions; a failed one scores nothing."""

    questions: int
    failed: int
    unjudged: int
    accuracy: float | None
    """Percent judged right; None without any verdict."""
    interval: tuple[float, float] | None
    """95 % bootstrap interval of it."""
    f1: float
    bleu1: float
    exact: float
    """In percent, as the two above."""
    turns: float
    input_tokens: float
    output_tokens: float
    """Of those that did not fail, as the two above."""
    timing: Timing
    cost_usd: float | None
    """Of all that was asked; None where no price is known."""


class AnsweringReport(Report):
    """How well the questions were answered."""

    limit: int
    """Turns that `memory` recalls at most."""
    max_tokens: int
    """Tokens that they have at most."""
    window: int | None
    """Tokens that the model reads; None where that is not known."""
    figures: dict[str, dict[Arm, Figures]]
    """By group of questions and arm."""
    judge: Usage
    rows: Sequence[Answered]

    @property
    def title(self) -> str:
        """What was done, in short."""
        count = len({row.case for row in self.rows})
        return (
            f"{self.suite}: {count:,} questions about {self.data.memories:,} turns, answered and "
            f"judged by {self.settings['llm']['model']}, in percent"
        )

    def page(self) -> Page:
        """Return what is shown of it."""
        tables = [_table(name, arms) for name, arms in self.figures.items()]
        return Page(self.title, tables, list(self._notes()))

    def _notes(self) -> Iterator[str]:
        yield (
            f"memory: recall of at most {self.limit} turns and {self.max_tokens:,} tokens; plain: "
            "as many turns, the nearest by the cosine of their embeddings; full: the whole "
            "conversation"
        )
        yield from _LEGEND
        judge = self.judge
        yield (
            f"judge: {judge.calls:,} calls, {judge.input_tokens:,} tokens sent, "
            f"{judge.output_tokens:,} received, cost {_dollars(judge.cost_usd)}"
        )
        if cut := [row.left_out for row in self.rows if row.left_out]:
            yield (
                f"full: {len(cut):,} questions were shown only the latest turns, as their "
                f"conversation is longer than the model's window of {self.window:,} tokens; at "
                f"most {max(cut):,} turns were left out"
            )
        yield from islice(self.origin(), 2)
        for row in self.rows:
            if row.error:
                yield f"failed: {row.case}, {row.arm}: {row.error}"
            elif row.correct is None:
                yield f"unjudged: {row.case}, {row.arm}: {row.reason}"


def by_group(rows: Sequence[Answered], seed: int) -> dict[str, dict[Arm, Figures]]:
    """Summarise all, all but the adversarial, and each category in alphabetical order."""
    names = sorted({row.category for row in rows})
    groups: dict[str, Sequence[Answered]] = {"all": rows}
    if ADVERSARIAL in names and len(names) > 1:
        groups["all but adversarial"] = [row for row in rows if row.category != ADVERSARIAL]
    for name in names:
        groups[name] = [row for row in rows if row.category == name]
    arms = list(dict.fromkeys(row.arm for row in rows))
    return {
        name: {arm: figures([row for row in group if row.arm == arm], seed) for arm in arms}
        for name, group in groups.items()
    }


def figures(rows: Sequence[Answered], seed: int) -> Figures:
    """Summarise rows; there must be at least one."""
    done = [row for row in rows if row.error is None]
    verdicts = [100.0 * row.correct for row in rows if row.correct is not None]
    low, high = bootstrap_interval(verdicts, seed=seed) if verdicts else (0.0, 0.0)
    return Figures(
        questions=len(rows),
        failed=len(rows) - len(done),
        unjudged=len(rows) - len(verdicts),
        accuracy=_mean(verdicts) if verdicts else None,
        interval=(round(low, 2), round(high, 2)) if verdicts else None,
        f1=_mean([100 * row.scores.f1 for row in rows]),
        bleu1=_mean([100 * row.scores.bleu1 for row in rows]),
        exact=_mean([100 * row.scores.exact for row in rows]),
        turns=_mean([row.turns for row in done]),
        input_tokens=_mean([row.asked.input_tokens for row in done]),
        output_tokens=_mean([row.asked.output_tokens for row in done]),
        timing=timing([row.milliseconds for row in done if row.milliseconds is not None]),
        cost_usd=sum((row.asked for row in rows), Usage()).cost_usd,
    )


def _mean(values: Sequence[float]) -> float:
    return round(fmean(values), 2) if values else 0.0


def _table(name: str, arms: Mapping[Arm, Figures]) -> Table:
    scored = ["judged", "95 % interval", "F1", "BLEU-1", "exact"]
    spent = ["turns", "tokens in", "tokens out", "p50 s", "p95 s", "cost"]
    return [
        [name, "questions", "failed", "unjudged", *scored, *spent],
        *([arm, *_cells(each)] for arm, each in arms.items()),
    ]


def _cells(each: Figures) -> list[str]:
    counted = (each.questions, each.failed, each.unjudged)
    times = (each.timing.p50_ms, each.timing.p95_ms)
    return [
        *(f"{count:,}" for count in counted),
        "-" if each.accuracy is None else f"{each.accuracy:.1f}",
        "-" if each.interval is None else "{:.1f}-{:.1f}".format(*each.interval),
        *(f"{score:.1f}" for score in (each.f1, each.bleu1, each.exact)),
        f"{each.turns:.1f}",
        *(f"{tokens:,.0f}" for tokens in (each.input_tokens, each.output_tokens)),
        *("-" if one is None else f"{one / 1_000:.2f}" for one in times),
        _dollars(each.cost_usd),
    ]


def _dollars(cost: float | None) -> str:
    return "unknown" if cost is None else f"${cost:.4f}"
