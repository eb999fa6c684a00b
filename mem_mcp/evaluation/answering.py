"""How well a model answers questions from what recall, or something simpler, shows it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from mem_mcp.config import Settings, load_settings
from mem_mcp.errors import InvalidInput, LLMError, LLMUnavailable
from mem_mcp.evaluation import provenance
from mem_mcp.evaluation.answer_scores import scores
from mem_mcp.evaluation.answering_arms import LIMIT, MAX_TOKENS, Shown, Window, shown
from mem_mcp.evaluation.answering_cases import load
from mem_mcp.evaluation.answering_prompts import Reply, Verdict, answer_messages, judge_messages
from mem_mcp.evaluation.answering_report import Answered, AnsweringReport, by_group, total
from mem_mcp.evaluation.bench import Bench, Progress, temporary_memory
from mem_mcp.evaluation.dataset import Dataset
from mem_mcp.evaluation.report import Data
from mem_mcp.llm import Gateway, Usage, limits

SUITE = "locomo-answer"
PATIENCE = 300.0
"""Seconds without any answer for which a model that is left alone is waited for."""
_DEADLINE = 3_600.0
"""Seconds of a question: it waits for its turn and for the pace that the settings allow."""
T = TypeVar("T", bound=BaseModel)


async def run_answering(
    data: Path,
    *,
    seed: int = 0,
    first: int | None = None,
    arms: bool = True,
    settings: Settings | None = None,
    progress: Progress = lambda _done, _total: None,
) -> AnsweringReport:
    """Let the configured model answer LoCoMo's questions, and judge the answers.

    Args:
        data: LoCoMo's file.
        seed: of the bootstrap intervals.
        first: only so many conversations.
        arms: also answer from plain retrieval, and from the whole conversation.
        settings: those of the memory, but for the place of its store; None reads them as usual.
        progress: told of each step.

    Raises:
        InvalidInput: there is no model, or the file cannot be used.
        MemError: the memory cannot be opened or written. A question that fails is a row instead.
    """
    if first is not None and first < 1:
        raise InvalidInput("first", f"must be at least 1, not {first}")
    if seed < 0:
        raise InvalidInput("seed", f"must not be negative, but is {seed}")
    settings = settings or load_settings()
    if not settings.llm.model:
        raise InvalidInput("answer", "no language model is configured: set llm.model")
    dataset, questions = load(data, first)
    # The turns are stored as they were said: the arms differ by what they find of them alone.
    no_model = settings.llm.model_copy(update={"model": ""})
    stored = settings.model_copy(update={"llm": no_model})
    steps = dataset.memories + len(questions) * (4 if arms else 2)
    gateway = Gateway(settings.llm.model_copy(update={"deadline_seconds": _DEADLINE}))
    try:
        tokens = await gateway.context_window()
        window = Window(gateway, tokens, settings.llm.max_output_tokens)
        async with temporary_memory(stored) as memory:
            bench = Bench(memory, dataset, seed, arms, progress, steps)
            await bench.fill()
            every = [one async for one in shown(bench, questions, window)]
        model = _Model(gateway, settings.llm.concurrency)
        rows = await _rows(model, every, bench)
    finally:
        await gateway.aclose()
    return AnsweringReport(
        suite=SUITE,
        seed=seed,
        data=_data(data, dataset),
        settings=provenance.settings_of(settings),
        versions=provenance.versions(),
        commit=provenance.commit(),
        limit=LIMIT,
        max_tokens=MAX_TOKENS,
        window=tokens,
        figures=by_group(rows, seed),
        judge=total([row.judged for row in rows]),
        rows=rows,
    )


def _data(path: Path, dataset: Dataset) -> Data:
    return Data(
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        memories=dataset.memories,
        skipped=dataset.skipped,
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
                await asyncio.sleep(limits.COOLDOWN)
            else:
                self._answered = time.monotonic()
                return done.answer


async def _rows(model: _Model, every: Sequence[Shown], bench: Bench) -> list[Answered]:
    async def row(one: Shown) -> Answered:
        made = await _row(model, one)
        bench.done += 1
        bench.progress(bench.done, bench.steps)
        return made

    return list(await asyncio.gather(*map(row, every)))


async def _row(model: _Model, one: Shown) -> Answered:
    """Have a question answered, and the answer judged. Whatever fails is a row."""
    question = one.question
    row = Answered(
        case=question.case.name,
        error=one.error,
        arm=one.arm,
        category=question.case.category,
        question=question.text,
        right=question.right,
        turns=len(one.turns),
        left_out=one.left_out,
    )
    if one.error:
        return row
    reply, asked = await model.ask(answer_messages(question.text, one.turns), Reply)
    if isinstance(reply, LLMError):
        return row.model_copy(update={"error": _why(reply), "asked": total([asked])})
    verdict, judged = await model.ask(
        judge_messages(question.text, question.right, reply.answer), Verdict
    )
    found: dict[str, Any] = {
        "given": reply.answer,
        "scores": scores(row.category, reply.answer, question.right),
        "milliseconds": round(one.milliseconds + 1_000 * asked.seconds, 2),
        "asked": total([asked]),
        "judged": total([judged]),
    }
    if isinstance(verdict, LLMError):
        found |= {"correct": None, "reason": _why(verdict)}
    else:
        found |= {"correct": verdict.verdict == "CORRECT", "reason": verdict.reason}
    return row.model_copy(update=found)


def _why(error: LLMError) -> str:
    return f"{type(error).__name__}: {error}"
