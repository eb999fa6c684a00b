"""Whose call is next: one token's many calls do not keep another's single one waiting.

Calls compete for the processor. While others ask, too, only a few calls of one token compete at a
time, and the rest wait for those; who asks alone waits for nobody. A call that takes longer waits
for something else, such as a language model, and gives its turn to the next.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Of one token, while another asks. Measured with 32 calls at once of one token and one at a time
# of another on two cores.
_MOST_BESIDE_OTHERS = 2
_TURN_SECONDS = 1.0
# So long after its last call a token counts as one that asks.
_ASKS_SECONDS = 1.0


class Turns:
    """Gives out turns, in this process."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[asyncio.Future[None]]] = defaultdict(deque)
        self._asked: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, token_id: str) -> AsyncIterator[None]:
        """Wait for a token's turn, and hold it.

        Args:
            token_id: whose.
        """
        now = time.monotonic()
        is_alone = self._is_alone(token_id, now)
        self._asked[token_id] = now
        if is_alone or self._running[token_id] < _MOST_BESIDE_OTHERS:
            self._running[token_id] += 1
        else:
            await self._next(token_id)
        given = False

        def give() -> None:
            nonlocal given
            if not given:
                given = True
                self._give(token_id)

        timer = asyncio.get_running_loop().call_later(_TURN_SECONDS, give)
        try:
            yield
        finally:
            timer.cancel()
            give()
            self._asked[token_id] = time.monotonic()

    def _is_alone(self, token_id: str, now: float) -> bool:
        self._asked = {one: at for one, at in self._asked.items() if now - at < _ASKS_SECONDS}
        return not (self._asked.keys() | self._running.keys()) - {token_id}

    async def _next(self, token_id: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting[token_id].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was given at the same moment
                self._give(token_id)
            raise

    def _give(self, token_id: str) -> None:
        """Give a turn to the token's next call, or back."""
        waiting = self._waiting[token_id]
        # More may run from when it asked alone.
        while waiting and self._running[token_id] <= _MOST_BESIDE_OTHERS:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        if not waiting:
            del self._waiting[token_id]
        self._running[token_id] -= 1
        if not self._running[token_id]:
            del self._running[token_id]
