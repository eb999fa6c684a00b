"""Serving over stdio, streamable HTTP and SSE, one memory a process."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from mem_mcp.config import Settings
from mem_mcp.errors import ConfigError, MemError
from mem_mcp.server.wires import Wires

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from mem_mcp.server.lazy_memory import LazyMemory

TRANSPORTS = ("stdio", "http", "sse")
PATHS = {"http": "/mcp", "sse": "/sse"}
_GRACE_SECONDS = 1
# Beside what a language model may take: at the end of the input, until the next answer is there.
_PATIENCE_SECONDS = 30
_LAST_PORT = 65535
# "streamable-http" resembles http by no more than this.
_RESEMBLES = 0.4
_REMEDIES = {
    errno.EADDRINUSE: "another program, perhaps another mem-mcp, does: stop it, or choose another "
    "--port",
    errno.EACCES: "ports below 1024 are the system's: choose a --port above",
    errno.EADDRNOTAVAIL: "this machine has no such address: choose --host 127.0.0.1",
    errno.EAFNOSUPPORT: "this machine has no such address: choose --host 127.0.0.1",
}


def serve(
    settings: Settings,
    transport: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    insecure: bool = False,
) -> None:
    """Serve until the client goes or SIGTERM arrives.

    Args:
        settings: of the memory.
        transport: stdio, http (streamable HTTP at /mcp) or sse (at /sse).
        host: where http and sse listen.
        port: likewise, 0..65535; 0 takes a free one.
        insecure: let everybody in on a host that is not the loopback, where no token is asked for.

    Raises:
        ConfigError: an unknown transport, no port, or a host that is not the loopback without
            tokens.
        MemError: the port cannot be used.
    """
    _check(transport, port)
    logging.basicConfig(stream=sys.stderr, level=settings.log_level)
    wires = Wires() if transport == "stdio" else None
    # Here and not above: what an import prints must not reach the client.
    from mem_mcp.server import app, lazy_memory  # noqa: PLC0415

    async def run() -> None:
        lazy = lazy_memory.LazyMemory(settings)
        server = app.build_server(lazy)
        if wires is not None:
            await _serve_stdio(server, lazy, wires)
        else:
            await _serve_http(server, lazy, transport, host, port, insecure=insecure)

    asyncio.run(run())


def _check(transport: str, port: int) -> None:
    if transport not in TRANSPORTS:
        near = get_close_matches(transport.lower(), TRANSPORTS, n=1, cutoff=_RESEMBLES)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"transport: {transport!r} is not one of {', '.join(TRANSPORTS)}{meant}")
    if not 0 <= port <= _LAST_PORT:
        raise ConfigError(f"port: {port} is not within 0..{_LAST_PORT}; 0 takes a free one")


async def _serve_stdio(server: MCPServer[Any], lazy: LazyMemory, wires: Wires) -> None:
    from mem_mcp.server.stdio import serve_stdio  # noqa: PLC0415 - what it imports may print

    patience = lazy.settings.llm.deadline_seconds + _PATIENCE_SECONDS
    stop = _stop_signal()
    serving = asyncio.create_task(
        serve_stdio(server, wires, patience=patience, longest=lazy.settings.limits.body_bytes)
    )
    stopped = asyncio.create_task(stop.arrived.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    await lazy.close()
    if not serving.done():
        # What is under way would hold it up, and all that was answered is durable.
        sys.stderr.flush()
        os._exit(stop.exit_code)
    stopped.cancel()
    serving.result()


async def _serve_http(
    server: MCPServer[Any],
    lazy: LazyMemory,
    transport: str,
    host: str,
    port: int,
    *,
    insecure: bool,
) -> None:
    import uvicorn  # noqa: PLC0415 - not for stdio

    from mem_mcp.server.http import http_app, verifier_for  # noqa: PLC0415 - likewise

    settings = lazy.settings
    verifier = verifier_for(settings, host, insecure=insecure)  # before a port is taken
    listening = listen(host, port)
    address = f"{_url(host, listening)}{PATHS[transport]}"
    http = uvicorn.Server(
        uvicorn.Config(
            http_app(server, lazy, transport, host, address, verifier),
            forwarded_allow_ips=settings.http.forwarded_allow_ips,
            log_level=settings.log_level.lower(),
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    signals = set()

    def stop(number: int, _frame: object) -> None:
        # Before uvicorn listens to signals itself; and it raises them again when it has shut down.
        signals.add(number)
        http.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    sys.stderr.write(f"mem-mcp: listening on {address}\n")
    sys.stderr.flush()
    try:
        await http.serve(sockets=[listening])
    finally:
        await lazy.close()
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


def _url(host: str, listening: socket.socket) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listening.getsockname()[1]}"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        MemError: the port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio sends small answers at once only over what it knows for TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise _unusable(host, port, error) from error
    return listening


def _unusable(host: str, port: int, error: OSError) -> MemError:
    remedy = _REMEDIES.get(error.errno or 0, "choose another --port")
    # Names that cannot be resolved have numbers of their own.
    is_system = error.errno is not None and error.errno > 0
    reason = os.strerror(error.errno) if is_system and error.errno else error.strerror or str(error)
    return MemError(f"port: cannot listen on {host}:{port} ({reason}); {remedy}")


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
