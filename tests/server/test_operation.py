"""What whoever runs a server sees of it: probes, and how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from guarded import HELLO, WIRE, Guarded, request, serving
from test_transports import Server

from mem_mcp import Memory, Settings
from mem_mcp.config import AuthSettings
from mem_mcp.server.draining import Draining

ENDS_WITHIN = 60  # seconds; a guard against hanging, never a measurement


def base(server: Guarded) -> str:
    return server.url.rpartition("/")[0]


@asynccontextmanager
async def browser(server: Guarded, **headers: str):
    async with httpx2.AsyncClient(base_url=base(server), headers=headers, timeout=60) as http:
        yield http


async def until_ready(http: httpx2.AsyncClient) -> httpx2.Response:
    async with asyncio.timeout(ENDS_WITHIN):
        while (answer := await http.get("/ready")).json().get("not_ready", {}) in (
            {"store": "is being opened"}, {"embedder": "is being loaded"},
        ):  # fmt: skip
            await asyncio.sleep(0.02)
    return answer


# Probes


@pytest.mark.anyio
async def test_a_server_says_that_it_lives_and_when_it_is_ready_without_a_token(
    settings: Settings,
):
    async with serving(settings) as server, browser(server) as http:
        server.token("alice")
        assert (await server.post(request("ping"))).status_code == 401
        health = await http.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "ok")
        assert (await http.get("/ready")).status_code == 503  # nothing is open yet
        ready = await until_ready(http)
        assert (ready.status_code, ready.json()) == (200, {"ready": True})
        assert (await http.post("/ready")).status_code == 405
        assert (await http.head("/health")).content == b""
        assert (await http.get("/health", headers={"Host": "evil.example"})).status_code == 421


@pytest.mark.anyio
async def test_a_store_that_cannot_be_opened_is_not_ready_until_it_can_be_and_names_no_path(
    settings: Settings,
):
    place = Path(settings.data_dir)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("no folder")
    async with serving(settings) as server, browser(server) as http:
        answer = await until_ready(http)
        assert answer.status_code == 503
        assert list(answer.json()["not_ready"]) == ["store"]
        assert str(place) not in answer.text
        assert (await http.get("/health")).status_code == 200
        place.unlink()
        await http.get("/ready")
        async with asyncio.timeout(ENDS_WITHIN):
            while (await http.get("/ready")).status_code != 200:
                await asyncio.sleep(0.02)


@pytest.mark.anyio
async def test_an_identity_provider_that_gives_no_keys_is_named_but_not_its_address(
    settings: Settings,
):
    nowhere = "http://127.0.0.1:9/jwks"
    auth = AuthSettings(issuer="https://id.example", audience="mem", jwks=nowhere)
    async with (
        serving(settings.model_copy(update={"auth": auth})) as server,
        browser(server) as http,
    ):
        async with asyncio.timeout(ENDS_WITHIN):
            while list((answer := await http.get("/ready")).json()["not_ready"]) != [
                "identity_provider"
            ]:
                await asyncio.sleep(0.02)
        assert answer.status_code == 503
        assert nowhere not in answer.text


# The end


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return request("tools/call", name=tool, arguments=arguments)


class HalfSent:
    """A request whose body the server waits for."""

    def __init__(self, url: str, message: dict[str, Any], **headers: str) -> None:
        parts = urlsplit(url)
        body = json.dumps(message).encode()
        lines = {"Host": parts.netloc, "Content-Length": str(len(body)), "Connection": "close"}
        lines |= {"Expect": "100-continue", **WIRE, **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._connection = socket.create_connection((parts.hostname, parts.port), ENDS_WITHIN)
        self._connection.sendall(f"POST {parts.path} HTTP/1.1\r\n{head}\r\n".encode())
        assert self._connection.recv(100).startswith(b"HTTP/1.1 100")
        self._body = body

    def finish(self) -> str:
        """Send the body; return the whole answer."""
        self._connection.sendall(self._body)
        with self._connection, self._connection.makefile("rb") as answer:
            return answer.read().decode()

    def close(self) -> None:
        self._connection.close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_runs_at_sigterm_is_answered_and_what_is_new_is_sent_elsewhere(
    settings: Settings, workers: str
):
    options = ("--transport", "http", "--port", "0", "--workers", workers)
    with closing(Server(*options)) as server:
        url = server.listening()
        root = url.rpartition("/")[0]
        with httpx2.Client(headers=WIRE, timeout=ENDS_WITHIN) as http:
            hello = http.post(url, json=request("initialize", **HELLO))
            session = hello.headers.get("mcp-session-id")
            known = {"Mcp-Session-Id": session} if session else {}
            running = [
                HalfSent(url, call("remember", content=f"Said at the end {n}"), **known)
                for n in range(3)
            ]
            server.process.send_signal(signal.SIGTERM)
            refused = 0
            while refused < 3:
                answer = http.post(url, json=request("ping"), headers=known)
                refused += answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
            assert "about to end" in answer.json()["error"]["message"]
            assert http.get(f"{root}/ready").status_code == 503
            assert http.get(f"{root}/health").status_code == 200
            answers = [each.finish() for each in running]
        assert server.process.wait(ENDS_WITHIN) == 0
    assert [answer[:12] for answer in answers] == ["HTTP/1.1 200"] * 3, answers
    with Memory.open(settings) as memory:
        stored = {each.text for each in memory.list_memories().memories}
    assert stored == {f"Said at the end {n}" for n in range(3)}


def test_a_call_that_never_ends_does_not_keep_a_server_alive(monkeypatch):
    monkeypatch.setenv("MEM_MCP_HTTP__DRAIN_SECONDS", "0.3")
    with closing(Server("--transport", "http", "--port", "0")) as server:
        url = server.listening()
        with closing(HalfSent(url, call("recall", query="x"))):
            assert server.terminate() == 0


def test_a_call_to_listen_holds_no_server_up():
    draining = Draining(3600)
    with draining.post(), draining.call("subscriptions/listen"):
        draining.begin()
        assert draining.over
    with draining.call("tools/call"):
        assert not draining.over
    assert draining.over
