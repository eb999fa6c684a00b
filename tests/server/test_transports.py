from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client

import mem_mcp
from mem_mcp import Memory, Settings
from mem_mcp.server import transports

SERVE = [sys.executable, "-m", "mem_mcp", "serve"]
ENDS_WITHIN = 60  # seconds; a guard against hanging, never a measurement
LISTENING = "mem-mcp: listening on "
MODES = ("auto", "legacy")
LONG_LOG = {"task": "build", "outcome": "success", "logs": ["line\n" * 980_000]}
WIRE = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


class Server:
    """A server in a process of its own, spoken to by hand."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*SERVE, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
            encoding="utf-8",
        )
        self.passed: list[dict[str, Any]] = []
        """Messages that came while another was waited for."""

    def listening(self) -> str:
        """Wait until the server says where it listens."""
        for line in self.process.stderr:
            if line.startswith(LISTENING):
                return line.removeprefix(LISTENING).strip()
        raise AssertionError("the server ended before it listened")

    def send(self, message: dict[str, Any] | str) -> None:
        line = message if isinstance(message, str) else json.dumps(message)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request; return its answer. Every line on the way must be JSON-RPC."""
        self.send(request(method, **params))
        for line in self.process.stdout:
            message = json.loads(line)
            assert message["jsonrpc"] == "2.0"
            if message.get("id") == method:
                return message
            self.passed.append(message)
        raise AssertionError(f"the server ended before it answered {method}")

    def shake_hands(self) -> dict[str, Any]:
        found = self.ask("initialize", **HELLO)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return found["result"]

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return self.ask("tools/call", name=tool, arguments=arguments)["result"]

    def end(self) -> tuple[int, str, str]:
        """Close stdin; return the exit code and what was still written."""
        out, err = self.process.communicate(timeout=ENDS_WITHIN)
        return self.process.returncode, out, err

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ENDS_WITHIN)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "by hand", "version": "1"},
}


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": method, "method": method, "params": params}


NO_REQUESTS = (
    "",
    "not JSON",
    '{"jsonrpc": "2.0"',
    "[]",
    # A lone surrogate is no text.
    json.dumps(
        {**request("tools/call", name="remember", arguments={"content": "a\ud800b"}), "id": "bad"}
    ),
    json.dumps(request("tools/call", name="recall", arguments={"query": "x"})).replace(
        '"x"', '"x", "filters": ' + '{"NOT":' * 5_000 + "{}" + "}" * 5_000
    ),
)


def environment() -> dict[str, str]:
    """The test's own, and mem_mcp importable also where it is not installed."""
    return {**os.environ, "PYTHONPATH": str(Path(mem_mcp.__file__).parents[1])}


@pytest.fixture
def start() -> Iterator[Any]:
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(closing(Server(*arguments)))


@pytest.fixture
def listen(start):
    """Start a server on a port that the system chose; return it and its URL."""

    def listen(transport: str) -> tuple[Server, str]:
        server = start("--transport", transport, "--port", str(free_port()))
        return server, server.listening()

    return listen


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


async def round_trip(client: Client, text: str) -> None:
    done = await client.call_tool("remember", {"content": text})
    assert not done.is_error
    found = await client.call_tool("recall", {"query": text})
    assert text in [each["text"] for each in found.structured_content["memories"]]


# stdio


@pytest.mark.anyio
async def test_a_client_of_today_is_served_over_stdio_like_the_older_ones_of_the_demo():
    server = StdioServerParameters(command=SERVE[0], args=SERVE[1:], env=environment())
    async with Client(server) as client:
        assert "recall" in {tool.name for tool in (await client.list_tools()).tools}


