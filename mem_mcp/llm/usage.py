"""Usage of models: per request, per tool call with its deadline, and for the whole process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mem_mcp.api.models import LLMUsage
from mem_mcp.times import utc_now

Kind = Literal["completion", "embedding", "rerank"]
"""Kind of a request to a model."""


class Usage(LLMUsage):
    """Usage of some requests; the sum of two is the usage of both."""

    calls: int = 0
    """Requests, including failed ones, without retries."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    """Cost of the requests whose price is known; None if no price is."""
    retries: int = 0
    """Further attempts at the same requests."""
    seconds: float = 0.0
    """Seconds spent waiting for responses."""

    @property
    def tokens(self) -> int:
        """Tokens sent and received."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        costs = [cost for cost in (self.cost_usd, other.cost_usd) if cost is not None]
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_usd=sum(costs) if costs else None,
            retries=self.retries + other.retries,
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a model, after it has ended."""

    model: str
    """Model as LiteLLM names it."""
    kind: Kind
    usage: Usage
    failure: str | None
    """Why no response came: a reason such as timeout, or an error's name. Never provider text."""
    ended_at: datetime


class Turn:
    """The deadline and the usage that all requests of one tool call share.

    Turns nest: an inner one ends no later than the outer one, and its usage counts in both.

    Args:
        seconds: time until the deadline.
        outer: the turn that this one is inside of.
    """

    def __init__(self, seconds: float, outer: Turn | None = None) -> None:
        ends = asyncio.get_running_loop().time() + seconds
        self.ends: float = min(ends, outer.ends) if outer else ends
        """Deadline, in the event loop's time."""
        self.usage = Usage()
        self._outer = outer

        self.waits_for = ""
        """Setting whose bound is waited for; empty while none is."""

    @property
    def left(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.ends - asyncio.get_running_loop().time()

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self.left <= 0

    @contextmanager
    def waiting_for(self, setting: str) -> Iterator[None]:
        """Note which setting's bound the body waits for; the note stays if the deadline ends it."""
        self.waits_for = setting
        yield
        self.waits_for = ""

    def add(self, usage: Usage) -> None:
        """Add usage to this turn and to the outer ones."""
        self.usage += usage
        if self._outer:
            self._outer.add(usage)


_current: ContextVar[Turn | None] = ContextVar("turn", default=None)


@contextmanager
def open_turn(seconds: float) -> Iterator[Turn]:
    """Open a turn for the body of a `with` statement and for the tasks it starts.

    Args:
        seconds: time until its deadline.
    """
    turn = Turn(seconds, _current.get())
    token = _current.set(turn)
    try:
        yield turn
    finally:
        _current.reset(token)


async def _nothing() -> Usage:
    return Usage()


class Ledger:
    """Usage since the ledger was made, and of language models on the current day in UTC.

    Args:
        now: returns the time.
        elsewhere: returns the usage of language models that other ledgers have counted today.
    """

    def __init__(
        self,
        now: Callable[[], datetime] = utc_now,
        elsewhere: Callable[[], Awaitable[Usage]] = _nothing,
    ) -> None:
        self.total = Usage()
        """Usage of all kinds of requests, of this ledger alone."""
        self._now = now
        self._elsewhere = elsewhere
        self._today = Usage()
        self._day = now().date()

    async def today(self) -> Usage:
        """Return the usage of language models since midnight UTC, here and elsewhere."""
        elsewhere = await self._elsewhere()
        self._turn_page()
        return self._today + elsewhere

    def add(self, kind: Kind, usage: Usage) -> None:
        """Add the usage of a request of some kind."""
        self._turn_page()
        if kind == "completion":
            self._today += usage
        self.total += usage

    def _turn_page(self) -> None:
        if self._day != (day := self._now().date()):
            self._day, self._today = day, Usage()


PROCESS = Ledger()
"""The ledger of requests that belong to no store."""
