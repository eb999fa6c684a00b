"""Limits on requests: a minute, a day, and for a model that keeps failing."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mem_mcp.config import LLMSettings
from mem_mcp.errors import LLMBudgetSpent
from mem_mcp.llm.usage import Ledger

MINUTE = 60.0
FAILURES = 3
"""Calls that fail in a row, each with its retries, before the breaker opens."""
COOLDOWN = 20.0
"""Seconds until an open breaker lets one call try again."""

_LONGEST_REST = 3_600.0

Clock = Callable[[], float]


@dataclass(slots=True)
class Reservation:
    """An amount taken from a window; it may be corrected once the true amount is known."""

    at: float
    amount: int


class MinuteWindow:
    """A bound on the sum of the amounts taken within any minute.

    Args:
        limit: the bound; 0 for none.
        clock: returns seconds.
    """

    def __init__(self, limit: int, clock: Clock = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._reservations: deque[Reservation] = deque()

    def wait(self, amount: int) -> float:
        """Return the seconds until an amount may be taken; more than the limit waits for all."""
        now = self._clock()
        while self._reservations and self._reservations[0].at + MINUTE <= now:
            self._reservations.popleft()
        taken = sum(each.amount for each in self._reservations)
        excess = taken + min(amount, self._limit) - self._limit
        if not self._limit or excess <= 0:
            return 0.0
        for reservation in self._reservations:
            excess -= reservation.amount
            if excess <= 0:
                break
        return reservation.at + MINUTE - now

    def take(self, amount: int) -> Reservation:
        """Take an amount now."""
        reservation = Reservation(self._clock(), amount)
        if self._limit:
            self._reservations.append(reservation)
        return reservation


class Pace:
    """The bounds on requests and tokens a minute; requests that wait keep their order."""

    def __init__(self, settings: LLMSettings) -> None:
        self.requests = MinuteWindow(settings.requests_per_minute)
        self.tokens = MinuteWindow(settings.tokens_per_minute)
        bounds = ("requests_per_minute", "tokens_per_minute")
        self.name = " and ".join(f"llm.{name}" for name in bounds if getattr(settings, name))
        """The settings of the bounds that there are."""
        self._turnstile = asyncio.Lock()

    async def reserve(self, tokens: int) -> Reservation:
        """Wait until a request may be sent; return its tokens, to be corrected by its response."""
        async with self._turnstile:
            while seconds := max(self.requests.wait(1), self.tokens.wait(tokens)):  # noqa: ASYNC110 - waits for a known time
                await asyncio.sleep(seconds)
            self.requests.take(1)
            return self.tokens.take(tokens)


class Breaker:
    """A circuit breaker for one model: closed, open after failures, half-open for one call."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = clock()
        self.why = ""
        """Why it is open."""

    def enter(self) -> float:
        """Return 0 if a call may be made, else the seconds until one may."""
        if self._failures < FAILURES:
            return 0.0
        if (left := self._until - self._clock()) > 0:
            return left
        self._until = self._clock() + COOLDOWN  # half-open: further calls wait for the outcome
        return 0.0

    def worked(self) -> None:
        """Note an answer: the breaker closes."""
        self._failures, self.why = 0, ""

    def failed(self) -> None:
        """Note a failure: the breaker opens after FAILURES in a row."""
        self._failures += 1
        self._until = max(self._until, self._clock() + COOLDOWN)
        self.why = self.why or "kept failing"

    def rest(self, seconds: float) -> None:
        """Open for a time that the model's provider asks for."""
        self._failures = max(self._failures, FAILURES)
        self._until = self._clock() + min(seconds, _LONGEST_REST)
        self.why = "takes no requests for now, says its provider (Retry-After)"


async def check_budget(settings: LLMSettings, ledger: Ledger) -> None:
    """Check that the day's budget of the language model is not spent.

    Raises:
        LLMBudgetSpent: it is; the message names the setting.
    """
    if not (settings.calls_per_day or settings.tokens_per_day or settings.dollars_per_day):
        return
    today = await ledger.today()
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
