"""A server in a process of its own, asked by hand over each transport.

By hand, so that what is measured is the server's time and not an SDK's client's.
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
from pathlib import Path
from typing import IO, Any, Protocol

PATIENCE_SECONDS = 120
"""How long an answer, or a server's start, is waited for."""
# `-m` finds the package there that this process runs.
SOURCE = Path(__file__).parents[3]
HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "mem-mcp evaluate", "version": "1"},
}
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}
_POLL_SECONDS = 0.02


class Wire(Protocol):
    """A connection with a server."""

    def send(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Send a message; return the answer to a request, None for a notification."""
        ...


def call(wire: Wire, number: int, tool: str, **arguments: object) -> None:
    """Call a tool and wait for its answer.

    Raises:
        RuntimeError: the server ended, or refused.
    """
    ask(wire, number, "tools/call", {"name": tool, "arguments": arguments})


def ask(wire: Wire, number: int, method: str, params: dict[str, Any]) -> None:
    """Send a request and wait for its answer; raises as `call` does."""
    answer = wire.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
    if answer is None or "error" in answer or answer["result"].get("isError"):
        raise RuntimeError(f"the server refused {method}: {str(answer)[:300]}")


@contextmanager
def connected(transport: str, command: Sequence[str], data_dir: Path) -> Iterator[Wire]:
    """Start a server, shake hands, and end it with the block.

    Args:
        transport: stdio, http or sse.
        command: arguments for Python; `{port}` in them stands for a free port.
        data_dir: of its memory.
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
            cwd=SOURCE,
        )
        stack.callback(_end, process)
        wire = stack.enter_context(_wire(transport, process, port))
        ask(wire, 0, "initialize", HELLO)
        wire.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield wire


@contextmanager
def _wire(transport: str, process: subprocess.Popen[bytes], port: int) -> Iterator[Wire]:
    if transport == "stdio":
        yield _Stdio(process)
        return
    _wait_for(port, process)
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as posts:
        if transport == "http":
            yield _Http(posts)
            return
        with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as stream:
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
    """Read to the answer; notifications, and the other lines of an event stream, come between."""
    if "id" not in message:
        return None
    for line in iter(lines.readline, b""):
        found = line.removeprefix(b"data:").strip()
        if found.startswith(b"{"):
            answer: dict[str, Any] = json.loads(found)
            if answer.get("id") == message["id"]:
                return answer
    raise RuntimeError(f"the server ended before it answered {message['method']}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
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
        process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
