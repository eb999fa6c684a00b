"""What each arm shows of a conversation to who is to answer a question about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mem_mcp.api.models import Memory
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.evaluation.answering.prompts import answer_messages
from mem_mcp.evaluation.baselines import Arms
from mem_mcp.evaluation.datasets.dataset import Case
from mem_mcp.evaluation.harness import Bench
from mem_mcp.llm import Gateway

Arm = Literal["memory", "plain", "full"]
LIMIT = 20
"""Turns that `memory` recalls at most."""
MAX_TOKENS = 1_500
"""Tokens that they have at most."""
_USABLE = 0.95
"""Share of a window that is filled: what frames the messages counts, too."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A question, and what is shown with it."""

    arm: Arm
    case: Case
    turns: Sequence[Memory] = ()
    """In the order in which they were said."""
    left_out: int = 0
    """The earliest turns, where the model's window does not hold the whole."""
    milliseconds: float = 0.0
    """That recall took."""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """How much a model reads."""

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
            counts = await self.gateway.count_tokens([one["content"] for one in messages])
            if sum(counts) <= room:
                high = middle
            else:
                low = middle + 1
            middle = (low + high) // 2
        return turns[low:]


async def shown(bench: Bench, window: Window) -> AsyncIterator[Shown]:
    """Yield what each arm shows with each question; of the bench's arms, or ours alone.

    Args:
        bench: what to ask; its questions are of one conversation after the other.
        window: of the model that is to answer.
    """
    embedder = BundledEmbedder()
    longest: dict[str, Sequence[Memory]] = {}
    try:
        others = Arms(embedder)
        for case in bench.dataset.cases:
            among = bench.among(case)
            ours = await _recalled(bench, case, among)
            yield ours
            if not bench.arms:
                continue
            count = len(ours.turns) or LIMIT
            orders = await others.orders(case.arguments["query"], among, count)
            yield Shown("plain", case, _of(among, orders["dense"]))
            user = case.arguments["user_id"]
            if user not in longest:
                every = (one.arguments for one in bench.dataset.cases)
                same = (one["query"] for one in every if one["user_id"] == user)
                longest[user] = await window.latest(among, max(same, key=len))
            turns = longest[user]
            yield Shown("full", case, turns, left_out=len(among) - len(turns))
    finally:
        embedder.close()


async def _recalled(bench: Bench, case: Case, among: Sequence[Memory]) -> Shown:
    answer = await bench.ask(case, limit=LIMIT, max_tokens=MAX_TOKENS)
    return Shown(
        "memory",
        case,
        _of(among, [one.memory_id for one in answer.found]),
        milliseconds=answer.milliseconds,
        error=answer.error,
    )


def _of(among: Sequence[Memory], ids: Sequence[str]) -> list[Memory]:
    chosen = frozenset(ids)
    return [one for one in among if one.memory_id in chosen]
