"""What models were asked for: a sum of calls, and the process's account of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mem_mcp.api.models import LLMUsage
from mem_mcp.times import utc_now

Kind = Literal["completion", "embedding", "rerank"]
"""What a model can be asked for."""


class Usage(LLMUsage):
    """What some calls took; adding two gives what both took."""

    calls: int = 0
    """Requests, failed ones included and further attempts not."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    """Of the calls whose price is known; None where none is."""
    retries: int = 0
    """Further attempts at the same requests."""
    seconds: float = 0.0
    """Time spent waiting for answers."""

    @property
    def tokens(self) -> int:
        """Sent and received."""
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
    """One request to a model, once it has ended."""

    model: str
    """As LiteLLM names it."""
    kind: Kind
    usage: Usage
    failure: str | None
    """Why no response came: a reason such as timeout, or an error's name. Never provider text."""
    ended_at: datetime


class Ledger:
    """An account of calls: since it was opened, and of the current day in UTC."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        self.total = Usage()
        self._now = now
        self._today = Usage()
        self._day = now().date()

    @property
    def today(self) -> Usage:
        """What was used since midnight UTC."""
        if self._day != (day := self._now().date()):
            self._day, self._today = day, Usage()
        return self._today

    def add(self, usage: Usage) -> None:
        """Enter what was used."""
        self._today = self.today + usage
        self.total += usage


PROCESS = Ledger()
"""The account of this process: budgets are counted against it."""
