"""Serving over stdio, streamable HTTP and SSE, one memory a process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from mem_mcp.config import Settings
from mem_mcp.errors import ConfigError, MemError

if TYPE_CHECKING:
    from mcp.server import MCPServer
    from starlette.applications import Starlette

    from mem_mcp.server.opening import LazyMemory

TRANSPORTS = ("stdio", "http", "sse")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_GRACE_SECONDS = 1
# Agents in an editor sit idle for hours; the SDK would end their session after 30 minutes.
_IDLE_SECONDS = 24 * 3600
# The SDK's own bound, 4 MB, is less than one picture or log that the tools take.
_MOST_BYTES = 64_000_000


def serve(settings: Settings, transport: str, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until the client goes or SIGTERM arrives.

    Args:
        settings: of the memory.
        transport: stdio, http (streamable HTTP at /mcp) or sse (at /sse).
        host: where http and sse listen; the loopback only.
        port: likewise, 1..65535.

    Raises:
        ConfigError: an unknown transport, or a host that is not the loopback.
        MemError: the port cannot be used.
    """
    if transport not in TRANSPORTS:
        raise ConfigError(f"transport: {transport!r} is not one of {', '.join(TRANSPORTS)}")
    if transport != "stdio" and host not in LOOPBACK:
        raise ConfigError(f"host: {host!r} is not allowed; this version listens on 127.0.0.1 only")
    logging.basicConfig(stream=sys.stderr, level=settings.log_level)
    with _quiet_stdout():
        # Here and not above: what an import prints must not reach the client.
        from mem_mcp.server import app, opening, stdio  # noqa: PLC0415

    async def run() -> None:
        lazy = opening.LazyMemory(settings)
        server = app.build_server(lazy)
        if transport == "stdio":
            await _serve_stdio(asyncio.create_task(stdio.serve_stdio(server)), lazy)
        else:
            await _serve_http(server, lazy, transport, host, port)

    asyncio.run(run())


@contextmanager
def _quiet_stdout() -> Iterator[None]:
    """Send to stderr whatever is printed meanwhile, by Python or below it."""
    sys.stdout.flush()
    wire = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(wire, 1)
        os.close(wire)


async def _serve_stdio(serving: asyncio.Task[None], lazy: LazyMemory) -> None:
    stop = _stop_signal()
    stopped = asyncio.create_task(stop.arrived.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    await lazy.close()
    if not serving.done():
        # The thread that reads stdin cannot be stopped, and all that was answered is durable.
        sys.stderr.flush()
        os._exit(stop.exit_code)
    stopped.cancel()
    serving.result()


async def _serve_http(
    server: MCPServer[Any], lazy: LazyMemory, transport: str, host: str, port: int
) -> None:
    import uvicorn  # noqa: PLC0415 - not for stdio

    listening = _listen(host, port)
    config = uvicorn.Config(
        _http_app(server, transport, host),
        log_level=lazy.settings.log_level.lower(),
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    # uvicorn raises the signal again when it has shut down; by then it means nothing more.
    signal.signal(signal.SIGTERM, lambda *_: None)
    path = "/mcp" if transport == "http" else "/sse"
    sys.stderr.write(f"mem-mcp: listening on http://{host}:{listening.getsockname()[1]}{path}\n")
    sys.stderr.flush()
    try:
        await uvicorn.Server(config).serve(sockets=[listening])
    finally:
        await lazy.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio sends small answers at once only over what it knows for TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise MemError(
            f"port: cannot listen on {host}:{port} ({reason}); choose another"
        ) from error
    return listening


def _http_app(server: MCPServer[Any], transport: str, host: str) -> Starlette:
    if transport == "sse":
        return server.sse_app(host=host, max_request_body_size=_MOST_BYTES)
    return server.streamable_http_app(
        host=host, session_idle_timeout=_IDLE_SECONDS, max_request_body_size=_MOST_BYTES
    )


class _Stop:
    """Whether the process was asked to end, and with which exit code it then does."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.exit_code = 0

    def __call__(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self.arrived.set()


def _stop_signal() -> _Stop:
    stop = _Stop()
    loop = asyncio.get_running_loop()
    # Windows ends a process without asking it.
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGTERM, stop, 0)
        loop.add_signal_handler(signal.SIGINT, stop, 128 + signal.SIGINT)
    return stop