def test_stdout_carries_nothing_but_the_protocol_whatever_comes_in(start, monkeypatch):
    monkeypatch.setenv("MEM_MCP_LOG_LEVEL", "DEBUG")
    server = start()
    assert server.shake_hands()["serverInfo"]["name"] == "mem-mcp"
    assert not server.call("remember", content="Snö, \N{FIRE}\nand a second line")["isError"]
    (found,) = server.call("recall", query="snö")["structuredContent"]["memories"]
    assert found["text"] == "Snö, \N{FIRE}\nand a second line"
    assert server.call("recall", query="snö", limit=0)["isError"]
    for line in NO_REQUESTS:
        server.send(line)
    assert server.ask("tools/list")["result"]["tools"]
    code, out, _ = server.end()
    assert code == 0
    later = [json.loads(line) for line in out.splitlines()]
    assert all(each["jsonrpc"] == "2.0" for each in later)
    (refused,) = [each for each in [*server.passed, *later] if each.get("id") == "bad"]
    assert "error" in refused or refused["result"]["isError"]


def test_sigterm_ends_a_stdio_server_whose_answers_stay(start, settings: Settings):
    server = start()
    server.shake_hands()
    memory_id = server.call("remember", content="Kept")["structuredContent"]["results"][0][
        "memory_id"
    ]
    assert server.terminate() == 0
    with Memory.open(settings) as memory:
        assert memory.get_memory(memory_id).memory.text == "Kept"


def test_sigterm_ends_a_stdio_server_in_the_middle_of_a_call(start):
    server = start()
    server.shake_hands()
    server.send(request("tools/call", name="remember", arguments={"content": "Perhaps"}))
    assert server.terminate() == 0


# HTTP and SSE


@pytest.mark.anyio
@pytest.mark.slow
async def test_clients_of_every_age_share_one_memory_over_http_until_sigterm(listen):
    server, url = listen("http")
    for mode in MODES:
        async with Client(url, mode=mode) as client:
            await round_trip(client, f"Said by a client in mode {mode}")
    async with Client(url) as client:
        await client.call_tool("record_outcome", LONG_LOG)
        found = await client.call_tool("recall", {"query": "who said what?", "kinds": ["fact"]})
    assert len(found.structured_content["memories"]) == len(MODES)
    with httpx2.Client(headers=WIRE, timeout=ENDS_WITHIN) as client:
        hello = client.post(url, json=request("initialize", **HELLO))
        session = {"Mcp-Session-Id": hello.headers["mcp-session-id"]}
        with client.stream("GET", url, headers=session) as stream:
            assert stream.status_code == 200
            assert server.terminate() == 0


@pytest.mark.anyio
@pytest.mark.slow
async def test_clients_share_one_memory_over_sse_until_sigterm(listen):
    server, url = listen("sse")
    for text in ("The first connection", "The second connection"):
        async with Client(sse_client(url)) as client:
            await round_trip(client, text)
    async with Client(sse_client(url)) as client:
        await client.call_tool("record_outcome", LONG_LOG)
        found = await client.call_tool("recall", {"query": "connection", "kinds": ["fact"]})
    assert len(found.structured_content["memories"]) == 2
    with (
        httpx2.Client(timeout=ENDS_WITHIN) as client,
        client.stream("GET", url) as stream,
    ):
        assert next(stream.iter_lines()) == "event: endpoint"
        assert server.terminate() == 0


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_another_host_or_origin_is_turned_away(listen, transport):
    _, url = listen(transport)
    with httpx2.Client(headers=WIRE, timeout=ENDS_WITHIN) as client:

        def status(**headers: str) -> int:
            if transport == "sse":
                with client.stream("GET", url, headers=headers) as answer:
                    return answer.status_code
            return client.post(
                url, json=request("initialize", **HELLO), headers=headers
            ).status_code

        assert status() == 200
        assert status(Host="evil.example") == 421
        assert status(Origin="http://evil.example") == 403
        assert status(Origin=url.rpartition("/")[0]) == 200


@pytest.mark.anyio
async def test_a_small_answer_over_http_leaves_at_once():
    listening = transports.listen("127.0.0.1", 0)
    answered = asyncio.Event()
    delays: list[int] = []

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        delays.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        answered.set()

    async with await asyncio.start_server(connected, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        await answered.wait()
        writer.close()
    assert delays == [1]
