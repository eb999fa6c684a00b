"""Tokens over real HTTP: who gets in, and whose memory a call is about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from guarded import HELLO, bearer, request, serving
from mcp import MCPError

from mem_mcp import Settings
from mem_mcp.config import AuthSettings
from mem_mcp.times import utc_now

TRANSPORTS = ("http", "sse")
TODAY_AND_BEFORE = ("auto", "legacy")


def texts(result: Any) -> list[str]:
    assert not result.is_error, result.content
    return [one["text"] for one in result.structured_content["memories"]]


def refusal(result: Any) -> str:
    assert result.is_error
    return result.content[0].text


@pytest.mark.anyio
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("mode", TODAY_AND_BEFORE)
async def test_a_token_decides_whose_memory_a_call_is_about(
    settings: Settings, transport: str, mode: str
):
    async with serving(settings, transport) as server:
        tokens = {user: server.token(user) for user in ("alice", "bob")}
        for user, token in tokens.items():
            async with server.client(token, mode) as client:
                await client.call_tool("remember", {"content": f"The cat of {user} is grey"})
        for user, token in tokens.items():
            async with server.client(token, mode) as client:
                found = await client.call_tool("recall", {"query": "Whose cat is grey?"})
                assert texts(found) == [f"The cat of {user} is grey"]
                same = await client.call_tool("recall", {"query": "cat", "user_id": user})
                assert texts(same)
                other = await client.call_tool("recall", {"query": "cat", "user_id": "carol"})
                assert "your token" in refusal(other)
                assert "carol" not in refusal(other)


@pytest.mark.anyio
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_without_a_valid_token_nobody_gets_in_and_nobody_is_told_why(
    settings: Settings, transport: str
):
    async with serving(settings, transport) as server:
        kept = server.token("alice")
        over = server.token("alice", expires_at=utc_now() + timedelta(milliseconds=1))
        gone = server.token("bob")
        server.revoke("bob")
        headers = ({}, bearer(over), bearer(gone), bearer(kept[:-1]), {"Authorization": kept})
        answers = [await server.post(request("initialize", **HELLO), **given) for given in headers]
        assert [answer.status_code for answer in answers] == [401] * len(headers)
        assert len({answer.content for answer in answers}) == 1
        assert all("Bearer" in answer.headers["www-authenticate"] for answer in answers)


@pytest.mark.anyio
async def test_a_token_that_is_not_quite_one_is_refused_without_detail(settings: Settings):
    async with serving(settings) as server:
        alice, bob = server.token("alice"), server.token("bob")
        hashes = [one.sha256 for one in server.file.read()]
        half = len(alice) // 2
        forged = [
            "null", "undefined", "memmcp_", "*", "alice", "Bearer", '""', "a" * 16_000,
            alice[:-1], alice[1:], alice[:half], alice[half:], alice + "a", alice + "=", alice * 2,
            alice[:half] + bob[half:], bob[:half] + alice[half:], alice[::-1], alice.swapcase(),
            alice.upper(), alice.removeprefix("memmcp_"), f"{alice} {bob}", f"{alice},{bob}",
            f'"{alice}"', f"{alice}\t x", alice.replace("_", "-", 1), f"{alice}%00", *hashes,
            *(one.id for one in server.file.read()), "memmcp_" + "A" * 43, "e30.e30.e30",
        ]  # fmt: skip
        for place in range(0, len(alice), 7):
            other = "A" if alice[place] != "A" else "B"
            forged.append(alice[:place] + other + alice[place + 1 :])
        missing = await server.post(request("initialize", **HELLO))
        for token in forged:
            answer = await server.post(request("initialize", **HELLO), **bearer(token))
            assert (answer.status_code, answer.content) == (401, missing.content), token
            assert answer.headers["www-authenticate"] == missing.headers["www-authenticate"]
        schemes = (f"Basic {alice}", f"Token {alice}", alice, f"Bearer{alice}")
        for given in schemes:
            answer = await server.post(request("initialize", **HELLO), Authorization=given)
            assert (answer.status_code, answer.content) == (401, missing.content), given
        assert len([*forged, *schemes]) >= 40
        by_key = await server.post(request("initialize", **HELLO), **{"X-API-Key": alice})
        assert by_key.status_code == 401
        for token in (alice, bob):
            hello = await server.post(request("initialize", **HELLO), **bearer(token))
            assert hello.status_code == 200


@pytest.mark.anyio
async def test_a_token_of_the_settings_reads_and_writes(settings: Settings):
    token = "a-long-secret-of-a-deployment-0123456789"
    auth = AuthSettings(tokens={token: "alice"})
    async with serving(settings.model_copy(update={"auth": auth})) as server:
        assert (await server.post(request("initialize", **HELLO))).status_code == 401
        async with server.client(token) as client:
            await client.call_tool("remember", {"content": "Tea at four"})
            assert texts(await client.call_tool("recall", {"query": "tea"})) == ["Tea at four"]
            shared = {"content": "x", "user_id": "global"}
            assert (await client.call_tool("remember", shared)).is_error


@pytest.mark.anyio
async def test_a_token_that_is_revoked_in_the_middle_of_a_session_ends_it(settings: Settings):
    async with serving(settings) as server:
        token = server.token("alice")
        hello = await server.post(request("initialize", **HELLO), **bearer(token))
        session = {"Mcp-Session-Id": hello.headers["mcp-session-id"], **bearer(token)}
        assert (await server.post(request("tools/list"), **session)).status_code == 200
        server.revoke("alice")
        assert (await server.post(request("tools/list"), **session)).status_code == 401


@pytest.mark.anyio
async def test_a_session_is_its_token_s_alone(settings: Settings):
    async with serving(settings) as server:
        alice, bob = server.token("alice"), server.token("bob")
        hello = await server.post(request("initialize", **HELLO), **bearer(alice))
        session = {"Mcp-Session-Id": hello.headers["mcp-session-id"]}
        taken = await server.post(request("tools/list"), **session, **bearer(bob))
        assert taken.status_code == 404


@pytest.mark.anyio
async def test_a_server_that_asked_for_tokens_goes_on_asking_when_the_last_is_revoked(
    settings: Settings,
):
    async with serving(settings) as server:
        assert (await server.post(request("initialize", **HELLO))).status_code == 200
        server.token("alice")
        assert (await server.post(request("initialize", **HELLO))).status_code == 401
        server.revoke("alice")
        assert (await server.post(request("initialize", **HELLO))).status_code == 401
        server.file.path.unlink()
        assert (await server.post(request("initialize", **HELLO))).status_code == 401


@pytest.mark.anyio
async def test_a_damaged_file_of_tokens_lets_nobody_in(settings: Settings):
    async with serving(settings) as server:
        token = server.token("alice")
        server.file.path.write_text('{"version": 1, "tokens": [')
        answer = await server.post(request("initialize", **HELLO), **bearer(token))
        assert answer.status_code == 401


@pytest.mark.anyio
@pytest.mark.parametrize("mode", TODAY_AND_BEFORE)
async def test_a_scope_that_a_token_does_not_have_is_named(settings: Settings, mode: str):
    async with serving(settings) as server:
        reader, writer = server.token("alice", "read"), server.token("alice", "write")
        async with server.client(writer, mode) as client:
            done = await client.call_tool("remember", {"content": "Tea at four"})
            (stored,) = done.structured_content["results"]
            again = await client.call_tool("remember", {"content": "Tea at five"})
            assert "Tea at four" not in str(again)
            with pytest.raises(MCPError, match="'read'"):
                await client.call_tool("recall", {"query": "tea"})
            counting = {"filters": {"text": {"contains": "Tea"}}}
            assert "'read'" in refusal(await client.call_tool("forget", counting))
        async with server.client(reader, mode) as client:
            assert "Tea at four" in texts(await client.call_tool("recall", {"query": "tea"}))
            for name, given in {
                "remember": {"content": "x"},
                "forget": {"memory_id": stored["memory_id"]},
                "update_memory": {"memory_id": stored["memory_id"], "content": "y"},
                "record_outcome": {"task": "x", "outcome": "success"},
                "give_feedback": {"memory_id": stored["memory_id"], "feedback": "POSITIVE"},
            }.items():
                with pytest.raises(MCPError, match="'write'"):
                    await client.call_tool(name, given)


@pytest.mark.anyio
async def test_what_all_users_share_is_written_with_the_scope_global_alone(settings: Settings):
    async with serving(settings) as server:
        plain, sharing = server.token("alice", "read", "write"), server.token("bob")
        async with server.client(plain) as client:
            for given in ({"user_id": "global"}, {"user_id": " Global "}):
                shared = {"content": "For all", **given}
                assert (await client.call_tool("remember", shared)).is_error
            for word in ("global", "everyone", "Shared"):
                outcome = {"task": "x", "outcome": "success", "user_scope": word}
                assert "'global'" in refusal(await client.call_tool("record_outcome", outcome))
        async with server.client(sharing) as client:
            done = await client.call_tool("remember", {"content": "For all", "user_id": "global"})
            memory_id = done.structured_content["results"][0]["memory_id"]
        async with server.client(plain) as client:
            assert texts(await client.call_tool("recall", {"query": "For all"})) == ["For all"]
            change = {"memory_id": memory_id, "content": "For nobody"}
            assert (await client.call_tool("update_memory", change)).is_error
        async with server.client(server.token("carol")) as client:
            assert not (await client.call_tool("update_memory", change)).is_error


@pytest.mark.anyio
async def test_counts_of_everybody_are_an_admin_s_who_sees_no_texts(settings: Settings):
    async with serving(settings) as server:
        async with server.client(server.token("alice")) as client:
            await client.call_tool("remember", {"content": "Alice's own words"})
        async with server.client(server.token("root", "admin")) as client:
            (stats,) = (await client.read_resource("memory://stats")).contents
            assert '"memories": 1' in stats.text
            assert "own words" not in stats.text
            with pytest.raises(MCPError, match="'read'"):
                await client.call_tool("recall", {"query": "words"})
        async with server.client(server.token("bob", "read", "write")) as client:
            with pytest.raises(Exception, match="admin"):
                await client.read_resource("memory://stats")
