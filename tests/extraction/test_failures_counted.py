"""What a model fails at: it is counted, asked for ever less often, given up, and stored once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from llm_server import LLMServer, Request, failing, said

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import GIVEN_UP, WAITS
from mem_mcp.cli import doctor_checks
from mem_mcp.errors import MemError
from mem_mcp.extraction import message_reading, pending, window_reading
from mem_mcp.operations import reprocess as reprocessing

pytestmark = pytest.mark.anyio
SHOP = {
    "operations": [
        {"op": "ADD", "quote": "I own a POISON shop", "text": "The user owns a POISON shop",
         "confidence": 0.9, "reason": "said"},
    ]
}  # fmt: skip
CUT = said('{"operations": [{"op": "ADD", "qu', finish="length")


@pytest.fixture
def configured(tmp_path: Path, server: LLMServer) -> Callable[..., Settings]:
    def settings(**llm: Any) -> Settings:
        given = {"model": "openai/test", "api_base": server.url, "retries": 0, **llm}
        data = {"data_dir": tmp_path / "memory", "store": {"durability": "os"}, "llm": given}
        return Settings.model_validate(data)

    return settings


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves the clock of what waits."""
    ahead = timedelta()
    real = pending.utc_now

    def now() -> datetime:
        return real() + ahead

    def move(by: timedelta) -> None:
        nonlocal ahead
        ahead += by

    monkeypatch.setattr(pending, "utc_now", now)
    monkeypatch.setattr(reprocessing, "utc_now", now)
    monkeypatch.setattr(message_reading, "utc_now", now)
    return move


async def unasked(memory: AsyncMemory) -> int:
    """Read what is due, as the background does; return how many requests that sent."""
    runtime = memory._runtime
    before = len(await reasons(memory))
    done = await reprocessing.reprocess(runtime, unasked=True)
    assert len(await reasons(memory)) == before - done.processed
    return done.llm.calls if done.llm else 0


async def reasons(memory: AsyncMemory) -> list[str | None]:
    found = await memory.list_memories(filters={"status": "pending"}, limit=200)
    return [each.reason for each in found.memories]


def failing_at(word: str, fault: Any = CUT) -> Callable[[Request], Any]:
    return lambda request: fault if word in request.text else {"operations": []}


async def test_what_the_model_never_manages_is_not_asked_for_at_every_write(
    configured: Callable[..., Settings], server: LLMServer
):
    server.answer = failing_at("POISON")
    async with AsyncMemory.open(configured(background=True)) as memory:
        await memory.remember(messages=[{"content": "I own a POISON shop"}])
        for number in range(10):
            await memory.remember(f"Plain note {number}.")
        await memory._background.close()
        assert len(server.requests) <= 4
        assert await reasons(memory) == [WAITS]


async def test_pauses_grow_until_it_is_given_up_and_said(
    configured: Callable[..., Settings], server: LLMServer, clock: Callable[[timedelta], None]
):
    server.answer = failing_at("POISON")
    settings = configured()
    async with AsyncMemory.open(settings) as memory:
        await memory.remember(messages=[{"content": "I own a POISON shop"}])
        asked_after = []
        for minutes in [0, *([1] * 200)]:
            clock(timedelta(minutes=minutes))
            asked_after.append(await unasked(memory))
        times = [minute for minute, calls in enumerate(asked_after) if calls]
        pauses = [later - earlier for earlier, later in zip([0, *times], times, strict=False)]
        assert pauses == [1, 5, 25, 125]
        assert await reasons(memory) == [GIVEN_UP]
        stats = await memory.stats()
        assert (stats.waiting, stats.given_up) == (1, 1)
        found = await memory.recall("POISON shop")
        assert [each.text for each in found.memories] == ["I own a POISON shop"]
        with pytest.raises(MemError, match="1 memory that the language model failed at too often"):
            await _in_thread(doctor_checks.what_waits, settings)
        # Who asks for it gets it asked for.
        server.requests.clear()
        done = await memory.reprocess()
        assert (done.waiting, bool(server.requests)) == (1, True)
        server.always(SHOP)
        assert (await memory.reprocess()).waiting == 0
        stats = await memory.stats()
        assert (stats.waiting, stats.given_up) == (0, 0)
        assert await _in_thread(doctor_checks.what_waits, settings) is not None


async def test_a_model_that_cannot_be_reached_counts_as_no_failure(
    configured: Callable[..., Settings], server: LLMServer
):
    server.always(failing(500))
    async with AsyncMemory.open(configured()) as memory:
        await memory.remember(messages=[{"content": "I own a POISON shop"}])
        for _ in range(pending.MOST_FAILURES + 2):
            await memory.reprocess()
        assert await reasons(memory) == [WAITS]
    server.always(SHOP)
    async with AsyncMemory.open(configured()) as memory:
        assert (await memory.reprocess()).waiting == 0


async def test_an_outcome_that_cannot_be_judged_is_given_up_too(
    configured: Callable[..., Settings], server: LLMServer
):
    server.always("no JSON at all")
    async with AsyncMemory.open(configured()) as memory:
        done = await memory.record_outcome("Deploy", logs=["Timeout after 30 s"])
        assert done.status == "pending"
        for _ in range(pending.MOST_FAILURES):
            await memory.reprocess()
        assert await reasons(memory) == [GIVEN_UP]
        server.requests.clear()
        assert await unasked(memory) == 0
        assert server.requests == []


async def test_a_request_with_one_failing_part_stores_no_part_twice(
    configured: Callable[..., Settings], server: LLMServer, monkeypatch: pytest.MonkeyPatch
):
    """Though the model words the same a little differently each time."""
    monkeypatch.setattr(window_reading, "_WINDOW_TOKENS", 100)
    talk = [{"content": f"I own boat {n}. {'Oh well. ' * 25}"} for n in range(6)]
    words = iter(range(1_000))

    def answer(request: Request) -> Any:
        new = request.text.rpartition("<messages>")[2]
        if "boat 2" in new:
            return failing(500)
        owned = re.findall(r"I own boat (\d)", new)
        return {
            "operations": [
                {"op": "ADD", "quote": f"I own boat {n}", "confidence": 0.9, "reason": "said",
                 "text": f"The user owns boat {n}{' indeed' * next(words)}"}
                for n in owned
            ]
        }  # fmt: skip

    async with AsyncMemory.open(configured()) as memory:
        server.always("no JSON at all")
        await memory.remember(messages=talk)
        server.answer = answer
        counts = []
        for _ in range(3):
            await memory.reprocess()
            found = (await memory.list_memories(limit=200)).memories
            counts.append(
                [sum(each.kind == kind for each in found) for kind in ("fact", "message")]
            )
        assert counts == [counts[0]] * 3
        assert sum(counts[0]) == 6
        assert counts[0][0] >= 4


async def _in_thread(check: Callable[[Settings], Any], settings: Settings) -> Any:
    import anyio.to_thread  # noqa: PLC0415 - the checks run loops of their own

    return await anyio.to_thread.run_sync(check, settings)
