"""The bundled model changed: what the former one embedded is embedded again by itself."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from llm_server import LLMServer

from mem_mcp import AsyncMemory, Settings
from mem_mcp.cli import doctor_checks
from mem_mcp.cli.stats_text import stats_lines
from mem_mcp.embedding import BundledEmbedder, Role
from mem_mcp.errors import EmbedderUnavailable, StoreError
from mem_mcp.evaluation.harness import memory_with
from mem_mcp.store import Store, Vector, open_store
from mem_mcp.store.schema import active, spaces

pytestmark = pytest.mark.anyio
FORMER = "former-model:1"
TODAYS = BundledEmbedder().identity
TEXTS = ["Ana plays the cello", "The build needs Node 20", "Bo is allergic to nuts"]


class Former:
    """The model that was bundled before; its vectors mean nothing to today's."""

    identity = FORMER
    dimension = 384

    def __init__(self, todays: BundledEmbedder) -> None:
        self._todays = todays

    async def embed(self, texts: Sequence[str], role: Role) -> Vector:
        return np.roll(await self._todays.embed(texts, role), 7, axis=1)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mem_mcp.memory.FORMER", (FORMER,))
    monkeypatch.setattr("mem_mcp.operations.upgrade.FORMER", (FORMER,))
    monkeypatch.setattr("mem_mcp.operations.upgrade._LOOK_AGAIN", 0.01)


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what today's model is asked for."""
    texts: list[str] = []
    embed = BundledEmbedder.embed

    async def noted(self: BundledEmbedder, given: Sequence[str], *further: Any) -> Vector:
        texts.extend(given)
        return await embed(self, given, *further)

    monkeypatch.setattr(BundledEmbedder, "embed", noted)
    return texts


@asynccontextmanager
async def former(settings: Settings) -> AsyncIterator[AsyncMemory]:
    """Open a memory as the version with the former model does."""
    with closing(BundledEmbedder()) as todays:
        async with memory_with(settings, Former(todays)) as (memory, _):
            yield memory


@pytest.fixture(autouse=True)
async def filled(settings: Settings) -> str:
    """Fill a store with the former model: three memories, one of them in two versions."""
    async with former(settings) as memory:
        first = await memory.remember("Ana plays the viola", metadata={"n": [1, "ü"]})
        await memory.remember_many([{"content": text} for text in TEXTS[1:]])
        memory_id = first.results[0].memory_id
        await memory.update_memory(memory_id, content=TEXTS[0])
        await memory.give_feedback(memory_id, "POSITIVE", query="who plays?")
    return memory_id


@pytest.fixture
def looked_at(settings: Settings) -> Callable[[], Any]:
    return lambda: open_store(
        settings.data_dir, dimension=None, embedder=None, durable=False, any_embedder=True
    )


async def embedders(store: Store) -> list[tuple[str, str | None]]:
    rows = await store.read({}, columns=["text", "embedder"])
    return sorted((row.memory.text, row.memory.embedder) for row in rows)


async def space_names(store: Store) -> list[str]:
    return [space.embedder for space in spaces(await store.table.schema())]


async def done(memory: AsyncMemory) -> None:
    """Wait until the store is the new model's alone."""
    store = memory._runtime.store
    while await space_names(store) != [TODAYS]:
        await asyncio.sleep(0.01)


async def best(memory: AsyncMemory, query: str) -> tuple[str, list[str]]:
    found = await memory.recall(query)
    return found.memories[0].text, found.degraded


# By itself.


async def test_a_store_of_the_former_model_opens_as_before_and_is_embedded_again(
    settings: Settings, filled: str, looked_at: Callable[[], Any]
):
    async with AsyncMemory.open(settings) as memory:
        await done(memory)
        assert await best(memory, "Who makes music?") == (TEXTS[0], [])
        explained = (await memory.recall("who plays?", explain=True)).memories[0]
        assert explained.scores["useful_here"] > 0, "the mark's question has a vector again"
        found = await memory.get_memory(filled, history=True)
        assert found.memory.metadata == {"n": [1, "ü"]}
        assert [version.text for version in found.versions] == ["Ana plays the viola", TEXTS[0]]
        stats = await memory.stats()
        assert (stats.without_vector, stats.embedded_anew, stats.embedder) == (0, False, TODAYS)
    async with looked_at() as store:
        assert active(await store.table.schema()).embedder == TODAYS
        assert {name for _, name in await embedders(store)} == {TODAYS}
        with closing(BundledEmbedder()) as todays:
            for row in await store.read({}, columns=["text", "vector"]):
                (expected,) = await todays.embed([row.memory.text], "passage")
                assert row.vector is not None
                assert float(row.vector @ expected) > 0.999


