"""How much may be asked: at once, in a minute, in a day, and of a model that keeps failing."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mem_mcp.config import LLMSettings
from mem_mcp.errors import LLMBudgetSpent
from mem_mcp.llm.usage import Usage

MINUTE = 60.0
FAILURES = 3
"""Calls that fail one after the other, each with its retries, before a model is left alone."""
COOLDOWN = 20.0
"""Seconds for which it is left alone before one call tries it again."""

Clock = Callable[[], float]


@dataclass(slots=True)
class Taken:
    """Something taken from a window; `amount` may be corrected afterwards."""

    at: float
    amount: int


class Window:
    """At most `limit` in any minute; 0 is no bound."""

    def __init__(self, limit: int, clock: Clock = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._taken: deque[Taken] = deque()

    def wait(self, amount: int) -> float:
        """Return the seconds until so much may be taken; what exceeds the limit waits for all."""
        now = self._clock()
        while self._taken and self._taken[0].at + MINUTE <= now:
            self._taken.popleft()
        excess = sum(taken.amount for taken in self._taken) + min(amount, self._limit) - self._limit
        if not self._limit or excess <= 0:
            return 0.0
        for taken in self._taken:
            excess -= taken.amount
            if excess <= 0:
                break
        return taken.at + MINUTE - now

    def take(self, amount: int) -> Taken:
        """Take so much now."""
        taken = Taken(self._clock(), amount)
        if self._limit:
            self._taken.append(taken)
        return taken


class Pace:
    """Requests and tokens a minute: who would exceed them waits, first come, first served."""

    def __init__(self, settings: LLMSettings) -> None:
        self.requests = Window(settings.requests_per_minute)
        self.tokens = Window(settings.tokens_per_minute)
        self._turnstile = asyncio.Lock()

    async def pass_with(self, tokens: int) -> Taken:
        """Wait until one more request with so many tokens may go; return its tokens, to correct."""
        async with self._turnstile:
            while seconds := max(self.requests.wait(1), self.tokens.wait(tokens)):  # noqa: ASYNC110 - how long is known
                await asyncio.sleep(seconds)
            self.requests.take(1)
            return self.tokens.take(tokens)


class Breaker:
    """Leaves a model alone that keeps failing: closed, then open, then half-open for one call."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = clock()

    def enter(self) -> float:
        """Return 0 to a call that may go, else the seconds for which none may."""
        if self._failures < FAILURES:
            return 0.0
        if (left := self._until - self._clock()) > 0:
            return left
        self._until = self._clock() + COOLDOWN  # half-open: the others wait for this one's outcome
        return 0.0

    def worked(self) -> None:
        """Note an answer: close."""
        self._failures = 0

    def failed(self) -> None:
        """Note a failure: open when it is one of several in a row."""
        self._failures += 1
        self._until = self._clock() + COOLDOWN


def check_budget(settings: LLMSettings, today: Usage) -> None:
    """Refuse a call when the day's budget is spent.

    Raises:
        LLMBudgetSpent: names the setting.
    """
    for name, limit, used in (
        ("calls_per_day", settings.calls_per_day, today.calls + today.retries),
        ("tokens_per_day", settings.tokens_per_day, today.tokens),
        ("dollars_per_day", settings.dollars_per_day, today.cost_usd or 0.0),
    ):
        if limit and used >= limit:
            raise LLMBudgetSpent(
                f"the model's budget of today is spent (llm.{name} is {limit:,}); "
                "it is renewed at midnight UTC: raise the setting or wait"
            )
