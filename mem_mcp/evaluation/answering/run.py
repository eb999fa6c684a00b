"""How well a model answers questions from recalled turns, from plain retrieval and from all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
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
from mem_mcp.evaluation.report import (
    Column,
    Report,
    Row,
    Table,
    by_category,
    dollars,
    table,
    usage_note,
)
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
    Column("questions", lambda arm: arm.questions, ",.0f"),
    Column("failed", lambda arm: arm.failed, ",.0f"),
    Column("unjudged", lambda arm: arm.unjudged, ",.0f"),
    Column("judged", lambda arm: arm.accuracy, ".1f", "-"),
    Column("95 % interval", lambda arm: arm.interval, ".1f", "-"),
    Column("F1", lambda arm: arm.f1, ".1f"),
    Column("BLEU-1", lambda arm: arm.bleu1, ".1f"),
    Column("exact", lambda arm: arm.exact, ".1f"),
    Column("turns", lambda arm: arm.turns, ".1f"),
    Column("tokens in", lambda arm: arm.input_tokens, ",.0f"),
    Column("tokens out", lambda arm: arm.output_tokens, ",.0f"),
    Column("p50 s", lambda arm: _seconds(arm.timing.p50_ms), ".2f", "-"),
    Column("p95 s", lambda arm: _seconds(arm.timing.p95_ms), ".2f", "-"),
    Column("cost", lambda arm: dollars(arm.cost_usd)),
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

    def _tables(self) -> list[Table]:
        return [table(name, arms.items(), _COLUMNS) for name, arms in self.figures.items()]

    def _legend(self) -> Iterator[str]:
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
        yield f"judge: {usage_note(self.judge)}"
        if cut := [row.left_out for row in self.rows if row.left_out]:
            yield (
                f"full: {len(cut):,} questions were shown only the latest turns, as their "
                f"conversation is longer than the model's window of {self.window:,} tokens; at "
                f"most {max(cut):,} turns were left out"
            )

    def _failures(self) -> Iterator[str]:
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
    async with aclosing(Gateway(llm.model_copy(update={"deadline_seconds": _DEADLINE}))) as gateway:
        window = ModelWindow(gateway, await gateway.context_window(), llm.max_output_tokens)
        every = [context async for context in contexts(bench, window)]
        model = _PatientModel(gateway, llm.concurrency)
        rows = await asyncio.gather(*(_row(bench, model, context) for context in every))
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
    """The model, with as many requests at once as the settings allow; waits while it is down."""

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


async def _row(bench: Bench, model: _PatientModel, context: AnswerContext) -> AnsweredQuestion:
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
    update = {} if context.error else await _answered(model, context)
    bench.advance()
    return row.model_copy(update=update)


async def _answered(model: _PatientModel, context: AnswerContext) -> dict[str, Any]:
    """Return the fields of a row that hold the answer and its judgement."""
    case, question = context.case, context.case.arguments["query"]
    reply, reply_usage = await model.ask(answer_messages(question, context.turns), Reply)
    if isinstance(reply, LLMError):
        return {"error": described(reply), "asked": reply_usage}
    messages = judge_messages(question, case.right, reply.answer)
    verdict, verdict_usage = await model.ask(messages, Verdict)
    return {
        "given": reply.answer,
        "scores": scores(case.category, reply.answer, case.right),
        "milliseconds": round(context.milliseconds + 1_000 * reply_usage.seconds, 2),
        "asked": reply_usage,
        "judged": verdict_usage,
        "correct": verdict.verdict == "CORRECT" if isinstance(verdict, Verdict) else None,
        "reason": verdict.reason if isinstance(verdict, Verdict) else described(verdict),
    }


def _by_group(rows: Sequence[AnsweredQuestion], seed: int) -> dict[str, dict[Arm, AnswerFigures]]:
    """Summarise all rows, all but the adversarial, and those of each category."""
    categories = by_category(rows, lambda row: row.category)
    groups: dict[str, Sequence[AnsweredQuestion]] = {"all": rows}
    if ADVERSARIAL in categories and len(categories) > 1:
        groups["all but adversarial"] = [row for row in rows if row.category != ADVERSARIAL]
    arms = list(dict.fromkeys(row.arm for row in rows))
    return {
        name: {arm: _figures([row for row in group if row.arm == arm], seed) for arm in arms}
        for name, group in (groups | categories).items()
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
