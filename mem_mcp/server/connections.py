"""How many connections a server holds, and how long it waits for what a client began to send.

Uvicorn waits for ever, and each connection takes a file descriptor, which the store needs, too.
"""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar

from uvicorn.protocols.http.auto import AutoHTTPProtocol

# From connecting, or from its first byte, until the head of a request is there.
_HEAD_SECONDS = 20
# Until its body is, too; the largest that is allowed by default takes a minute at 10 Mbit/s.
_BODY_SECONDS = 120
# Of the file descriptors, those that are the connections'; the rest is the store's.
_SHARE = 0.6
# Where the system names no bound.
_MOST = 10_000


def most_connections() -> int:
    """Raise this process's bound of open files as far as the system lets it.

    Returns:
        How many connections it can then hold beside what the store opens.
    """
    if sys.platform == "win32":
        return _MOST
    import resource  # noqa: PLC0415 - only there

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):  # macOS gives less than it names
            pass
    return _MOST if soft == resource.RLIM_INFINITY else max(1, min(_MOST, int(soft * _SHARE)))


def bounded(most: int) -> type[asyncio.Protocol]:
    """Return how a server speaks HTTP, for `uvicorn.Config(http=…)`.

    A client that does not send a whole request in time is disconnected. At more connections than
    that, the one is closed that has been waited for longest, or where none is, the new one.

    Args:
        most: connections at once, 1 or more.
    """
    return type("Bounded", (_Connection,), {"most": most, "waiting": {}})


class _Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Speaks HTTP with one client."""

    most: ClassVar[int]
    waiting: ClassVar[dict[_Connection, asyncio.TimerHandle]]
    """Those whose clients are waited for, the one that has been longest first."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most:
            longest = next(iter(self.waiting), self)
            longest._stop()  # noqa: SLF001 - another of its kind
            longest.transport.abort()
        if not transport.is_closing():
            self._wait(_HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        was_within = self._is_within()
        super().data_received(data)
        if self._is_within() and not self.cycle.more_body:  # a whole request is there
            self._stop()
        elif self._is_within() and not was_within:  # its head is
            self._stop()
            self._wait(_BODY_SECONDS)
        elif self not in self.waiting:
            self._wait(_HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _is_within(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self, seconds: float) -> None:
        self.waiting[self] = self.loop.call_later(seconds, self.transport.abort)

    def _stop(self) -> None:
        if timer := self.waiting.pop(self, None):
            timer.cancel()
