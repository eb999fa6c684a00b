"""How well a model answers questions from what recall, or something simpler, shows it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from mem_mcp.errors import LLMError, LLMUnavailable
from mem_mcp.evaluation.answering.contexts import LIMIT, MAX_TOKENS, Shown, Window, shown
from mem_mcp.evaluation.answering.prompts import Reply, Verdict, answer_messages, judge_messages
from mem_mcp.evaluation.answering.report import Answered, AnsweringReport, by_group
from mem_mcp.evaluation.answering.scores import scores
from mem_mcp.evaluation.harness import Bench
from mem_mcp.llm import Gateway, Usage, rate_limits

PATIENCE = 300.0
"""Seconds without any answer for which a model that is left alone is waited for."""
_DEADLINE = 3_600.0
"""Seconds of a question: it waits for its turn and for the pace that the settings allow."""
T = TypeVar("T", bound=BaseModel)


async def answering(bench: Bench, **ran: Any) -> AnsweringReport:  # noqa: ANN401 - a report's fields
    """Let the configured model answer every question, and judge the answers.

    Args:
        bench: what to ask; its settings name the model.
        ran: what the report says of the run.
    """
    llm = bench.settings.llm
    # Recalled once; then each arm has an answer.
    bench.steps = bench.done + len(bench.dataset.cases) * (4 if bench.arms else 2)
    gateway = Gateway(llm.model_copy(update={"deadline_seconds": _DEADLINE}))
    try:
        window = Window(gateway, await gateway.context_window(), llm.max_output_tokens)
        every = [one async for one in shown(bench, window)]
        model = _Model(gateway, llm.concurrency)
        rows = await asyncio.gather(*(_row(model, one, bench) for one in every))
    finally:
        await gateway.aclose()
    return AnsweringReport(
        **ran,
        limit=LIMIT,
        max_tokens=MAX_TOKENS,
        window=window.tokens,
        figures=by_group(rows, bench.seed),
        judge=sum((row.judged for row in rows), Usage()),
        rows=rows,
    )


class _Model:
    """The model, asked as often at once as the settings allow."""

    def __init__(self, gateway: Gateway, at_once: int) -> None:
        self._gateway = gateway
        # Whoever waits here has no deadline running yet.
        self._at_once = asyncio.Semaphore(at_once)
        self._answered = time.monotonic()

    async def ask(
        self, messages: Sequence[dict[str, Any]], answer: type[T]
    ) -> tuple[T | LLMError, Usage]:
        """Return an answer, or why there is none, and what that took."""
        async with self._at_once:
            with self._gateway.turn() as turn:
                try:
                    return await self._complete(messages, answer), turn.usage
                except LLMError as error:
                    return error, turn.usage

    async def _complete(self, messages: Sequence[dict[str, Any]], answer: type[T]) -> T:
        while True:
            try:
                done = await self._gateway.complete(messages, answer)
            except LLMUnavailable as error:
                # Else every question that is left would fail at once for a few that did.
                if error.reason != "open" or time.monotonic() > self._answered + PATIENCE:
                    raise
                await asyncio.sleep(rate_limits.COOLDOWN)
            else:
                self._answered = time.monotonic()
                return done.answer


async def _row(model: _Model, one: Shown, bench: Bench) -> Answered:
    row = await _answered(model, one)
    bench.advance()
    return row


async def _answered(model: _Model, one: Shown) -> Answered:
    """Have a question answered, and the answer judged. Whatever fails is a row."""
    case, question = one.case, one.case.arguments["query"]
    row = Answered(
        case=case.name,
        error=one.error,
        arm=one.arm,
        category=case.category,
        question=question,
        right=case.right,
        turns=len(one.turns),
        left_out=one.left_out,
    )
    if one.error:
        return row
    reply, asked = await model.ask(answer_messages(question, one.turns), Reply)
    if isinstance(reply, LLMError):
        return row.model_copy(update={"error": _why(reply), "asked": asked})
    messages = judge_messages(question, case.right, reply.answer)
    verdict, judged = await model.ask(messages, Verdict)
    found: dict[str, Any] = {
        "given": reply.answer,
        "scores": scores(case.category, reply.answer, case.right),
        "milliseconds": round(one.milliseconds + 1_000 * asked.seconds, 2),
        "asked": asked,
        "judged": judged,
    }
    if isinstance(verdict, LLMError):
        found |= {"correct": None, "reason": _why(verdict)}
    else:
        found |= {"correct": verdict.verdict == "CORRECT", "reason": verdict.reason}
    return row.model_copy(update=found)


def _why(error: LLMError) -> str:
    return f"{type(error).__name__}: {error}"