async def test_meanwhile_words_find_what_waits_and_answers_say_so(settings: Settings):
    with FileLock(settings.data_dir / "locks" / "reembed"):  # as if another process were at it
        async with AsyncMemory.open(settings) as memory:
            text, degraded = await best(memory, "cello")
            assert text == TEXTS[0]
            assert degraded == [
                "3 memories wait to be embedded anew, and until then words alone find them"
            ]
            (one,) = (await memory.recall("cello", explain=True, limit=1)).memories
            assert not one.scores.get("dense")
            lessons = await memory.recall_lessons("Play the cello")
            assert lessons.degraded == []
            late = await memory.remember("Cy collects stamps")
            assert late.degraded == degraded
            assert (await memory.recall("philately")).memories[0].text == "Cy collects stamps"
            assert len((await memory.recall("stamps")).degraded) == 1
            maintained = await memory.maintain()
            assert (maintained.ran, maintained.embedded) == (True, 0), "one process does it"
            stats = await memory.stats()
            assert (stats.without_vector, stats.embedded_anew) == (3, True)
            lines = "\n".join(stats_lines(stats))
            assert "no vector 3; a running server embeds them anew" in lines
            checked = await asyncio.to_thread(doctor_checks.store, settings)
            assert "3 of them wait for theirs" in checked


async def test_what_one_process_leaves_another_that_runs_takes_over(
    settings: Settings, embedded: list[str]
):
    with FileLock(settings.data_dir / "locks" / "reembed") as lock:
        async with AsyncMemory.open(settings) as memory, AsyncMemory.open(settings) as other:
            assert (await best(memory, "cello"))[1]
            assert embedded == ["cello"]
            lock.release()
            for one in (memory, other):
                while (await one.stats()).embedded_anew:
                    await asyncio.sleep(0.01)
                assert await best(one, "Who makes music?") == (TEXTS[0], [])
    assert sorted(text for text in embedded if text in (*TEXTS, "Ana plays the viola")) == sorted(
        [*TEXTS, "Ana plays the viola"]
    ), "each text once, by one of the two"


