"""The edge of the HTTP server: what is no request, clients that do not end theirs, and too many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from guarded import HELLO, WIRE, Guarded, bearer, request, serving
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp import Settings
from mem_mcp.config import LimitSettings
from mem_mcp.server import connections

ENDS_WITHIN = 60  # seconds; a guard against hanging, never a measurement
BODY_BYTES = 20_000
HALF_HEAD = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-"
HALF_BODY = HALF_HEAD + b"Type: application/json\r\nContent-Length: 1000\r\n\r\n{"


def port(server: Guarded) -> int:
    return int(server.url.rpartition(":")[2].partition("/")[0])


@asynccontextmanager
async def sent(
    server: Guarded, data: bytes, times: int = 1, *, ends: bool = False
) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Hold connections on which some bytes were sent; yield what comes back on each."""
    streams = []
    try:
        for _ in range(times):
            streams.append(await asyncio.open_connection("127.0.0.1", port(server)))
            streams[-1][1].write(data)
            if ends:
                streams[-1][1].write_eof()
        yield [reader for reader, _ in streams]
    finally:
        for _, writer in streams:
            writer.close()
        for _, writer in streams:
            with suppress(ConnectionError):
                await writer.wait_closed()


async def received(reader: asyncio.StreamReader) -> bytes:
    """Read until the server closes; empty also where it does so without saying more."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def serves(server: Guarded) -> None:
    async with asyncio.timeout(ENDS_WITHIN), server.client("nobody") as client:
        assert (await client.list_tools()).tools


# Clients that do not end


@pytest.mark.anyio
@pytest.mark.parametrize("data", [b"", HALF_HEAD, HALF_BODY])
async def test_who_does_not_end_a_request_is_disconnected(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, data: bytes
):
    monkeypatch.setattr(connections, "_HEAD_SECONDS", 0.05)
    monkeypatch.setattr(connections, "_BODY_SECONDS", 0.05)
    async with serving(settings) as server, asyncio.timeout(ENDS_WITHIN):
        async with sent(server, data) as (reader,):
            assert await received(reader) == b""
        monkeypatch.undo()
        await serves(server)


@pytest.mark.anyio
@pytest.mark.parametrize("data", [b"", HALF_HEAD, HALF_BODY])
async def test_half_open_connections_shut_nobody_out(settings: Settings, data: bytes):
    async with (
        asyncio.timeout(ENDS_WITHIN),
        serving(settings, connections=10) as server,
        sent(server, data, times=50),
    ):
        await serves(server)


@pytest.mark.anyio
async def test_a_connection_that_is_being_answered_is_not_the_one_that_is_closed(
    settings: Settings,
):
    async with serving(settings, connections=5) as server, asyncio.timeout(ENDS_WITHIN):
        hello = await server.post(request("initialize", **HELLO))
        session = hello.headers["mcp-session-id"]
        listening = (
            "GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
            f"Mcp-Session-Id: {session}\r\n\r\n"
        )
        async with sent(server, listening.encode()) as (stream,):
            assert b" 200 " in await stream.readuntil(b"\r\n\r\n")
            async with sent(server, b"", times=20) as (first, *_):
                assert await received(first) == b""
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(received(stream), 0)
        await serves(server)


def test_a_process_can_hold_connections_beside_its_store():
    most = connections.most_connections()
    assert 1 <= most <= 10_000


# What is no request


class Edge:
    """A server with a small bound, and what is thrown at it."""

    def __init__(self, portal: BlockingPortal, server: Guarded) -> None:
        self.portal = portal
        self.server = server
        self.token = server.token("alice")

    def status(self, body: bytes, headers: dict[str, str]) -> int:
        answer = self.portal.call(lambda: self.server.post(body, **headers))
        return answer.status_code

    def raw(self, data: bytes) -> bytes:
        async def exchanged() -> bytes:
            async with (
                asyncio.timeout(ENDS_WITHIN),
                sent(self.server, data, ends=True) as (reader,),
            ):
                return await received(reader)

        return self.portal.call(exchanged)


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("edge")
    limits = LimitSettings(body_bytes=BODY_BYTES)
    settings = Settings(data_dir=folder / "memory", limits=limits)
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        server = stack.enter_context(portal.wrap_async_context_manager(serving(settings)))
        yield Edge(portal, server)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
METHODS = st.sampled_from(
    ["initialize", "ping", "tools/list", "tools/call", "resources/read", "prompts/get",
     "completion/complete", "server/discover", "notifications/cancelled", "logging/setLevel"]
) | st.text(max_size=12)  # fmt: skip
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": JSON,
        "method": METHODS | JSON,
        "params": st.fixed_dictionaries(
            {},
            optional={"name": JSON, "arguments": JSON, "uri": JSON, "_meta": JSON, "ref": JSON},
        )
        | JSON,
        "result": JSON,
        "error": JSON,
    },
)
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    MESSAGES.map(lambda value: json.dumps(value).encode()),
    MESSAGES.map(lambda value: json.dumps(value).encode()[:-3]),
    st.lists(MESSAGES, max_size=3).map(lambda value: json.dumps(value).encode()),
    MESSAGES.map(lambda value: json.dumps(value).encode("utf-16")),
    st.integers(1, 9_000).map(lambda depth: b"[" * depth),
    st.integers(0, 3).map(lambda more: b" " * (BODY_BYTES + more)),
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(
            ["application/json", "text/plain", "application/json; charset=utf-16", "", "x", "*/*"]
        ),
        "Accept": st.sampled_from(["*/*", "", "text/html", "application/json", "x;q=a"]),
        "MCP-Protocol-Version": st.sampled_from(["2025-11-25", "2026-07-28", "1", "", "x" * 500]),
        "Mcp-Session-Id": st.sampled_from(["", "x", "0" * 32, "x" * 500]),
        "Mcp-Method": st.sampled_from(["tools/call", "ping", ""]),
        "Content-Encoding": st.sampled_from(["gzip", "br", "x"]),
        "Last-Event-ID": st.sampled_from(["", "1", "x"]),
    },
)
PLAIN: dict[str, Any] = {
    "phases": (Phase.explicit, Phase.generate),
    "suppress_health_check": list(HealthCheck),
    "database": None,
}


def check(edge: Edge, body: bytes, headers: dict[str, str]) -> None:
    status = edge.status(body, {**headers, **bearer(edge.token)})
    assert status < 500, (status, body, headers)
    if len(body) > BODY_BYTES:
        assert status in (413, 400), status
    assert edge.status(body, headers) == 401


def check_raw(edge: Edge, data: bytes) -> None:
    answer = edge.raw(data)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer
    ping = json.dumps(request("initialize", **HELLO)).encode()
    assert edge.status(ping, {**WIRE, **bearer(edge.token)}) == 200


RAW = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=100).map(lambda noise: HALF_HEAD + noise),
    st.binary(max_size=100).map(lambda noise: HALF_BODY + noise),
    st.sampled_from(
        [b"GET / HTTP/9.9\r\n\r\n", b"POST /mcp HTTP/1.1\r\n" + b"A: b\r\n" * 5_000 + b"\r\n",
         HALF_HEAD + b"Length: -1\r\n\r\n", HALF_HEAD + b"Length: 1\r\nContent-Length: 2\r\n\r\n",
         HALF_HEAD + b"Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"\x16\x03\x01" * 99]
    ),
)  # fmt: skip


@hypothesis_settings(max_examples=40, **PLAIN)
@given(body=BODIES, headers=HEADERS)
def test_what_is_no_message_is_refused_and_breaks_nothing(
    edge: Edge, body: bytes, headers: dict[str, str]
):
    check(edge, body, headers)


@hypothesis_settings(max_examples=30, **PLAIN)
@given(data=RAW)
def test_what_is_no_http_is_refused_and_breaks_nothing(edge: Edge, data: bytes):
    check_raw(edge, data)


@pytest.mark.full
@pytest.mark.timeout(1_200)
@hypothesis_settings(max_examples=1_000, **PLAIN)
@given(body=BODIES, headers=HEADERS, data=RAW)
def test_the_same_many_times(edge: Edge, body: bytes, headers: dict[str, str], data: bytes):
    check(edge, body, headers)
    check_raw(edge, data)


def test_the_bound_of_a_body_holds_without_its_length(edge: Edge):
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {edge.token}\r\n"
        "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    chunk: Any = b"%x\r\n%s\r\n" % (BODY_BYTES, b"x" * BODY_BYTES)
    assert edge.raw(head.encode() + chunk * 3 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413")
