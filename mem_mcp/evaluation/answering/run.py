"""How well a model answers questions from what recall, or something simpler, shows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from mem_mcp.api.models import Model
from mem_mcp.errors import LLMError, LLMUnavailable
from mem_mcp.evaluation.answering.contexts import (
    LIMIT,
    MAX_TOKENS,
    AnswerContext,
    Arm,
    ModelWindow,
    contexts,
)
from mem_mcp.evaluation.answering.prompts import Reply, Verdict, answer_messages, judge_messages
from mem_mcp.evaluation.answering.scores import Scores, scores
from mem_mcp.evaluation.datasets.locomo import ADVERSARIAL
from mem_mcp.evaluation.harness import Bench, described
from mem_mcp.evaluation.metrics import Interval, Timing, interval, mean, timing
from mem_mcp.evaluation.report import Report, Row
from mem_mcp.evaluation.tables import COUNT, DECIMAL, RANGE, Column, Table, table
from mem_mcp.llm import Gateway, Usage, rate_limits

PATIENCE = 300.0
"""Seconds for which a model that stopped answering is tried again."""
_DEADLINE = 3_600.0
"""Seconds of a question: it waits for its turn and for the pace that the settings allow."""
T = TypeVar("T", bound=BaseModel)


class AnsweredQuestion(Row):
    """One question, answered from the context of one arm; a failed one has no answer."""

    arm: Arm
    category: str
    question: str
    right: str
    given: str = ""
    scores: Scores = Scores()
    correct: bool | None = False
    """The judge's verdict; None if there is none."""
    reason: str = ""
    """Why, in the judge's words; or why there is no verdict."""
    turns: int
    """Turns that were shown."""
    left_out: int
    """Turns of the conversation that the model's window does not hold."""
    milliseconds: float | None = None
    """Time that recall and model took."""
    asked: Usage = Usage()
    """For the answer."""
    judged: Usage = Usage()
    """For the verdict."""


class AnswerFigures(Model):
    """Means over questions; a failed one scores nothing."""

    questions: int
    failed: int
    unjudged: int
    accuracy: float | None
    """Percent judged right; None without any verdict."""
    interval: Interval | None
    """95 % bootstrap interval of the accuracy."""
    f1: float
    bleu1: float
    exact: float
    """In percent, as the two above."""
    turns: float
    input_tokens: float
    output_tokens: float
    """Of the questions that did not fail, as the two above."""
    timing: Timing
    cost_usd: float | None
    """Of all answers; None where no price is known."""


_COLUMNS: Sequence[Column[AnswerFigures]] = (
    Column("questions", lambda arm: arm.questions, COUNT),
    Column("failed", lambda arm: arm.failed, COUNT),
    Column("unjudged", lambda arm: arm.unjudged, COUNT),
    Column("judged", lambda arm: arm.accuracy, DECIMAL, "-"),
    Column("95 % interval", lambda arm: arm.interval, RANGE, "-"),
    Column("F1", lambda arm: arm.f1, DECIMAL),
    Column("BLEU-1", lambda arm: arm.bleu1, DECIMAL),
    Column("exact", lambda arm: arm.exact, DECIMAL),
    Column("turns", lambda arm: arm.turns, DECIMAL),
    Column("tokens in", lambda arm: arm.input_tokens, COUNT),
    Column("tokens out", lambda arm: arm.output_tokens, COUNT),
    Column("p50 s", lambda arm: _seconds(arm.timing.p50_ms), "{:.2f}", "-"),
    Column("p95 s", lambda arm: _seconds(arm.timing.p95_ms), "{:.2f}", "-"),
    Column("cost", lambda arm: _dollars(arm.cost_usd)),
)


class AnsweringReport(Report):
    """How well the questions were answered."""

    limit: int
    """Turns that `memory` recalls at most."""
    max_tokens: int
    """Tokens that these turns have at most."""
    window: int | None
    """Tokens that the model reads; None where that is not known."""
    figures: dict[str, dict[Arm, AnswerFigures]]
    """By group of questions and arm."""
    judge: Usage
    rows: Sequence[AnsweredQuestion]

    @property
    def title(self) -> str:
        """What was done, in short."""
        count = len({row.case for row in self.rows})
        return (
            f"{self.suite}: {count:,} questions about {self.data.memories:,} turns, answered and "
            f"judged by {self.settings['llm']['model']}, in percent"
        )

    def tables(self) -> list[Table]:
        """Return the figures of each group of questions, arm by arm."""
        return [table(name, arms.items(), _COLUMNS) for name, arms in self.figures.items()]

    def legend(self) -> Iterator[str]:
        """Explain arms and scores, and say what judging cost and what was cut."""
        yield (
            f"memory: recall of at most {self.limit} turns and {self.max_tokens:,} tokens; plain: "
            "as many turns, the nearest by the cosine of their embeddings; full: the whole "
            "conversation"
        )
        yield (
            "judged: answers that the same model, asked to judge, calls right; F1, BLEU-1 and "
            "exact match are with the file's own answer, as LoCoMo's code scores (adversarial: "
            "whether the answer says that it is not mentioned)"
        )
        yield (
            "a failed question is wrong; an unjudged one has no verdict and does not count in "
            "judged"
        )
        yield (
            "tokens and seconds: of one answer, recall included and the judge not; cost: of all "
            "answers"
        )
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

    def failures(self) -> Iterator[str]:
        """Yield a note on each question that failed or has no verdict."""
        for row in self.rows:
            if row.error:
                yield f"failed: {row.case}, {row.arm}: {row.error}"
            elif row.correct is None:
                yield f"unjudged: {row.case}, {row.arm}: {row.reason}"


