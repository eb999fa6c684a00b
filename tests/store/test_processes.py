"""Several processes on one directory, and one that is killed: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from mem_mcp import AsyncMemory, Memory, Settings

PROCESSES = 3
ROUNDS = 2
ITEMS = 12
DOORS = 10
UPDATES = 8
TURNS = 4

# A worker opens the memory, says so, and does one kind of work for each line that it reads.
WORKER = (
    f"""
ITEMS, DOORS, UPDATES, TURNS = {ITEMS}, {DOORS}, {UPDATES}, {TURNS}
"""
    + """
import asyncio
import json
import sys

from mem_mcp import AsyncMemory, Settings


def tell(**said):
    print(json.dumps(said), flush=True)


async def distinct(memory, me):
    for n in range(ITEMS):
        text = f"Worker {me} put item {n} on shelf {me * 100 + n}"
        (one,) = (await memory.remember(text, user_id="distinct")).results
        tell(event=one.event, memory_id=one.memory_id)


async def same(memory, me):
    for n in range(DOORS):
        (one,) = (await memory.remember(f"Door {n} has code {n * 37}", user_id="same")).results
        tell(event=one.event, memory_id=one.memory_id)


async def updates(memory, me):
    (one,) = (await memory.list_memories(user_id="updates")).memories
    for n in range(UPDATES):
        change = {f"{me}.{n}": n}
        result = await memory.update_memory(one.memory_id, metadata=change, user_id="updates")
        tell(version=result.version)


async def appends(memory, me):
    for n in range(TURNS):
        turn = [{"role": "user", "content": f"{me} {n} {part}"} for part in range(3)]
        await memory.remember(messages=turn, run_id="r", user_id="appends")


async def endless(memory, me):
    n = 0
    while True:
        (one,) = (await memory.remember(f"{me} remembers number {n}")).results
        tell(memory_id=one.memory_id, version=1, text=one.text)
        updated = await memory.update_memory(one.memory_id, tags=[f"n{n}"])
        tell(memory_id=one.memory_id, version=updated.version, text=one.text)
        n += 1


async def main(data_dir, me):
    settings = Settings(data_dir=data_dir, store={"maintain_every": 10})
    async with AsyncMemory.open(settings) as memory:
        await memory.warm()
        tell(ready=True)
        while work := (await asyncio.to_thread(sys.stdin.readline)).strip():
            await globals()[work](memory, me)
            tell(ready=True)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""
)


