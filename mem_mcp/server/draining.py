"""The end of an HTTP server: what runs is finished, what is new is sent elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from mem_mcp.server.refusals import refusal

# A server that is started again, or another behind the same address, is there by then.
_AGAIN_SECONDS = 2
# Streams on which a client listens for as long as it likes; no call waits for their end.
_LISTENING = "subscriptions/listen"


class _Request:
    """A POST that is being answered."""

    def __init__(self) -> None:
        self.counts = True


_request: ContextVar[_Request | None] = ContextVar("request", default=None)


class Draining:
    """Knows what runs, and whether the server is about to end.

    Args:
        seconds: how long what runs may take after `begin`.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running = 0
        self._ends: float | None = None

    def begin(self) -> None:
        """Take nothing new from now on; may be called in a signal handler."""
        if self._ends is None:
            self._ends = time.monotonic() + self._seconds

    @property
    def begun(self) -> bool:
        """Whether nothing new is taken."""
        return self._ends is not None

    @property
    def running(self) -> int:
        """How many requests are not answered yet."""
        return self._running

    @property
    def over(self) -> bool:
        """Whether nothing is waited for: all that ran has ended, or it took too long."""
        return self._ends is not None and (not self._running or time.monotonic() >= self._ends)

    @contextmanager
    def call(self, method: str) -> Iterator[None]:
        """Count a request of the protocol: over SSE its POST is answered before it runs.

        Args:
            method: of the request.
        """
        if method == _LISTENING:
            if (request := _request.get()) is not None and request.counts:
                request.counts = False
                self._running -= 1
            yield
            return
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    @contextmanager
    def post(self) -> Iterator[None]:
        """Count a POST until its answer has left, unless it is one to listen on."""
        request = _Request()
        self._running += 1
        token = _request.set(request)
        try:
            yield
        finally:
            _request.reset(token)
            if request.counts:
                self._running -= 1


class Drain:
    """Answers 503 to what is new while the server ends.

    Args:
        app: what is behind it.
        draining: whether it does.
    """

    def __init__(self, app: ASGIApp, draining: Draining) -> None:
        self._app = app
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._draining.begun:
            refused = refusal(
                503,
                "this server is about to end and takes nothing new; try again",
                {"Retry-After": str(_AGAIN_SECONDS), "Connection": "close"},
            )
            await refused(scope, receive, send)
        elif scope["method"] == "POST":
            with self._draining.post():
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)
