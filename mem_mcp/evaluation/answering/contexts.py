"""The contexts from which a question is answered: what each arm shows of the conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from mem_mcp.api.models import Memory
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.evaluation.answering.prompts import answer_messages
from mem_mcp.evaluation.baselines import Baselines
from mem_mcp.evaluation.datasets.dataset import Case
from mem_mcp.evaluation.harness import Bench
from mem_mcp.llm import Gateway

Arm = Literal["memory", "plain", "full"]
LIMIT = 20
"""Turns that `memory` recalls at most."""
MAX_TOKENS = 1_500
"""Tokens that these turns have at most."""
_USABLE = 0.95
"""Share of a window that is filled: the frame of the messages takes room, too."""


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """A question, and the turns that are shown with it."""

    arm: Arm
    case: Case
    turns: Sequence[Memory] = ()
    """In the order in which they were said."""
    left_out: int = 0
    """The earliest turns, where the model's window does not hold all of them."""
    milliseconds: float = 0.0
    """Time that recall took."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ModelWindow:
    """How many tokens a model reads."""

    gateway: Gateway
    tokens: int | None
    """None where it is not known: then nothing is cut."""
    answer: int
    """Tokens of the longest answer, which come out of the window."""

    async def latest(self, turns: Sequence[Memory], question: str) -> Sequence[Memory]:
        """Return the turns that fit with a question: all, or the latest."""
        if self.tokens is None:
            return turns
        room = _USABLE * self.tokens - min(self.answer, self.tokens // 2)
        low, high = 0, len(turns)
        middle = 0  # mostly all of them fit
        while low < high:
            messages = answer_messages(question, turns[middle:])
            counts = await self.gateway.count_tokens([each["content"] for each in messages])
            if sum(counts) <= room:
                high = middle
            else:
                low = middle + 1
            middle = (low + high) // 2
        return turns[low:]


async def contexts(bench: Bench, window: ModelWindow) -> AsyncIterator[AnswerContext]:
    """Yield the contexts of each question: of every arm, or of `memory` alone without arms.

    Args:
        bench: what to ask; its questions are of one conversation after the other.
        window: of the model that is to answer.
    """
    whole: dict[str, Sequence[Memory]] = {}
    with closing(BundledEmbedder()) as embedder:
        baselines = Baselines(embedder)
        for case in bench.dataset.cases:
            among = bench.among(case)
            recalled = await _recalled(bench, case, among)
            yield recalled
            if not bench.arms:
                continue
            count = len(recalled.turns) or LIMIT
            orders = await baselines.orders(case.arguments["query"], among, count)
            yield AnswerContext("plain", case, _turns(among, orders["dense"]))
            user = case.arguments["user_id"]
            if user not in whole:
                every = (each.arguments for each in bench.dataset.cases)
                questions = (each["query"] for each in every if each["user_id"] == user)
                whole[user] = await window.latest(among, max(questions, key=len))
            turns = whole[user]
            yield AnswerContext("full", case, turns, left_out=len(among) - len(turns))


async def _recalled(bench: Bench, case: Case, among: Sequence[Memory]) -> AnswerContext:
    answer = await bench.ask(case, limit=LIMIT, max_tokens=MAX_TOKENS, min_score=None)
    return AnswerContext(
        "memory",
        case,
        _turns(among, answer.ids),
        milliseconds=answer.milliseconds,
        error=answer.error,
    )


def _turns(among: Sequence[Memory], ids: Sequence[str]) -> list[Memory]:
    unordered = frozenset(ids)
    return [memory for memory in among if memory.memory_id in unordered]
