"""Answers that are longer than they may be: what they began counts, the rest is asked for again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from llm_server import LLMServer, Reply, Request, failing, said

from mem_mcp import AsyncMemory, Settings

pytestmark = pytest.mark.anyio
KEEPS = re.compile(r"I keep item (\d+) in box (\d+)")
MESSAGES = 90
TALK = [
    {"role": "user", "content": f"I keep item {n} in box {n * 7}. {'Oh well. ' * 10}"}
    for n in range(MESSAGES)
]
TOKENS = 90
"""Of an operation."""


@pytest.fixture
async def memory(tmp_path: Path, server: LLMServer) -> AsyncIterator[AsyncMemory]:
    llm = {"model": "openai/test", "api_base": server.url, "retries": 0, "deadline_seconds": 300}
    settings = {"data_dir": tmp_path / "m", "store": {"durability": "os"}, "llm": llm}
    async with AsyncMemory.open(Settings.model_validate(settings)) as opened:
        yield opened


def writing(spent: list[int], fault: Callable[[list[str]], Reply | None]) -> Any:
    """One operation for each new message, cut where the answer may be no longer."""

    def answer(request: Request) -> Reply:
        found = KEEPS.findall(request.text.rpartition("<messages>")[2])
        if reply := fault([item for item, _ in found]):
            return reply
        operations = [
            {"op": "ADD", "quote": f"I keep item {item} in box {box}", "confidence": 0.9,
             "text": f"The user keeps item {item} in box {box}", "reason": "said"}
            for item, box in found
        ]  # fmt: skip
        text = json.dumps({"operations": operations})
        needed, most = TOKENS * len(operations), request.body["max_tokens"]
        spent.append(min(needed, most))
        cut = needed > most
        return said(text[: len(text) * most // needed] if cut else text,
                    finish="length" if cut else "stop")  # fmt: skip

    return answer


async def items(memory: AsyncMemory, status: str) -> Counter[int]:
    found = (await memory.list_memories(filters={"status": status}, limit=200)).memories
    return Counter(int(re.findall(r"item (\d+)", each.text)[0]) for each in found)


async def test_a_window_whose_answer_is_too_long_ends_at_less_than_twice_the_tokens(
    memory: AsyncMemory, server: LLMServer
):
    spent: list[int] = []
    server.answer = writing(spent, lambda _: None)
    done = await memory.remember(messages=TALK)
    assert done.degraded == []
    assert await items(memory, "active") == Counter(range(MESSAGES))
    assert await items(memory, "pending") == Counter()
    assert sum(spent) <= 2 * TOKENS * MESSAGES


async def test_what_is_asked_again_and_fails_then_waits(memory: AsyncMemory, server: LLMServer):
    """The answer that was cut has ended only what it read."""
    asked: Counter[str] = Counter()

    def fault(new: list[str]) -> Reply | None:
        asked.update(new)
        return failing(400) if any(asked[item] > 1 for item in new) else None

    server.answer = writing([], fault)
    done = await memory.remember(messages=TALK)
    assert any("waits as it was given" in note for note in done.degraded)
    active, pending = await items(memory, "active"), await items(memory, "pending")
    assert min(len(active), len(pending)) > 0
    assert active + pending == Counter(range(MESSAGES))
    server.answer = writing([], lambda _: None)
    assert (await memory.reprocess()).waiting == 0
    assert await items(memory, "active") == Counter(range(MESSAGES))


async def test_a_single_message_is_read_in_halves_and_ends_once(
    memory: AsyncMemory, server: LLMServer
):
    long = " ".join(f"I keep item {n} in box {n * 7}, you know, oh well." for n in range(40))
    server.answer = writing([], lambda _: None)
    done = await memory.remember(messages=[{"role": "user", "content": long}])
    assert done.degraded == []
    assert await items(memory, "active") == Counter(range(40))
    assert await items(memory, "pending") == Counter()
