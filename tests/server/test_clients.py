"""A version of a memory says which client it came through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from guarded import HELLO, request, serving
from mcp import Client
from mcp.types import Implementation

from mem_mcp import AsyncMemory, Settings
from mem_mcp.current_client import through
from mem_mcp.server.app import build_server
from mem_mcp.server.lazy_memory import LazyMemory

pytestmark = pytest.mark.anyio


async def clients(settings: Settings) -> dict[str, str | None]:
    """Return the client of each memory, by its text."""
    async with AsyncMemory.open(settings) as memory:
        listed = (await memory.list_memories(limit=200)).memories
        return {one.text: (await memory.get_memory(one.memory_id)).memory.client for one in listed}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_name_of_an_mcp_client_stays_with_what_it_wrote(settings: Settings, mode: str):
    lazy = LazyMemory(settings)
    for name in ("claude-code", "Cursor\n\x1b[2J\u202eadmin", " ", "x" * 500):
        info = Implementation(name=name, version="1")
        async with Client(build_server(lazy), mode=mode, client_info=info) as client:
            said = await client.call_tool("remember", {"content": f"Said by {name[:6].strip()}"})
            assert not said.is_error
            if name == "x" * 500:
                (one,) = said.structured_content["results"]
                change = {"memory_id": one["memory_id"], "content": "Changed by x"}
                await client.call_tool("update_memory", change)
    await lazy.close()
    assert await clients(settings) == {
        "Said by claude": "claude-code",
        "Said by Cursor": "Cursor \ufffd[2Jadmin",
        "Said by ": None,
        "Changed by x": "x" * 79 + "…",
    }


async def test_over_http_every_session_has_its_own(settings: Settings):
    async with serving(settings) as server:
        for name in ("vscode", "zed"):
            hello = {**HELLO, "clientInfo": {"name": name, "version": "1"}}
            session = (await server.post(request("initialize", **hello))).headers["mcp-session-id"]
            call = {"name": "remember", "arguments": {"content": f"Said by {name}"}}
            said = await server.post(request("tools/call", **call), **{"Mcp-Session-Id": session})
            assert said.status_code == 200
            await said.aread()
    assert await clients(settings) == {"Said by vscode": "vscode", "Said by zed": "zed"}


async def test_python_is_one_and_an_export_carries_them_all(settings: Settings, tmp_path: Path):
    async with AsyncMemory.open(settings) as memory:
        await memory.remember("Said in Python")
        with through("zed"):
            (one,) = (await memory.remember("Said in an editor")).results
        with through(None):
            await memory.update_memory(one.memory_id, tags=["x"])
        assert (await memory.list_memories(filters={"client": "python"})).total == 1
        lines = [line.encode() async for line in memory.export_lines()]
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "copy")) as copy:
        with through("cli"):
            assert (await copy.import_lines(lines)).imported == 3
            plain = json.dumps({"text": "A line of another program", "client": "who knows"})
            await copy.import_lines([plain.encode()])
        history = (await copy.get_memory(one.memory_id, history=True)).versions
        assert [version.client for version in history] == ["zed", None]
    assert await clients(Settings(data_dir=tmp_path / "copy")) == {
        "Said in Python": "python",
        "Said in an editor": None,
        "A line of another program": "cli",
    }