class Worker:
    """A process of its own on the directory."""

    def __init__(self, data_dir: Path, me: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, str(data_dir), str(me)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def start(self, work: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{work}\n")
        self.process.stdin.flush()

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.endswith("\n"), f"the worker ended with {self.process.wait()}"
        return dict(json.loads(line))

    def until_ready(self) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = []
        while (line := self.line()) != {"ready": True}:
            said.append(line)
        return said

    def kill(self) -> list[dict[str, Any]]:
        """End it at once; return what it still had said."""
        self.process.send_signal(signal.SIGKILL)
        rest, _ = self.process.communicate()
        return [json.loads(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]


Said = dict[str, list[list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "memory"


@pytest.fixture(scope="module")
def said(shared_dir: Path) -> Said:
    """What the workers answered, by kind of work; they begin each kind together."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(shared_dir, me)) for me in range(PROCESSES)]
        for worker in workers:
            worker.until_ready()
        with Memory.open(Settings(data_dir=shared_dir)) as memory:
            memory.remember("the counter", user_id="updates")
        answers: Said = {}
        for work in ("distinct", "same", "updates", "appends"):
            for worker in workers:
                worker.start(work)
            answers[work] = [worker.until_ready() for worker in workers]
        for worker in workers:
            worker.start("")
        assert [worker.process.wait() for worker in workers] == [0] * PROCESSES
    return answers


@pytest.fixture
async def shared(said: Said, shared_dir: Path) -> AsyncIterator[AsyncMemory]:
    async with AsyncMemory.open(Settings(data_dir=shared_dir)) as memory:
        yield memory


async def everything(memory: AsyncMemory, **arguments: Any) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    while True:
        listed = await memory.list_memories(limit=200, cursor=cursor, **arguments)
        found += listed.memories
        if not listed.next_cursor:
            assert listed.total == len(found)
            return found
        cursor = listed.next_cursor


@pytest.mark.anyio
@pytest.mark.slow
async def test_all_that_many_processes_remember_is_there_once_and_found(
    shared: AsyncMemory, said: Said
):
    answers = said["distinct"]
    assert [len(each) for each in answers] == [ITEMS] * PROCESSES
    assert all(one["event"] == "ADD" for each in answers for one in each)
    stored = await everything(shared, user_id="distinct")
    expected = [
        f"Worker {me} put item {n} on shelf {me * 100 + n}"
        for me in range(PROCESSES)
        for n in range(ITEMS)
    ]
    assert Counter(m.text for m in stored) == Counter(expected)
    assert {m.memory_id for m in stored} == {one["memory_id"] for each in answers for one in each}
    for text in expected[::4]:
        found = await shared.recall(text, limit=3, user_id="distinct")
        assert found.memories[0].text == text


@pytest.mark.anyio
async def test_what_all_processes_remember_is_stored_once(shared: AsyncMemory, said: Said):
    answers = said["same"]
    events = Counter(one["event"] for each in answers for one in each)
    assert events == {"ADD": DOORS, "NONE": DOORS * (PROCESSES - 1)}
    for n in range(DOORS):
        assert len({each[n]["memory_id"] for each in answers}) == 1
    stored = await everything(shared, user_id="same")
    assert sorted(m.text for m in stored) == sorted(
        f"Door {n} has code {n * 37}" for n in range(DOORS)
    )


@pytest.mark.anyio
async def test_updates_of_one_memory_by_many_processes_are_all_kept(
    shared: AsyncMemory, said: Said
):
    versions = [one["version"] for each in said["updates"] for one in each]
    last = 1 + PROCESSES * UPDATES
    assert sorted(versions) == list(range(2, last + 1))
    (one,) = await everything(shared, user_id="updates")
    got = await shared.get_memory(one.memory_id, history=True, user_id="updates")
    assert [version.version for version in got.versions] == list(range(1, last + 1))
    current = [version.version for version in got.versions if version.superseded_at is None]
    assert current == [last]
    assert got.memory.metadata == {
        f"{me}.{n}": n for me in range(PROCESSES) for n in range(UPDATES)
    }


@pytest.mark.anyio
async def test_appends_of_many_processes_to_one_run_do_not_mix(shared: AsyncMemory):
    stored = await everything(shared, user_id="appends", run_id="r")
    stored.sort(key=lambda m: m.position)
    assert [m.position for m in stored] == list(range(PROCESSES * TURNS * 3))
    turns = [[m.text for m in stored[start : start + 3]] for start in range(0, len(stored), 3)]
    assert sorted(turns) == [
        [f"{me} {n} {part}" for part in range(3)] for me in range(PROCESSES) for n in range(TURNS)
    ]
    for me in range(PROCESSES):
        own = [turn for turn in turns if turn[0].startswith(f"{me} ")]
        assert own == sorted(own)


@pytest.mark.anyio
async def test_nothing_is_there_that_nobody_stored(shared: AsyncMemory):
    stats = await shared.stats()
    assert stats.memories == PROCESSES * ITEMS + DOORS + 1 + PROCESSES * TURNS * 3
    assert stats.versions == stats.memories + PROCESSES * UPDATES
    assert stats.without_vector == 0


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_killed_process_loses_nothing_it_acknowledged(settings: Settings):
    acknowledged: dict[str, tuple[int, str]] = {}

    def work_until_killed(me: int, answers: int) -> None:
        with Worker(settings.data_dir, me) as worker:
            worker.until_ready()
            worker.start("endless")
            lines = [worker.line() for _ in range(answers)]
            for one in [*lines, *worker.kill()]:
                acknowledged[one["memory_id"]] = (one["version"], one["text"])

    for me in range(ROUNDS):
        await asyncio.to_thread(work_until_killed, me, 7 + 20 * me)
        async with AsyncMemory.open(settings) as memory:
            stored = {m.memory_id: m for m in await everything(memory)}
            assert acknowledged.keys() <= stored.keys()
            for memory_id, (version, text) in acknowledged.items():
                assert stored[memory_id].text == text
                assert stored[memory_id].version >= version
            # At most the one call that was under way is there without an answer.
            assert len(stored) <= len(acknowledged) + me + 1
            last = max(acknowledged, key=lambda memory_id: stored[memory_id].recorded_at)
            found = await memory.recall(acknowledged[last][1], limit=3)
            assert acknowledged[last][1] in [m.text for m in found.memories]
            # No lock is held: maintenance runs, and removes what only the dead could have read.
            assert (await memory.remember(f"after round {me}", user_id="other")).results
            manifests = set(settings.data_dir.rglob("*.manifest"))
            assert (await memory.maintain()).ran
            assert not all(path.exists() for path in manifests)
            assert {m.memory_id for m in await everything(memory)} == stored.keys()
