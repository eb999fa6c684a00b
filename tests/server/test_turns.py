"""Whose call is next."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from mem_mcp.server import turns
from mem_mcp.server.turns import Turns

pytestmark = pytest.mark.anyio
ENDS_WITHIN = 60  # seconds; a guard against hanging, never a measurement


class Calls:
    """Calls of tokens, each of which holds its turn until it is ended."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.inside: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def call(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.inside.append(name)
            await self.ends[name].wait()

    async def start(self, *names: str) -> None:
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self.call(name))
            await asyncio.sleep(0)

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
            await asyncio.wait_for(self.tasks[name], ENDS_WITHIN)
            await asyncio.sleep(0)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    monkeypatch.setattr(turns, "_TURN_SECONDS", 3_600)
    monkeypatch.setattr(turns, "_ASKS_SECONDS", 3_600)
    return Calls()


async def test_who_asks_alone_waits_for_nobody(calls: Calls):
    await calls.start("a1", "a2", "a3", "a4", "a5")
    assert calls.inside == ["a1", "a2", "a3", "a4", "a5"]
    await calls.end(*calls.tasks)


async def test_many_calls_of_one_leave_another_s_call_its_turn(calls: Calls):
    await calls.start("b1")
    await calls.end("b1")
    await calls.start("a1", "a2", "a3", "a4", "b2", "c1")
    assert calls.inside == ["b1", "a1", "a2", "b2", "c1"]
    await calls.end("a2", "a1")
    assert calls.inside[-2:] == ["a3", "a4"]
    await calls.end("a3", "a4", "b2", "c1")


async def test_calls_from_when_one_asked_alone_end_before_its_next_begin(calls: Calls):
    await calls.start("a1", "a2", "a3", "a4", "b1", "a5")
    assert calls.inside[-1] == "b1"
    await calls.end("a1", "a2")
    assert calls.inside[-1] == "b1"
    await calls.end("a3")
    assert calls.inside[-1] == "a5"
    await calls.end("a4", "a5", "b1")


async def test_a_call_that_takes_long_gives_its_turn_to_the_next(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(turns, "_TURN_SECONDS", 0)
    await calls.start("b1", "a1", "a2", "a3")
    async with asyncio.timeout(ENDS_WITHIN):
        while "a3" not in calls.inside:
            await asyncio.sleep(0)
    await calls.end(*calls.tasks)


async def test_who_gives_up_waiting_leaves_the_turn_to_others(calls: Calls):
    await calls.start("b1", "a1", "a2", "a3", "a4")
    calls.tasks["a3"].cancel()
    await calls.end("a1")
    assert calls.inside[-1] == "a4"
    await calls.end("a2", "a4", "b1")


async def test_nothing_is_kept_of_calls_that_have_ended(calls: Calls):
    async with AsyncExitStack() as held:
        for name in ("a", "a", "b"):
            await held.enter_async_context(calls.turns.turn(name))
    assert not calls.turns._running
    assert not calls.turns._waiting
