"""Speaks to a server in a process of its own, by hand over each transport.

By hand, so that the measured time is the server's and not that of an SDK's client.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from itertools import count
from pathlib import Path
from threading import Timer
from typing import IO, Any, Protocol

_PATIENCE_SECONDS = 120
"""How long an answer over HTTP, or the start or end of a server, is waited for."""
_LIFETIME_SECONDS = 600
"""When a server is killed: an answer over stdio cannot be waited for with a bound."""
# `-m` finds there the package that this process runs.
_SOURCE = Path(__file__).parents[3]
_HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "mem-mcp evaluate", "version": "1"},
}
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}
_POLL_SECONDS = 0.02


class _Wire(Protocol):
    def send(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Send a message; return the answer to a request, None for a notification."""
        ...


class Server:
    """A running server, and a connection with it."""

    def __init__(self, pid: int, wire: _Wire) -> None:
        self.pid = pid
        self._wire = wire
        self._numbers = count()

    def initialize(self) -> None:
        """Shake hands; raises as `call` does."""
        self._ask("initialize", _HELLO)
        self._wire.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, **arguments: object) -> None:
        """Call a tool and wait for its answer.

        Raises:
            RuntimeError: the server ended, or refused.
        """
        self._ask("tools/call", {"name": tool, "arguments": arguments})

    def _ask(self, method: str, params: dict[str, Any]) -> None:
        request = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        answer = self._wire.send(request)
        if answer is None or "error" in answer or answer["result"].get("isError"):
            raise RuntimeError(f"the server refused {method}: {str(answer)[:300]}")


@contextmanager
def connected(transport: str, command: Sequence[str], data_dir: Path) -> Iterator[Server]:
    """Start a server and shake hands; end it with the block.

    Args:
        transport: stdio, http or sse.
        command: arguments for Python; `{port}` in them stands for a free port.
        data_dir: of the server's memory.

    Raises:
        RuntimeError: the server ended, or refused.
    """
    port = _free_port()
    environment = {**os.environ, "MEM_MCP_DATA_DIR": str(data_dir)}
    environment.pop("MEM_MCP_STORAGE_URI", None)
    with ExitStack() as stack:
        process = subprocess.Popen(  # noqa: S603 - this Python, on files of ours
            [sys.executable, *(word.format(port=port) for word in command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=_SOURCE,
        )
        stack.callback(_end, process)
        killer = Timer(_LIFETIME_SECONDS, process.kill)
        killer.start()
        stack.callback(killer.cancel)
        server = Server(process.pid, stack.enter_context(_wire(transport, process, port)))
        server.initialize()
        yield server


@contextmanager
def _wire(transport: str, process: subprocess.Popen[bytes], port: int) -> Iterator[_Wire]:
    if transport == "stdio":
        yield _Stdio(process)
        return
    _wait_for(port, process)
    with closing(HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)) as posts:
        if transport == "http":
            yield _Http(posts)
            return
        with closing(HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)) as stream:
            yield _Sse(posts, stream)


class _Stdio:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        self._requests, self._answers = process.stdin, process.stdout

    def send(self, message: dict[str, Any]) -> dict[str, Any] | None:
        self._requests.write(json.dumps(message).encode() + b"\n")
        self._requests.flush()
        return _answer(message, self._answers)


class _Http:
    def __init__(self, posts: HTTPConnection) -> None:
        self._posts = posts
        self._headers = dict(_HEADERS)

    def send(self, message: dict[str, Any]) -> dict[str, Any] | None:
        response = _post(self._posts, "/mcp", message, self._headers)
        if session := response.headers.get("mcp-session-id"):
            self._headers["mcp-session-id"] = session
        answer = _answer(message, response)
        response.read()
        return answer


class _Sse:
    def __init__(self, posts: HTTPConnection, stream: HTTPConnection) -> None:
        self._posts = posts
        stream.request("GET", "/sse", headers={"Accept": "text/event-stream"})
        self._events = stream.getresponse()
        line = b""
        while not line.startswith(b"data:"):
            line = self._events.readline()
        self._path = line.removeprefix(b"data:").strip().decode()

    def send(self, message: dict[str, Any]) -> dict[str, Any] | None:
        _post(self._posts, self._path, message, _HEADERS).read()
        return _answer(message, self._events)


def _post(
    posts: HTTPConnection, path: str, message: dict[str, Any], headers: dict[str, str]
) -> HTTPResponse:
    body = json.dumps(message).encode()
    try:
        posts.request("POST", path, body, headers)
        return posts.getresponse()
    except ConnectionError:  # the server closes a connection that was idle for seconds
        posts.close()
        posts.request("POST", path, body, headers)
        return posts.getresponse()


def _answer(message: dict[str, Any], lines: IO[bytes] | HTTPResponse) -> dict[str, Any] | None:
    """Read up to the answer; notifications and other lines of an event stream come before it."""
    if "id" not in message:
        return None
    for line in iter(lines.readline, b""):
        content = line.removeprefix(b"data:").strip()
        if content.startswith(b"{"):
            answer: dict[str, Any] = json.loads(content)
            if answer.get("id") == message["id"]:
                return answer
    raise RuntimeError(f"the server ended before it answered {message['method']}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return
    raise RuntimeError("the server does not listen")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