async def test_current_memories_come_first_and_of_them_the_latest(
    settings: Settings,
    embedded: list[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("mem_mcp.operations.upgrade._BATCH", 1)
    async with AsyncMemory.open(settings) as memory:
        await done(memory)
    versions = [text for text in embedded if text != "who plays?"]
    assert versions == [TEXTS[0], *sorted(versions[1:3]), "Ana plays the viola"]


async def test_it_waits_while_a_question_is_being_answered(
    settings: Settings, embedded: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mem_mcp.operations.upgrade._GIVES_WAY", 600.0)
    with FileLock(settings.data_dir / "locks" / "reembed") as lock:
        async with AsyncMemory.open(settings) as memory:
            async with memory._runtime.recalls:
                lock.release()
                await asyncio.sleep(0.1)
                assert not embedded
            await done(memory)


async def test_a_process_that_ends_keeps_what_is_embedded_and_the_next_goes_on(
    settings: Settings,
    embedded: list[str],
    looked_at: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("mem_mcp.operations.upgrade._BATCH", 1)
    for opened in range(1, 4):
        async with AsyncMemory.open(settings):
            while len(embedded) < opened:
                await asyncio.sleep(0)
        async with looked_at() as store:
            named = [name for _, name in await embedders(store)]
            assert named.count(TODAYS) == len(embedded)
    async with AsyncMemory.open(settings) as memory:
        await done(memory)
    assert sorted(embedded) == sorted([*TEXTS, "Ana plays the viola", "who plays?"])


# Killed.

_KILLED = """
import asyncio, os, signal, sys
from importlib import import_module
import mem_mcp.memory, mem_mcp.operations.upgrade as upgrade, mem_mcp.writing.backfill as backfill
from mem_mcp import AsyncMemory, Settings

folder, former, where, moment, number = sys.argv[1:]
mem_mcp.memory.FORMER = upgrade.FORMER = (former,)
upgrade._BATCH = backfill.AT_ONCE = 1
module, name = where.split(":")
real, calls = getattr(import_module(module), name), iter(range(1, 100))

async def fatal(*given, **named):
    last = next(calls) == int(number)
    if last and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = await real(*given, **named)
    if last:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(import_module(module), name, fatal)

async def run():
    async with AsyncMemory.open(Settings(data_dir=folder)):
        await asyncio.sleep(600)

asyncio.run(run())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("where", "moment", "number", "left"),
    [
        ("mem_mcp.store.connect:adopt", "before", 1, 4),
        ("mem_mcp.store.connect:adopt", "after", 1, 4),
        ("mem_mcp.writing.backfill:fill", "before", 1, 4),
        ("mem_mcp.writing.backfill:fill", "before", 3, 2),
        ("mem_mcp.writing.backfill:fill", "after", 3, 1),
        ("mem_mcp.operations.upgrade:activate", "before", 1, 0),
        ("mem_mcp.operations.upgrade:activate", "after", 1, 0),
        ("mem_mcp.operations.upgrade:drop_others", "before", 1, 0),
        ("mem_mcp.operations.upgrade:drop_others", "after", 1, 0),
    ],
)
@pytest.mark.slow
async def test_one_killed_at_any_moment_loses_nothing_and_embeds_no_version_twice(
    settings: Settings,
    embedded: list[str],
    where: str,
    moment: str,
    number: int,
    left: int,
):
    command = [sys.executable, "-c", _KILLED, str(settings.data_dir), FORMER]
    died = subprocess.run([*command, where, moment, str(number)], check=False, timeout=240)
    assert died.returncode == -9
    async with AsyncMemory.open(settings) as memory:
        await done(memory)
        assert len([text for text in embedded if text != "who plays?"]) == left
        assert await best(memory, "Who makes music?") == (TEXTS[0], [])
        stats = await memory.stats()
        assert (stats.memories, stats.versions, stats.without_vector) == (3, 4, 0)


# Beside others.


async def test_a_process_of_the_earlier_version_works_on_and_what_it_stores_is_embedded_too(
    settings: Settings,
):
    async with former(settings) as before, AsyncMemory.open(settings) as after:
        while (await after.stats()).embedded_anew:
            await asyncio.sleep(0.01)
        assert await best(before, "Who makes music?") == (TEXTS[0], [])
        late = await before.remember("Cy collects stamps")
        assert late.degraded == []
        assert (await best(after, "stamps"))[0] == "Cy collects stamps"
        assert FORMER in await space_names(after._runtime.store), "somebody needs them"
    with pytest.raises(StoreError, match="reembed"):
        async with former(settings):
            pass
    async with AsyncMemory.open(settings) as memory:
        await done(memory)
        assert await best(memory, "philately") == ("Cy collects stamps", [])


async def test_until_all_is_done_the_earlier_version_can_be_started_too(settings: Settings):
    with FileLock(settings.data_dir / "locks" / "reembed"):
        async with AsyncMemory.open(settings) as after:
            await after.remember("Cy collects stamps")
            async with former(settings) as before:
                assert await best(before, "Who makes music?") == (TEXTS[0], [])
                assert (await best(before, "stamps"))[0] == "Cy collects stamps"


async def test_where_nothing_can_be_written_words_find_and_the_answer_says_why(
    settings: Settings,
    looked_at: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
):
    closed = StoreError("the disk is read-only", "mount it writable")
    with monkeypatch.context() as patched:
        patched.setattr("mem_mcp.store.connect.join", lambda *_: (None, closed))
        async with AsyncMemory.open(settings) as memory:
            text, (degraded,) = await best(memory, "cello")
            assert text == TEXTS[0]
            assert FORMER in degraded
            assert "by words only" in degraded
    async with looked_at() as store:
        assert await space_names(store) == [FORMER]


# Only from one bundled model to the next.


async def test_vectors_of_a_model_that_is_none_of_the_former_ones_are_left_alone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mem_mcp.memory.FORMER", ("another:1",))
    with pytest.raises(StoreError, match=f"{FORMER}.*{TODAYS}.*mem-mcp reembed"):
        async with AsyncMemory.open(settings):
            pass


async def test_no_text_of_a_former_models_store_is_sent_to_a_provider_unasked(
    settings: Settings, server: LLMServer
):
    remote = settings.model_copy(
        update={
            "embedding": settings.embedding.model_copy(
                update={"model": "openai/embedding", "api_base": server.url}
            )
        }
    )
    with pytest.raises(StoreError, match=f"{FORMER}.*openai/embedding.*mem-mcp reembed"):
        async with AsyncMemory.open(remote):
            pass
    assert not server.requests


async def test_to_look_at_or_export_a_store_embeds_nothing(
    settings: Settings, looked_at: Callable[[], Any], embedded: list[str]
):
    async with AsyncMemory.open(settings, any_embedder=True) as memory:
        lines = [line async for line in memory.export_lines()]
        assert len(lines) == 6
    async with looked_at() as store:
        assert await space_names(store) == [FORMER]
    assert not embedded


async def test_reembedding_does_at_once_what_was_begun(
    settings: Settings, embedded: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mem_mcp.operations.upgrade._BATCH", 1)
    async with AsyncMemory.open(settings):
        while not embedded:
            await asyncio.sleep(0)
    begun = len(embedded)
    async with AsyncMemory.open(settings, any_embedder=True) as memory:
        report = await memory.reembed()
    assert (report.embedded, report.switched) == (4 - begun, True)
    assert report.others_dropped


async def test_a_model_that_does_not_work_leaves_the_former_vectors(
    settings: Settings, looked_at: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
):
    async def broken(*_: Any) -> Vector:
        raise EmbedderUnavailable("the model is cut")

    with monkeypatch.context() as patched:
        patched.setattr(BundledEmbedder, "embed", broken)
        async with AsyncMemory.open(settings) as memory:
            text, (degraded,) = await best(memory, "cello")
            assert text == TEXTS[0]
            assert "the model is cut" in degraded
    async with looked_at() as store:
        assert {name for _, name in await embedders(store)} == {FORMER}
    async with AsyncMemory.open(settings) as memory:
        await done(memory)
