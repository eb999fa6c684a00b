"""Serving over HTTP, until a signal ends it and what ran has been answered."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import uvicorn
from uvicorn.config import LOGGING_CONFIG

from mem_mcp.config import Settings
from mem_mcp.server.app import build_server
from mem_mcp.server.connections import bounded, most_connections
from mem_mcp.server.draining import Draining
from mem_mcp.server.gate import Verifier
from mem_mcp.server.http import http_app
from mem_mcp.server.lazy_memory import LazyMemory
from mem_mcp.server.rates import Rates
from mem_mcp.server.shared_rates import SharedRates
from mem_mcp.server.workers import Workers

logger = logging.getLogger(__name__)

SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
"""Variable of prometheus_client: the folder in which several processes count together."""

# Streams that clients only listen on are closed after so long.
_GRACE_SECONDS = 1
# Beside the calls' time: to close streams and the store.
_CLOSING_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a server is reached."""

    transport: str
    host: str
    address: str
    """Of its MCP endpoint."""
    listening: Sequence[socket.socket]
    """A socket for each worker, on the same port."""


class DrainingServer(uvicorn.Server):
    """Ends after what runs was answered, and takes nothing new meanwhile.

    Args:
        config: what is served, and how.
        draining: knows what runs.
        seconds: after which the process ends whatever happens.
    """

    def __init__(self, config: uvicorn.Config, draining: Draining, seconds: float) -> None:
        super().__init__(config)
        self._draining = draining
        self._seconds = seconds
        self._was_idle = False
        self.signals: set[int] = set()
        """Those that arrived."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """Begin to end; at a second Ctrl-C at once."""
        if sig == signal.SIGINT and sig in self.signals:
            self.should_exit = self.force_exit = True
        elif not self.signals:
            _end_after(self._seconds, 128 + sig if sig == signal.SIGINT else 0)
        self.signals.add(sig)
        self._draining.begin()

    async def on_tick(self, counter: int) -> bool:
        """Return whether to close the streams and end; called ten times a second."""
        # A message that was read just now may not be counted yet.
        is_idle, was_idle = self._draining.over, self._was_idle
        self._was_idle = is_idle
        if is_idle and was_idle and not self.should_exit:
            if self._draining.running:
                logger.warning("%s calls took too long and are given up", self._draining.running)
            self.should_exit = True
        return await super().on_tick(counter)


def _end_after(seconds: float, code: int) -> None:
    """End the process after so many seconds, whatever holds it up; all that was said is durable."""
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()


def serve_http(settings: Settings, place: Place, verifier: Verifier, workers: int) -> int:
    """Serve until a signal; return the exit code.

    Args:
        settings: of the memory.
        place: where.
        verifier: as `http.verifier_for` returns it for the host.
        workers: how many processes serve.

    Raises:
        KeyboardInterrupt: the signal was SIGINT.
    """
    if workers == 1:
        asyncio.run(_serve(settings, place, verifier))
        return 0
    rates = SharedRates(settings.limits, workers)

    def work(number: int, alive: int) -> None:
        # A client's next request may come to another one.
        http = settings.http.model_copy(update={"stateless": True})
        settled = settings.model_copy(update={"http": http})
        own = place.listening[number]
        _close(each for each in place.listening if each is not own)
        here = replace(place, listening=[own])
        asyncio.run(_serve(settled, here, verifier, rates.of_worker(number), alive))

    bound = settings.http.drain_seconds + 2 * _CLOSING_SECONDS
    with TemporaryDirectory(prefix="mem-mcp-") as folder:
        os.environ[SHARED_METRICS] = folder  # before a worker imports what reads it
        # Held for those that come after one that died; while all end, nobody must wait on them.
        ending = partial(_close, place.listening)
        return Workers(workers, work, bound, partial(_forget, Path(folder)), ending).run()


def _close(listening: Iterable[socket.socket]) -> None:
    for each in listening:
        each.close()


def _forget(folder: Path, pid: int) -> None:
    """Take what a dead worker said of itself out of the metrics; what it counted stays."""
    for file in folder.glob(f"gauge_live*_{pid}.db"):
        file.unlink()


async def _serve(
    settings: Settings,
    place: Place,
    verifier: Verifier,
    rates: Rates | None = None,
    alive: int | None = None,
) -> None:
    lazy = LazyMemory(settings)
    draining = Draining(settings.http.drain_seconds)
    app = http_app(
        build_server(lazy),
        lazy,
        place.transport,
        place.host,
        place.address,
        verifier,
        draining,
        rates,
    )
    config = uvicorn.Config(
        app,
        http=bounded(most_connections()),
        forwarded_allow_ips=settings.http.forwarded_allow_ips,
        log_config=None if settings.log_format == "json" else LOGGING_CONFIG,
        log_level=settings.log_level.lower(),
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=settings.http.certificate or None,
        ssl_keyfile=settings.http.certificate_key or None,
    )
    http = DrainingServer(config, draining, settings.http.drain_seconds + _CLOSING_SECONDS)
    # Uvicorn does the same a little later.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, http.handle_exit)
    if alive is not None:
        loop = asyncio.get_running_loop()
        loop.add_reader(alive, partial(_end_orphan, loop, alive, http))
        lazy.preload()
    try:
        await http.serve(sockets=list(place.listening))
    finally:
        await lazy.close()
    if signal.SIGINT in http.signals:
        raise KeyboardInterrupt


def _end_orphan(loop: asyncio.AbstractEventLoop, alive: int, http: DrainingServer) -> None:
    loop.remove_reader(alive)
    http.handle_exit(signal.SIGTERM, None)
