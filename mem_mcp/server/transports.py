"""Serving over stdio, streamable HTTP and SSE, one memory a process."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from mem_mcp.config import Settings
from mem_mcp.errors import ConfigError, MemError
from mem_mcp.server.log_lines import start_log
from mem_mcp.server.wires import Wires
from mem_mcp.server.workers import check_workers

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from mem_mcp.server.lazy_memory import LazyMemory

TRANSPORTS = ("stdio", "http", "sse", "http+sse")
PATHS = {"http": "/mcp", "sse": "/sse", "http+sse": "/mcp /sse"}
# Beside what a language model may take: at the end of the input, until the next answer is there.
_PATIENCE_SECONDS = 30
_LAST_PORT = 65535
_BACKLOG = 2_048
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
    workers: int = 1,
) -> int:
    """Serve until the client goes or SIGTERM arrives; return the exit code.

    Args:
        settings: of the memory.
        transport: stdio, http (streamable HTTP at /mcp), sse (at /sse), or http+sse, which is both.
        host: where http and sse listen.
        port: likewise, 0..65535; 0 takes a free one.
        insecure: let everybody in on a host that is not the loopback, where no token is asked for.
        workers: how many processes serve http, on the same port.

    Raises:
        ConfigError: an unknown transport, no port, a host that is not the loopback without tokens,
            workers that cannot be, or a certificate that cannot be used.
        MemError: the port cannot be used.
    """
    _check(transport, port)
    check_workers(workers, transport)
    start_log(settings)
    wires = Wires() if transport == "stdio" else None
    # Here and not above: what an import prints must not reach the client.
    from mem_mcp.server import app, lazy_memory  # noqa: PLC0415

    if wires is None:
        return _serve_http(settings, transport, host, port, insecure=insecure, workers=workers)

    async def run() -> None:
        lazy = lazy_memory.LazyMemory(settings)
        await _serve_stdio(app.build_server(lazy), lazy, wires)

    asyncio.run(run())
    return 0


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


def _serve_http(
    settings: Settings, transport: str, host: str, port: int, *, insecure: bool, workers: int
) -> int:
    # What they import is not for stdio.
    from mem_mcp.server.audit import Audit  # noqa: PLC0415
    from mem_mcp.server.http import verifier_for  # noqa: PLC0415
    from mem_mcp.server.serving import Place, serve_http  # noqa: PLC0415
    from mem_mcp.server.tls import check_certificate  # noqa: PLC0415

    check_certificate(settings.http)
    Audit(settings.audit).close()  # said here, once, rather than by each worker
    verifier = verifier_for(settings, host, insecure=insecure)  # before a port is taken
    listening = listen_each(host, port, workers)
    root = _url("https" if settings.http.certificate else "http", host, listening[0])
    for path in PATHS[transport].split():
        sys.stderr.write(f"mem-mcp: listening on {root}{path}\n")
    sys.stderr.flush()
    address = root + PATHS[transport].split()[0]
    place = Place(transport=transport, host=host, address=address, listening=listening)
    return serve_http(settings, place, verifier, workers)


def _url(scheme: str, host: str, listening: socket.socket) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}:{listening.getsockname()[1]}"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        MemError: the port cannot be used.
    """
    return listen_each(host, port, 1)[0]


def listen_each(host: str, port: int, count: int) -> list[socket.socket]:
    """Return sockets on one port that listen, each for a process.

    Linux spreads connections among them. Elsewhere there is one for all: of those that wait for a
    connection the first takes it, which may be one of them for most.

    Raises:
        MemError: the port cannot be used.
    """
    # This one finds out whether somebody else has the port, and lets in none but the others.
    listening = [_bound(host, port)]
    if count > 1 and sys.platform == "linux":
        listening[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        port = listening[0].getsockname()[1]
        listening += [_bound(host, port, shares=True) for _ in range(count - 1)]
    for each in listening:
        with _closed_if_unusable(each, host, port):
            each.listen(_BACKLOG)
    return listening if len(listening) == count else listening * count


def _bound(host: str, port: int, *, shares: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: asyncio sends small answers at once only over what it knows for TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with _closed_if_unusable(bound, host, port):
        if os.name == "posix":  # elsewhere it would let two servers share the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    return bound


@contextmanager
def _closed_if_unusable(bound: socket.socket, host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        bound.close()
        raise _unusable(host, port, error) from error


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
