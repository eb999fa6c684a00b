"""What a server refuses of who may call: foreign names, and too much."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from guarded import HELLO, bearer, request, serving
from mcp import MCPError

from mem_mcp import Settings
from mem_mcp.config import AuthSettings, HttpSettings, LimitSettings
from mem_mcp.errors import ConfigError
from mem_mcp.server import deadline
from mem_mcp.server.rates import Rates

TRANSPORTS = ("http", "sse")
ENDS_WITHIN = 60  # seconds; a guard against hanging, never a measurement
OUTSIDE = "0.0.0.0"


def limited(settings: Settings, **limits: Any) -> Settings:
    return settings.model_copy(update={"limits": LimitSettings(**limits)})


# Names


@pytest.mark.anyio
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("host", ["127.0.0.1", OUTSIDE])
async def test_another_name_is_turned_away_on_every_address(
    settings: Settings, transport: str, host: str
):
    http = HttpSettings(hosts=["Memory.example.com"])
    named = settings.model_copy(update={"http": http})
    async with serving(named, transport, host, insecure=True) as server:

        async def status(**headers: str) -> int:
            return (await server.post(request("ping"), **headers)).status_code

        at_home = await status()
        assert at_home not in (421, 403)
        for name in ("memory.example.com", "memory.example.com:443", "MEMORY.example.com:8000"):
            assert await status(Host=name) == at_home
            assert await status(Origin=f"https://{name}") == at_home
        for name in (
            "evil.example", "evil.example:8000", "memory.example.com.evil.example", "",
            "memory.example.com@evil.example", "evil.example/memory.example.com", "0.0.0.0",
            "xmemory.example.com", "127.0.0.1.evil.example", "[::]", "memory.example.com:x",
        ):  # fmt: skip
            assert await status(Host=name) == 421, name
            if name:
                assert await status(Origin=f"http://{name}") == 403, name
        for origin in ("null", "file://memory.example.com", "memory.example.com"):
            assert await status(Origin=origin) == 403, origin


@pytest.mark.anyio
async def test_the_public_address_is_a_name_of_the_server(settings: Settings):
    auth = AuthSettings(resource_url="https://memory.example.com/mcp")
    async with serving(settings.model_copy(update={"auth": auth})) as server:
        answer = await server.post(request("ping"), Host="memory.example.com")
        assert answer.status_code != 421


@pytest.mark.anyio
async def test_an_address_that_others_reach_needs_a_token_or_insecure(settings: Settings):
    with pytest.raises(ConfigError, match="token create"):
        async with serving(settings, host=OUTSIDE):
            pass
    async with serving(settings) as server:
        server.token("alice")
        server.revoke("alice")
    with pytest.raises(ConfigError, match="token create"):
        async with serving(settings, host=OUTSIDE):
            pass
    server.token("alice")
    for insecure in (False, True):
        async with serving(settings, host=OUTSIDE, insecure=insecure) as asking:
            assert (await asking.post(request("initialize", **HELLO))).status_code == 401


# Limits


@pytest.mark.anyio
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_body_that_is_too_large_is_refused(settings: Settings, transport: str):
    async with serving(limited(settings, body_bytes=1_000), transport) as server:
        token = server.token("alice")
        if transport == "sse":
            server.url = server.url.replace("/sse", "/messages/")
        answer = await server.post(b"x" * 1_001, **bearer(token))
        assert answer.status_code == 413
        # Who is not let in is told so first.
        assert (await server.post(b"x" * 1_001)).status_code == 401


@pytest.mark.anyio
async def test_too_many_requests_a_minute_are_told_when_to_come_again(settings: Settings):
    async with serving(limited(settings, requests_per_minute=3)) as server:
        alice, bob = server.token("alice"), server.token("bob")
        answers = [
            await server.post(request("initialize", **HELLO), **bearer(alice)) for _ in range(5)
        ]
        assert [answer.status_code for answer in answers][:3] == [200] * 3
        assert answers[4].status_code == 429
        assert 1 <= int(answers[4].headers["retry-after"]) <= 20
        other = await server.post(request("initialize", **HELLO), **bearer(bob))
        assert other.status_code == 200


@pytest.mark.anyio
async def test_too_many_requests_at_once_are_refused_and_others_are_served(settings: Settings):
    async with serving(limited(settings, calls_at_once=2)) as server:
        alice, bob = server.token("alice"), server.token("bob")
        go, inside = asyncio.Event(), asyncio.Semaphore(0)

        async def held(*_: Any, **__: Any) -> Any:
            inside.release()
            await go.wait()
            raise RuntimeError

        get, server.lazy.get = server.lazy.get, held
        call = request("tools/call", name="recall", arguments={"query": "x"})
        hello = await server.post(request("initialize", **HELLO), **bearer(alice))
        session = {"Mcp-Session-Id": hello.headers["mcp-session-id"], **bearer(alice)}
        running = [asyncio.create_task(server.post(call | {"id": n}, **session)) for n in range(2)]
        async with asyncio.timeout(ENDS_WITHIN):
            for _ in running:
                await inside.acquire()
        answer = await server.post(request("tools/list"), **session)
        assert answer.status_code == 429
        assert answer.headers["retry-after"]
        hello = await server.post(request("initialize", **HELLO), **bearer(bob))
        assert hello.status_code == 200
        go.set()
        assert [answer.status_code for answer in await asyncio.gather(*running)] == [200] * 2
        assert (await server.post(request("tools/list"), **session)).status_code == 200
        server.lazy.get = get


def test_a_minute_s_requests_come_back_evenly():
    rates = Rates(LimitSettings(requests_per_minute=60))
    assert [rates.wait("a", 0.0) for _ in range(60)] == [0] * 60
    assert rates.wait("a", 0.0) == pytest.approx(1)
    assert rates.wait("a", 0.5) == pytest.approx(0.5)
    assert rates.wait("a", 1.0) == 0
    assert rates.wait("a", 1.0) > 0
    assert rates.wait("b", 1.0) == 0
    assert rates.wait("a", 1_000.0) == 0


def test_without_bounds_nothing_is_counted():
    rates = Rates(LimitSettings(calls_at_once=0))
    assert {rates.wait("a", 0.0) for _ in range(10_000)} == {0}


@pytest.mark.anyio
async def test_a_call_that_takes_too_long_is_given_up_and_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    async def never(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    async with serving(settings) as server:
        memory = await server.lazy.get()
        async with server.client(server.token("alice")) as client:
            monkeypatch.setattr(deadline, "_LEAST_BESIDE", -settings.llm.deadline_seconds)
            at_once = limited(settings, seconds_per_call=0.01)
            monkeypatch.setattr(server.lazy, "settings", at_once)
            monkeypatch.setattr(type(memory), "recall", never)
            monkeypatch.setattr(type(memory), "stats", never)
            given_up = await client.call_tool("recall", {"query": "x"})
            assert given_up.is_error
            assert "deadline" in given_up.content[0].text
            with pytest.raises(MCPError, match="deadline"):
                await client.read_resource("memory://stats")
