"""A long conversation whose process is killed, and whose call is then repeated with its key."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from llm_server import LLMServer, Reply, Request, failing, said

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import RememberResult
from mem_mcp.extraction import window_reading

pytestmark = pytest.mark.anyio
WINDOW = 400
"""Tokens, so that there are many parts."""
KEEPS = re.compile(r"I keep item (\d+) in box (\d+)\.")
WORKER = """
import json, sys
from mem_mcp import Memory, Settings
from mem_mcp.extraction import window_reading

settings, window, talk = json.loads(sys.stdin.readline())
window_reading._WINDOW_TOKENS = window
with Memory.open(Settings.model_validate(settings)) as memory:
    print("open", flush=True)
    memory.remember(messages=talk, run_id="r", idempotency_key="k")
    print("done", flush=True)
"""


def settings(folder: Path, server: LLMServer) -> dict[str, Any]:
    llm = {"model": "openai/test", "api_base": server.url, "retries": 0, "deadline_seconds": 120}
    return {"data_dir": str(folder), "store": {"durability": "os"}, "llm": llm}


def conversation(messages: int) -> list[dict[str, str]]:
    return [
        {"role": "user", "content": f"I keep item {n} in box {n * 7}."} for n in range(messages)
    ]


def started(given: dict[str, Any], talk: list[dict[str, str]]) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(f"{json.dumps([given, WINDOW, talk])}\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "open\n"
    return worker


def reading(delay: float, unread: int | None = None) -> Any:
    """One fact for each message; of a part with the message `unread` no answer."""

    def answer(request: Request) -> Reply:
        found = KEEPS.findall(request.text.rpartition("<messages>")[2])
        if unread is not None and str(unread) in (item for item, _ in found):
            return failing(400)
        operations = [
            {"op": "ADD", "quote": f"I keep item {item} in box {box}.", "confidence": 0.9,
             "text": f"The user keeps item {item} in box {box}", "reason": "said"}
            for item, box in found
        ]  # fmt: skip
        return said(json.dumps({"operations": operations}), delay=delay)

    return answer


async def everything(memory: AsyncMemory) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while True:
        page = await memory.list_memories(limit=200, cursor=cursor)
        found += page.memories
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


def is_told(result: RememberResult, waiting: int) -> bool:
    """Whether an answer says what waits: a repeated call by number, a first one by part."""
    counts = [re.match(r"(\d+) of its messages wait", note) for note in result.degraded]
    if told := [int(count[1]) for count in counts if count]:
        return told == [waiting]
    return any("waits as it was given" in note for note in result.degraded) == (waiting > 0)


@pytest.mark.parametrize(
    ("moments", "messages"),
    [pytest.param(2, 80, id="some"), pytest.param(40, 300, id="many", marks=pytest.mark.full)],
)
@pytest.mark.slow
async def test_whenever_it_is_killed_the_same_call_goes_on_and_tells_the_whole_truth(
    tmp_path: Path, server: LLMServer, monkeypatch: pytest.MonkeyPatch, moments: int, messages: int
):
    monkeypatch.setattr(window_reading, "_WINDOW_TOKENS", WINDOW)
    rolls = random.Random(14)
    talk = conversation(messages)
    server.answer = reading(0.1)
    assert started(settings(tmp_path / "whole", server), talk).wait() == 0
    whole = len(server.requests)
    for moment in range(moments):
        given = settings(tmp_path / str(moment), server)
        server.answer = reading(0.1)
        server.requests.clear()
        worker = started(given, talk)
        # Anywhere between two requests: while a part is asked, written, or before the first.
        last = rolls.randrange(whole + 1)
        while len(server.requests) < last and worker.poll() is None:
            time.sleep(0.005)
        time.sleep(rolls.uniform(0, 0.5))
        worker.send_signal(signal.SIGKILL)
        worker.communicate()
        unread = rolls.randrange(messages) if moment % 2 else None
        server.answer = reading(0, unread)
        async with AsyncMemory.open(Settings.model_validate(given)) as memory:
            done = await memory.remember(messages=talk, run_id="r", idempotency_key="k")
            stored = await everything(memory)
            kept = [each for each in stored if each.status == "pending"]
            facts = [each for each in stored if each.status == "active"]
            assert {each.kind for each in kept} <= {"message"}
            assert {each.kind for each in facts} <= {"fact"}
            items = Counter(int(re.findall(r"item (\d+)", each.text)[0]) for each in stored)
            assert items == Counter(range(messages)), moment
            # In the same position, whichever call stored it.
            assert all(each.text == talk[each.position or 0]["content"] for each in kept)
            answered = {each.memory_id for each in done.results}
            assert answered == {each.memory_id for each in stored}, moment
            assert is_told(done, len(kept)), moment
            server.answer = reading(0)
            again = await memory.remember(messages=talk, run_id="r", idempotency_key="k")
            assert (len(again.results), again.degraded) == (messages, [])
            assert all(each.kind == "fact" for each in await everything(memory))
