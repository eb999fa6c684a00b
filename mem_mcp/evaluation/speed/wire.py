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
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from itertools import count
from pathlib import Path
from threading import Timer
from typing import IO, Any

_PATIENCE_SECONDS = 120
"""How long an answer over HTTP, or the start of a server, is waited for."""
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
Message = dict[str, Any]
Send = Callable[[Message], Message | None]
"""Sends a message; returns the answer to a request, None for a notification."""


class Server:
    """A running server, and a connection with it."""

    def __init__(self, pid: int, send: Send) -> None:
        """Shake hands; raises as `call` does."""
        self.pid = pid
        self._send = send
        self._numbers = count()
        self._ask("initialize", _HELLO)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def call(self, tool: str, **arguments: object) -> None:
        """Call a tool and wait for its answer.

        Raises:
            RuntimeError: the server ended, or refused.
        """
        self._ask("tools/call", {"name": tool, "arguments": arguments})

    def _ask(self, method: str, params: Message) -> None:
        request = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        answer = self._send(request)
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, "MEM_MCP_DATA_DIR": str(data_dir)}
    environment.pop("MEM_MCP_STORAGE_URI", None)
    with subprocess.Popen(  # noqa: S603 - this Python, on files of ours
        [sys.executable, *(word.format(port=port) for word in command)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=_SOURCE,
    ) as process:
        killer = Timer(_LIFETIME_SECONDS, process.kill)
        killer.start()
        try:
            with _TRANSPORTS[transport](process, port) as send:
                yield Server(process.pid, send)
        finally:
            process.terminate()
            process.wait()
            killer.cancel()


@contextmanager
def _stdio(process: subprocess.Popen[bytes], _: int) -> Iterator[Send]:
    requests, answers = process.stdin, process.stdout
    if requests is None or answers is None:
        raise RuntimeError("the server has no pipes")

    def send(message: Message) -> Message | None:
        requests.write(json.dumps(message).encode() + b"\n")
        requests.flush()
        return _answer(message, answers)

    yield send


@contextmanager
def _http(process: subprocess.Popen[bytes], port: int) -> Iterator[Send]:
    headers = dict(_HEADERS)
    with _listening(process, port) as posts:

        def send(message: Message) -> Message | None:
            response = _post(posts, "/mcp", message, headers)
            if session := response.headers.get("mcp-session-id"):
                headers["mcp-session-id"] = session
            answer = _answer(message, response)
            response.read()
            return answer

        yield send


@contextmanager
def _sse(process: subprocess.Popen[bytes], port: int) -> Iterator[Send]:
    with _listening(process, port) as stream, _listening(process, port) as posts:
        stream.request("GET", "/sse", headers={"Accept": "text/event-stream"})
        events = stream.getresponse()
        line = b""
        while not line.startswith(b"data:"):
            line = events.readline()
        path = line.removeprefix(b"data:").strip().decode()

        def send(message: Message) -> Message | None:
            _post(posts, path, message, _HEADERS).read()
            return _answer(message, events)

        yield send


_TRANSPORTS: dict[str, Callable[[subprocess.Popen[bytes], int], AbstractContextManager[Send]]] = {
    "stdio": _stdio,
    "http": _http,
    "sse": _sse,
}


def _listening(process: subprocess.Popen[bytes], port: int) -> closing[HTTPConnection]:
    """Connect with a server, as soon as it listens."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    end = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            connection.connect()
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return closing(connection)
    raise RuntimeError("the server does not listen")


def _post(
    posts: HTTPConnection, path: str, message: Message, headers: dict[str, str]
) -> HTTPResponse:
    body = json.dumps(message).encode()
    try:
        posts.request("POST", path, body, headers)
        return posts.getresponse()
    except ConnectionError:  # the server closes a connection that was idle for seconds
        posts.close()
        posts.request("POST", path, body, headers)
        return posts.getresponse()


def _answer(message: Message, lines: IO[bytes] | HTTPResponse) -> Message | None:
    """Read up to the answer; notifications and other lines of an event stream come before it."""
    if "id" not in message:
        return None
    for line in iter(lines.readline, b""):
        content = line.removeprefix(b"data:").strip()
        if content.startswith(b"{"):
            answer: Message = json.loads(content)
            if answer.get("id") == message["id"]:
                return answer
    raise RuntimeError(f"the server ended before it answered {message['method']}")
