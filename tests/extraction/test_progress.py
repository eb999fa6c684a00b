"""How far a long conversation is read, as its caller is told."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llm_server import LLMServer, Request, failing
from mcp import Client

from mem_mcp import AsyncMemory, Memory, Settings
from mem_mcp.config import LLMSettings, StoreSettings
from mem_mcp.extraction import window_reading
from mem_mcp.server.app import build_server
from mem_mcp.server.lazy_memory import LazyMemory

pytestmark = pytest.mark.anyio
NOTHING: dict[str, Any] = {"operations": []}
TALK = [{"role": "user", "content": f"We talked of item {number}. " * 6} for number in range(5)]


@pytest.fixture(autouse=True)
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few messages fill several: what would fill real ones takes seconds to embed."""
    monkeypatch.setattr(window_reading, "_WINDOW_TOKENS", 100)


@pytest.fixture
def server() -> Iterator[LLMServer]:
    with LLMServer() as running:
        running.always(NOTHING)
        yield running


@pytest.fixture
def settings(tmp_path: Path, server: LLMServer) -> Settings:
    return Settings(
        data_dir=tmp_path / "memory",
        store=StoreSettings(durability="os"),
        llm=LLMSettings(model="openai/test", api_base=server.url, retries=0),
    )


@pytest.fixture(params=["auto", "legacy"])
async def client(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Client]:
    lazy = LazyMemory(settings)
    async with Client(build_server(lazy), mode=request.param) as connected:
        yield connected
    await lazy.close()


def steps(parts: int) -> list[tuple[float, int]]:
    """What is told of so many parts: that each begins, and that it ends."""
    return [(step / 2, parts) for step in range(1, 2 * parts + 1)]


@pytest.mark.parametrize("fails", [False, True], ids=["all read", "one part not"])
async def test_a_client_hears_of_each_part_in_order_until_all_are_done(
    client: Client, server: LLMServer, fails: bool
):
    def answer(_: Request) -> Any:
        return failing(500) if fails and len(server.requests) == 2 else NOTHING

    server.answer = answer
    heard: list[tuple[float, float | None]] = []

    async def progress(done: float, total: float | None, _: str | None) -> None:
        heard.append((done, total))

    result = await client.call_tool("remember", {"messages": TALK}, progress_callback=progress)
    assert not result.is_error
    parts = len(server.requests)
    assert parts > 2
    assert heard == steps(parts)
    notes = result.structured_content.get("degraded", [])
    # Parts are read side by side, so any of them may be the second request.
    assert any(re.match(r"part \d+ of \d+", note) for note in notes) == fails


async def test_a_client_need_not_ask_for_it_and_cannot_give_the_context_itself(client: Client):
    given = {"messages": TALK[:1]}
    assert not (await client.call_tool("remember", given)).is_error
    assert (await client.call_tool("remember", {**given, "context": {}})).is_error
    (tool,) = [each for each in (await client.list_tools()).tools if each.name == "remember"]
    assert "context" not in tool.input_schema["properties"]


async def test_a_callback_may_be_async_or_not(settings: Settings, server: LLMServer):
    heard: list[tuple[float, int]] = []

    def plain(done: float, total: int) -> None:
        heard.append((done, total))

    async def waited_for(done: float, total: int) -> None:
        plain(done, total)

    async with AsyncMemory.open(settings) as memory:
        for told in (plain, waited_for):
            heard.clear()
            server.requests.clear()
            await memory.remember(messages=TALK, on_progress=told)
            parts = len(server.requests)
            assert heard == steps(parts)
        heard.clear()
        await memory.remember("as it is", on_progress=plain)
        assert heard == []


def test_the_blocking_memory_tells_it_too(settings: Settings):
    heard: list[tuple[float, int]] = []
    with Memory.open(settings) as memory:
        memory.remember(messages=[{"content": "hi"}], on_progress=lambda *told: heard.append(told))
    assert heard == steps(1)


async def test_a_conversation_that_waited_is_told_of_by_its_parts(
    settings: Settings, server: LLMServer
):
    heard: list[tuple[float, int]] = []
    async with AsyncMemory.open(settings) as memory:
        server.always(failing(400))
        await memory.remember(messages=TALK)
        await memory.remember(messages=TALK[:1])
        server.always(NOTHING)
        server.requests.clear()
        await memory.reprocess(on_progress=lambda *told: heard.append(told))
        parts = len(server.requests) - 1
    assert parts > 2
    first = [(step / 2 / parts, 2) for step in range(1, 2 * parts)]
    assert heard == [*first, (1, 2), (1.5, 2), (2, 2)]


async def test_pictures_logs_and_what_waits_are_told_of_too(settings: Settings, server: LLMServer):
    heard: list[tuple[float, int]] = []

    def told(done: float, total: int) -> None:
        heard.append((done, total))

    data = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    picture = {"type": "image", "data": data, "mimeType": "image/png"}
    judged = {
        "outcome": "success", "evidence": ["3 passed"], "summary": "", "lesson": "",
        "differently": "", "confidence": 0.9,
    }  # fmt: skip
    answers: list[tuple[Any, Callable[[AsyncMemory], Any], int]] = [
        (
            {"description": "A red bicycle", "operations": []},
            lambda memory: memory.remember(
                messages=[{"content": [picture, picture]}, {"content": "Hi"}], on_progress=told
            ),
            3,
        ),
        (
            {"overview": "How", "steps": [], "findings": [], "errors": [], "resume": ""},
            lambda memory: memory.remember(
                "ran pytest", kind="procedure", infer="always", on_progress=told
            ),
            1,
        ),
        (judged, lambda memory: memory.record_outcome("T", logs=["3 passed"], on_progress=told), 1),
        (judged, lambda memory: memory.reprocess(outcomes=True, on_progress=told), 1),
    ]
    vision = settings.llm.model_copy(update={"vision": True})
    async with AsyncMemory.open(settings.model_copy(update={"llm": vision})) as memory:
        for answer, call, parts in answers:
            heard.clear()
            server.always(answer)
            await call(memory)
            assert heard[-1] == (parts, parts)
            assert [done for done, _ in heard] == [done for done, _ in steps(parts)]