async def answering(bench: Bench) -> AnsweringReport:
    """Let the configured model answer every question, and judge the answers."""
    llm = bench.settings.llm
    # Each question is recalled once; then each arm answers it.
    bench.steps = bench.done + len(bench.dataset.cases) * (4 if bench.arms else 2)
    gateway = Gateway(llm.model_copy(update={"deadline_seconds": _DEADLINE}))
    try:
        window = ModelWindow(gateway, await gateway.context_window(), llm.max_output_tokens)
        shown = [context async for context in contexts(bench, window)]
        model = _PatientModel(gateway, llm.concurrency)
        rows = await asyncio.gather(*(_row(model, context, bench) for context in shown))
    finally:
        await gateway.aclose()
    return AnsweringReport(
        **bench.ran,
        limit=LIMIT,
        max_tokens=MAX_TOKENS,
        window=window.tokens,
        figures=_by_group(rows, bench.seed),
        judge=sum((row.judged for row in rows), Usage()),
        rows=rows,
    )


class _PatientModel:
    """The model: it answers as many requests at once as the settings allow, and may take breaks."""

    def __init__(self, gateway: Gateway, concurrency: int) -> None:
        self._gateway = gateway
        # A request that waits here has no deadline running yet.
        self._requests = asyncio.Semaphore(concurrency)
        self._answered = time.monotonic()

    async def ask(
        self, messages: Sequence[dict[str, Any]], answer: type[T]
    ) -> tuple[T | LLMError, Usage]:
        """Return an answer, or why there is none, and what the request cost."""
        async with self._requests:
            with self._gateway.turn() as turn:
                try:
                    return await self._complete(messages, answer), turn.usage
                except LLMError as error:
                    return error, turn.usage

    async def _complete(self, messages: Sequence[dict[str, Any]], answer: type[T]) -> T:
        while True:
            try:
                completion = await self._gateway.complete(messages, answer)
            except LLMUnavailable as error:
                # After a few failures the gateway refuses for a while; waiting saves the other
                # questions.
                if error.reason != "open" or time.monotonic() > self._answered + PATIENCE:
                    raise
                await asyncio.sleep(rate_limits.COOLDOWN)
            else:
                self._answered = time.monotonic()
                return completion.answer


async def _row(model: _PatientModel, context: AnswerContext, bench: Bench) -> AnsweredQuestion:
    row = await _answered(model, context)
    bench.advance()
    return row


async def _answered(model: _PatientModel, context: AnswerContext) -> AnsweredQuestion:
    """Answer a question and judge the answer; whatever fails becomes the row's error."""
    case, question = context.case, context.case.arguments["query"]
    row = AnsweredQuestion(
        case=case.name,
        error=context.error,
        arm=context.arm,
        category=case.category,
        question=question,
        right=case.right,
        turns=len(context.turns),
        left_out=context.left_out,
    )
    if context.error:
        return row
    reply, asked = await model.ask(answer_messages(question, context.turns), Reply)
    if isinstance(reply, LLMError):
        return row.model_copy(update={"error": described(reply), "asked": asked})
    messages = judge_messages(question, case.right, reply.answer)
    verdict, judged = await model.ask(messages, Verdict)
    update: dict[str, Any] = {
        "given": reply.answer,
        "scores": scores(case.category, reply.answer, case.right),
        "milliseconds": round(context.milliseconds + 1_000 * asked.seconds, 2),
        "asked": asked,
        "judged": judged,
    }
    if isinstance(verdict, LLMError):
        update |= {"correct": None, "reason": described(verdict)}
    else:
        update |= {"correct": verdict.verdict == "CORRECT", "reason": verdict.reason}
    return row.model_copy(update=update)


def _by_group(rows: Sequence[AnsweredQuestion], seed: int) -> dict[str, dict[Arm, AnswerFigures]]:
    """Summarise all, all but the adversarial, and each category in alphabetical order."""
    names = sorted({row.category for row in rows})
    groups: dict[str, Sequence[AnsweredQuestion]] = {"all": rows}
    if ADVERSARIAL in names and len(names) > 1:
        groups["all but adversarial"] = [row for row in rows if row.category != ADVERSARIAL]
    for name in names:
        groups[name] = [row for row in rows if row.category == name]
    arms = list(dict.fromkeys(row.arm for row in rows))
    return {
        name: {arm: _figures([row for row in group if row.arm == arm], seed) for arm in arms}
        for name, group in groups.items()
    }


def _figures(rows: Sequence[AnsweredQuestion], seed: int) -> AnswerFigures:
    answered = [row for row in rows if row.error is None]
    verdicts = [100.0 * row.correct for row in rows if row.correct is not None]
    milliseconds = [row.milliseconds for row in answered if row.milliseconds is not None]
    return AnswerFigures(
        questions=len(rows),
        failed=len(rows) - len(answered),
        unjudged=len(rows) - len(verdicts),
        accuracy=mean(verdicts) if verdicts else None,
        interval=interval(verdicts, seed) if verdicts else None,
        f1=mean([100 * row.scores.f1 for row in rows]),
        bleu1=mean([100 * row.scores.bleu1 for row in rows]),
        exact=mean([100 * row.scores.exact for row in rows]),
        turns=mean([row.turns for row in answered]),
        input_tokens=mean([row.asked.input_tokens for row in answered]),
        output_tokens=mean([row.asked.output_tokens for row in answered]),
        timing=timing(milliseconds),
        cost_usd=sum((row.asked for row in rows), Usage()).cost_usd,
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1_000


def _dollars(cost: float | None) -> str:
    return "unknown" if cost is None else f"${cost:.4f}"
