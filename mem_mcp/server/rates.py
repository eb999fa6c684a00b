"""How much one token may ask for: requests a minute, and requests at once."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mem_mcp.config import LimitSettings
from mem_mcp.server.turns import Turns

_MINUTE = 60
# Buckets that are full again say nothing, and are dropped when there are so many.
_MOST_KNOWN = 10_000


class Rates:
    """Counts what each token asks for, in this process.

    Args:
        limits: the bounds.
    """

    def __init__(self, limits: LimitSettings) -> None:
        self._a_minute = limits.requests_per_minute
        self._at_once = limits.calls_at_once
        self._left: dict[str, tuple[float, float]] = {}
        self._running: Counter[str] = Counter()

    def wait(self, token_id: str, now: float) -> float:
        """Count a request; return after how many seconds it may be made, 0 for at once.

        One that has to wait is not counted.

        Args:
            token_id: whose.
            now: seconds, on a clock that does not go back.
        """
        with self.alone():
            if self._at_once and self.runs(token_id) >= self._at_once:
                return 1
            if not self._a_minute:
                return 0
            # A bucket of a minute's requests, which fills up again evenly.
            a_second = self._a_minute / _MINUTE
            left, then = self.bucket(token_id) or (float(self._a_minute), now)
            left = min(self._a_minute, left + (now - then) * a_second)
            if left < 1:
                return (1 - left) / a_second
            self.fill(token_id, left - 1, now)
            return 0

    @contextmanager
    def running(self, token_id: str) -> Iterator[None]:
        """Count a request as running."""
        with self.alone():
            self.count(token_id, 1)
        try:
            yield
        finally:
            with self.alone():
                self.count(token_id, -1)

    def alone(self) -> AbstractContextManager[None]:
        """Keep others from what is counted, for the body of a `with` statement."""
        return nullcontext()

    def runs(self, token_id: str) -> int:
        """Return how many requests of a token run."""
        return self._running[token_id]

    def count(self, token_id: str, by: int) -> None:
        """Count so many more requests of a token as running."""
        self._running[token_id] += by
        if not self._running[token_id]:
            del self._running[token_id]

    def bucket(self, token_id: str) -> tuple[float, float] | None:
        """Return how many requests a token had left, and when; None if it made none lately."""
        return self._left.get(token_id)

    def fill(self, token_id: str, left: float, now: float) -> None:
        """Set how many requests a token has left."""
        if len(self._left) >= _MOST_KNOWN:
            recent = now - _MINUTE
            self._left = {one: kept for one, kept in self._left.items() if kept[1] > recent}
        self._left[token_id] = (left, now)


class Throttle:
    """Answers 429 to a token that asks for more than it may, and lets the rest take turns.

    Args:
        app: what is behind it.
        rates: the count.
    """

    def __init__(self, app: ASGIApp, rates: Rates) -> None:
        self._app = app
        self._rates = rates
        self._turns = Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; a stream on which the server speaks is none that is bounded."""
        user = scope.get("user")
        if not isinstance(user, AuthenticatedUser) or scope.get("method") != "POST":
            await self._app(scope, receive, send)
            return
        token_id = user.access_token.client_id
        seconds = math.ceil(self._rates.wait(token_id, time.monotonic()))
        if seconds:
            refused = PlainTextResponse(
                "Too many requests with this token",
                status_code=429,
                headers={"Retry-After": str(seconds)},
            )
            await refused(scope, receive, send)
            return
        with self._rates.running(token_id):
            async with self._turns.turn(token_id):
                await self._app(scope, receive, send)
