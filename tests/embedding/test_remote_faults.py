"""Embedding and reranking models that misbehave, and stores that several embedders worked in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from llm_server import LLMServer, Reply, Request, failing

from mem_mcp import AsyncMemory, Settings
from mem_mcp.config import LLMSettings
from mem_mcp.embedding import BundledEmbedder, CachedEmbedder, RemoteEmbedder, Role
from mem_mcp.errors import EmbedderUnavailable, LLMError
from mem_mcp.llm import Gateway
from mem_mcp.store import Store, open_store, schema
from mem_mcp.store.schema import spaces
from mem_mcp.store.table import ROW_COLUMNS

pytestmark = pytest.mark.anyio
REMOTE = "openai/embedding"  # of 9 numbers
OTHER = "openai/otherwise"  # of as many
TEXTS = ["Ana plays the cello", "The build needs Node 20", "Bo is allergic to nuts"]


@pytest.fixture
def server() -> Iterator[LLMServer]:
    with LLMServer() as running:
        running.answer = by_letters
        yield running


@pytest.fixture
def configured(tmp_path: Path, server: LLMServer) -> Callable[..., Settings]:
    def settings(model: str = REMOTE, **sections: Any) -> Settings:
        given: dict[str, Any] = {
            "data_dir": tmp_path / "memory",
            "embedding": {"model": model, "api_base": server.url},
            "llm": {"retries": 0},
            **sections,
        }
        return Settings.model_validate(given)

    return settings


def by_letters(request: Request) -> Reply:
    """Embed by the letters of each text; the model's name says in how many numbers, and where."""
    return vectors([letters(text, request.body["model"]) for text in request.body["input"]])


def letters(text: str, model: str) -> list[float]:
    counts = np.full(len(model), 0.1)
    for character in text.casefold():
        counts[(ord(character) + ord(model[0])) % len(model)] += 1
    return counts.tolist()


def vectors(rows: list[Any]) -> Reply:
    data = [{"index": index, "embedding": row} for index, row in enumerate(rows)]
    return Reply({"object": "list", "data": data, "usage": {"prompt_tokens": 5}})


@pytest.fixture
async def asked() -> AsyncIterator[Gateway]:
    gateway = Gateway(LLMSettings(retries=0))
    yield gateway
    await gateway.aclose()


@asynccontextmanager
async def looked_into(settings: Settings) -> AsyncIterator[Store]:
    async with open_store(
        settings.data_dir, dimension=None, embedder=None, durable=False, any_embedder=True
    ) as store:
        yield store


async def filled(settings: Settings) -> list[str]:
    async with AsyncMemory.open(settings) as memory:
        stored = await memory.remember_many([{"content": text} for text in TEXTS])
    return [one.memory_id for one in stored.results]


async def reembedded(settings: Settings) -> Any:
    async with AsyncMemory.open(settings, any_embedder=True) as memory:
        return await memory.reembed()


async def without_vector(settings: Settings) -> list[str]:
    """Look at the vectors themselves."""
    async with looked_into(settings) as store:
        rows = await store.read({"status": {"ne": "deleted"}}, columns=["version_id", "vector"])
        return [row.memory.version_id for row in rows if row.vector is None]


# What a model answers.


@pytest.mark.parametrize(
    "row",
    [
        [float("nan"), 1.0],
        [float("inf"), 1.0],
        [None, 1.0],
        ["a", "b"],
        ["0.5", "1"],
        "c29tZXRoaW5n",
        None,
        [],
        {},
        [[1.0]],
        [1e300, 1.0],
        [10**400, 1],
        7,
    ],
    ids=lambda row: repr(row)[:20],
)
async def test_what_is_no_vector_is_refused(asked: Gateway, server: LLMServer, row: object):
    server.always(vectors([row]))
    embedder = RemoteEmbedder(
        REMOTE,
        partial(asked.embed, model=REMOTE, api_base=server.url),
        {"query": "", "passage": ""},
    )
    with pytest.raises(EmbedderUnavailable):
        await embedder.embed(TEXTS[:1], "passage")


@pytest.mark.parametrize(
    "body",
    [
        {"data": None},
        {"data": [7]},
        {"data": [{"embedding": [1.0, 2.0]}]},
        {"data": [{"index": 0}]},
        {"data": [{"index": [0], "embedding": [1.0, 2.0]}]},
        {"data": [{"index": 1, "embedding": [1.0, 2.0]}]},
        {"data": {"index": 0, "embedding": [1.0, 2.0]}},
        {},
        [],
    ],
    ids=repr,
)
async def test_vectors_in_another_form_are_refused(asked: Gateway, server: LLMServer, body: object):
    server.always(Reply(body))
    with pytest.raises(LLMError):
        await asked.embed(TEXTS[:1], REMOTE, api_base=server.url)


async def test_great_numbers_make_a_vector_of_length_one(
    configured: Callable[..., Settings], server: LLMServer
):
    server.always(vectors([[3e25, 4e25]]))
    async with AsyncMemory.open(configured()) as memory:
        assert (await memory.remember(TEXTS[0])).degraded == []
    async with looked_into(configured()) as store:
        (row,) = await store.read({}, columns=["vector"])
        assert row.vector == pytest.approx([0.6, 0.8])


async def test_a_model_that_answers_in_another_length_later_is_refused_in_a_cached_batch_too(
    configured: Callable[..., Settings], server: LLMServer
):
    async with AsyncMemory.open(configured()) as memory:
        await memory.remember(TEXTS[0])
        server.answer = lambda request: vectors([[1.0, 2.0]] * len(request.body["input"]))
        items = [{"content": text, "user_id": "other"} for text in TEXTS]
        stored = await memory.remember_many(items)
        assert "2 numbers" in stored.degraded[0]
        assert len(stored.results) == 3
        server.answer = by_letters
        assert (await memory.recall("What else?")).degraded == []
        assert (await memory.maintain()).embedded == 3


class _Numbers:
    """An embedder whose vectors tell how often it was asked."""

    identity = "numbers"
    dimension = 2

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def embed(self, texts: Any, role: Role) -> Any:
        self.asked.append([*texts])
        return np.array([[len(text), len(self.asked)] for text in texts], np.float32).reshape(-1, 2)


async def test_kept_vectors_are_right_and_nobodys_to_change():
    embedder = CachedEmbedder(behind := _Numbers())
    for texts in (["a", "bb"], ["bb", "ccc", "bb"], ["a"], ["a", "bb", "ccc"]):
        found = await embedder.embed(texts, "passage")
        assert found[:, 0].tolist() == [len(text) for text in texts]
        found[:] = -1
    assert (await embedder.embed([], "passage")).shape == (0, 2)
    assert behind.asked == [["a", "bb"], ["ccc"], []]


async def test_what_is_kept_of_one_role_is_not_given_for_another():
    embedder = CachedEmbedder(behind := _Numbers())
    await embedder.embed(["a"], "passage")
    await embedder.embed(["a"], "query")
    assert behind.asked == [["a"], ["a"]]


async def test_what_is_kept_stays_small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mem_mcp.embedding.cached._MOST_BYTES", 16)
    embedder = CachedEmbedder(behind := _Numbers())
    found = await embedder.embed(["a", "bb", "ccc"], "passage")
    assert found[:, 0].tolist() == [1, 2, 3]
    await embedder.embed(["ccc", "bb"], "passage")
    found = await embedder.embed(["dddd", "bb", "a"], "passage")
    assert found[:, 0].tolist() == [4, 2, 1]
    assert behind.asked == [["a", "bb", "ccc"], ["dddd", "a"]]


# Vectors of two embedders.


async def test_vectors_of_one_length_are_not_compared_with_anothers(
    configured: Callable[..., Settings],
):
    await filled(configured())
    async with AsyncMemory.open(configured(OTHER), any_embedder=True) as memory:
        found = await memory.recall("cello", explain=True)
        assert "reembed" in found.degraded[0]
        assert found.memories[0].text == TEXTS[0]
        stored = await memory.remember("Di grows roses")
        assert stored.degraded
        assert (await memory.maintain()).embedded == 0
    async with AsyncMemory.open(configured()) as memory:
        kept = await memory.get_memory(stored.results[0].memory_id)
        assert kept.memory.embedder is None
        assert (await memory.maintain()).embedded == 1


async def test_a_change_by_who_runs_on_gets_the_other_models_vector_too(
    configured: Callable[..., Settings],
):
    settings = configured(OTHER)
    first, second, third = await filled(settings)
    async with AsyncMemory.open(settings) as before:
        await reembedded(configured())
        await before.update_memory(first, tags=["music"])
        await before.update_memory(second, status="archived")
        async with AsyncMemory.open(configured()) as after:
            new = await after.remember("Di grows roses")
            assert (await after.stats()).without_vector == 2
            await before.update_memory(new.results[0].memory_id, tags=["garden"])
            await before.update_memory(third, content="Bo is allergic to figs")
            await after.maintain()
            assert (await after.stats()).without_vector == 0
            assert (await after.recall("roses")).memories[0].tags == ["garden"]
    assert await without_vector(configured()) == []


async def test_the_way_back_misses_nothing_that_both_models_had_embedded(
    configured: Callable[..., Settings],
):
    settings = configured(OTHER)
    await filled(settings)
    async with AsyncMemory.open(settings) as before:
        await reembedded(configured())
        async with AsyncMemory.open(configured()) as after:
            await after.remember("Di grows roses")
        assert (await before.maintain()).embedded == 1  # so it is the last that embedded it
    assert (await reembedded(configured())).others_dropped
    back = await reembedded(settings)
    assert (back.embedded, back.switched, back.others_dropped) == (4, True, True)
    assert await without_vector(settings) == []
    async with AsyncMemory.open(settings) as memory:
        found = await memory.recall("di grows roses!", explain=True)
        assert found.memories[0].text == "Di grows roses"
        assert found.memories[0].scores["meaning"] > 0


async def test_until_the_switch_feedback_counts_for_the_questions_that_it_is_about(
    configured: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
):
    async def killed(_: Store) -> None:
        raise RuntimeError("killed")

    async def useful_here(memory: AsyncMemory) -> float:
        return (await memory.recall("a cello?", explain=True)).memories[0].scores["useful_here"]

    first, *_ = await filled(configured(OTHER))
    async with AsyncMemory.open(configured(OTHER)) as before:
        await before.give_feedback(first, "POSITIVE", query="Is there a cello?")
        with monkeypatch.context() as patched:
            patched.setattr("mem_mcp.operations.reembed.activate", killed)
            with pytest.raises(RuntimeError, match="killed"):
                await reembedded(configured())
        assert await useful_here(before) > 0
    assert (await reembedded(configured())).switched
    async with AsyncMemory.open(configured()) as after:
        assert await useful_here(after) > 0


async def test_of_an_answer_before_the_change_it_is_said_that_only_words_were_compared(
    configured: Callable[..., Settings],
):
    settings = configured(OTHER)
    await filled(settings)
    async with AsyncMemory.open(settings) as memory:
        before = datetime.now(UTC)
        asked = await memory.recall("Who plays the cello?")
        await memory.update_memory(asked.memories[0].memory_id, content="Ana plays the viola")
    await reembedded(configured())
    async with AsyncMemory.open(configured()) as memory:
        why = await memory.why(asked.recall_id, asked.memories[0].memory_id)
        assert why.rank == 1
        assert "by words only" in why.details[-2]
        then = await memory.recall("Who plays the cello?", as_of=before, explain=True)
        assert then.memories[0].text == TEXTS[0]
        assert then.memories[0].scores["meaning"] > 0


async def test_a_look_at_a_store_without_vectors_makes_it_no_models(
    configured: Callable[..., Settings], server: LLMServer
):
    settings = configured(OTHER)
    server.always(failing(401))
    await filled(configured())
    async with AsyncMemory.open(settings, any_embedder=True) as memory:
        assert [line async for line in memory.export_lines()]
    server.answer = by_letters
    async with AsyncMemory.open(configured()) as memory:
        assert (await memory.recall("cello")).degraded == []


async def test_a_model_that_has_changed_behind_its_name_is_not_reported_as_the_stores(
    configured: Callable[..., Settings], server: LLMServer
):
    await filled(configured())
    server.answer = lambda request: vectors([[1.0, 2.0]] * len(request.body["input"]))
    with pytest.raises(EmbedderUnavailable, match="2 numbers"):
        await reembedded(configured())


async def test_a_batch_that_fails_in_the_middle_keeps_what_was_made(
    configured: Callable[..., Settings], server: LLMServer
):
    settings = configured(OTHER)
    async with AsyncMemory.open(settings) as memory:
        await memory.remember_many(
            [{"content": f"Shelf {n} holds {n * n} jars"} for n in range(100)]
        )
    sizes: list[int] = []

    def failing_from_the_third(request: Request) -> Reply:
        sizes.append(len(request.body["input"]))
        return by_letters(request) if len(sizes) < 3 else failing(500)

    server.answer = failing_from_the_third
    with pytest.raises(EmbedderUnavailable, match=r"^96 are done"):
        await reembedded(configured())
    server.answer = by_letters
    assert (await reembedded(configured())).embedded == 4
    assert sizes[:2] == [1, 96]


@pytest.mark.parametrize("model", [REMOTE, "openai/embedder"])
async def test_a_large_store_is_indexed_whatever_the_length_and_on_the_way_back(
    configured: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    model: str,
):
    monkeypatch.setattr("mem_mcp.store.maintenance._INDEX_FROM", 30)
    monkeypatch.setattr("mem_mcp.store.table.EXACT_UP_TO", 10)
    first = configured("openai/forerunner")
    async with AsyncMemory.open(first) as memory:
        await memory.remember_many(
            [{"content": f"Shelf {n} holds {n * n} jars"} for n in range(40)]
        )
        await memory.maintain()
    for there in (configured(model, recall={"whole": 1}), first):
        await reembedded(there)
        async with AsyncMemory.open(there) as memory:
            found = await memory.recall("Shelf 17 holds 289 jars", limit=1)
            assert found.memories[0].text == "Shelf 17 holds 289 jars"
            assert (await memory.maintain()).ran
        async with looked_into(there) as store:
            (space,) = spaces(await store.table.schema())
        assert await indexed(there) == [space.column]


async def indexed(settings: Settings) -> list[str]:
    async with looked_into(settings) as store:
        names = [name for index in await store.table.list_indices() for name in index.columns]
        return [name for name in names if name.startswith("vector")]


# Before the first vector.


async def test_without_a_first_vector_a_large_scope_is_searched_by_words(
    configured: Callable[..., Settings], server: LLMServer
):
    server.always(failing(500))
    settings = configured(recall={"whole": 1})
    async with AsyncMemory.open(settings) as memory:
        for text in TEXTS:
            await memory.remember(text, entities=["Ana"], run_id="r")
        messages = [{"role": "user", "content": text} for text in ("Who plays?", "The cello?")]
        await memory.remember(messages=messages, run_id="r")
        found = await memory.recall("What does Ana play, the cello?")
        assert TEXTS[0] in [one.text for one in found.memories]


async def test_who_heard_nothing_of_the_first_vector_goes_on_with_it(
    configured: Callable[..., Settings], server: LLMServer
):
    settings = configured()
    server.always(failing(401))
    async with AsyncMemory.open(settings) as one, AsyncMemory.open(settings) as two:
        first = await one.remember(TEXTS[0])
        await one.give_feedback(first.results[0].memory_id, "POSITIVE", query="a cello?")
        server.answer = by_letters
        await two.remember(TEXTS[1])
        server.always(failing(401))
        assert (await one.recall("nothing yet")).degraded
        server.answer = by_letters
        await two.maintain()
        server.always(failing(401))
        assert (await one.recall("still nothing")).degraded
        server.answer = by_letters
        assert (await one.remember(TEXTS[2])).degraded == []
        found = await one.recall("a cello?", explain=True, min_score=0)
        assert {memory.text for memory in found.memories} == {*TEXTS}
        assert found.memories[0].scores["meaning"] > 0
        assert found.memories[0].scores["useful_here"] > 0


async def test_what_was_kept_of_a_scope_is_read_again_for_vectors(
    configured: Callable[..., Settings], server: LLMServer
):
    settings = configured()
    async with AsyncMemory.open(settings) as one, AsyncMemory.open(settings) as two:
        await two.remember(TEXTS[0])
        server.always(failing(401))
        assert (await one.recall("ana has a cello")).degraded
        server.answer = by_letters
        found = await one.recall("ana has a cello", explain=True)
        assert found.degraded == []
        assert found.memories[0].scores["meaning"] > 0


# Stores of earlier versions.


async def as_it_was(settings: Settings, embedder: str) -> None:
    """Turn a store into what it was before it could hold vectors of several embedders."""
    async with looked_into(settings) as store:
        rows = await store.read({}, columns=[*ROW_COLUMNS, "vector"])
        assert store.space is not None
        now = schema.table_schema(store.space)
    place = now.get_field_index("vector")
    then = now.set(place, now.field(place).with_metadata({}))
    laid_out = schema.to_arrow(rows, now).cast(then)
    database = lancedb.connect(settings.data_dir)
    database.drop_table("memories")
    metadata = {**then.metadata, b"mem_mcp.embedder": embedder}
    table = laid_out.replace_schema_metadata(metadata)
    database.create_table("memories", table, on_bad_vectors="null")
    for name in ("feedback", "traces"):
        table = database.open_table(name).to_arrow()
        old = table["question_vector"].combine_chunks()
        width = pa.list_(pa.float32(), 384)
        place = table.schema.get_field_index("question_vector")
        vectors = pa.array(old.to_pylist(), width)
        table = table.set_column(place, "vector", vectors).drop_columns("embedder")
        database.drop_table(name)
        database.create_table(name, table, on_bad_vectors="null")


async def test_an_earlier_store_keeps_the_effect_of_feedback_and_the_reasons(
    settings: Settings,
):
    async with AsyncMemory.open(settings) as memory:
        for text in TEXTS:
            stored = await memory.remember(text)
        memory_id = stored.results[0].memory_id
        asked = await memory.recall("what must be avoided in the kitchen?")
        await memory.give_feedback(memory_id, "POSITIVE", recall_id=asked.recall_id)
        then = await memory.recall("what should be avoided in a kitchen?", explain=True)
    await as_it_was(settings, BundledEmbedder().identity)
    async with AsyncMemory.open(settings) as memory:
        now = await memory.recall("what should be avoided in a kitchen?", explain=True)
        assert now.memories[0].scores == pytest.approx(then.memories[0].scores, abs=1e-4)
        assert now.memories[0].scores["useful_here"] > 0
        why = await memory.why(then.recall_id, memory_id)
        assert why.score == pytest.approx(then.memories[0].score, abs=1e-4)
        again = await memory.give_feedback(memory_id, None, recall_id=asked.recall_id)
        assert again.results[0].previous == "POSITIVE"
        assert (await memory.stats()).without_vector == 0
        assert (await memory.maintain()).embedded == 0


async def test_an_earlier_store_that_was_made_without_an_embedder_keeps_its_vectors(
    settings: Settings,
):
    async with AsyncMemory.open(settings) as memory:
        stored = await memory.remember(TEXTS[0])
        await memory.recall("a cello?")
        await memory.give_feedback(stored.results[0].memory_id, "POSITIVE", query="a cello?")
    await as_it_was(settings, "unknown")
    async with AsyncMemory.open(settings) as memory:
        assert (await memory.stats()).without_vector == 0
        assert (await memory.maintain()).embedded == 0
        found = await memory.recall("Who makes music?", explain=True)
        assert found.memories[0].scores["meaning"] > 0


# Reranking.


def reranks(server: LLMServer) -> dict[str, Any]:
    return {"rerank": {"model": "hosted_vllm/reranker", "api_base": server.url}}


@pytest.mark.parametrize(
    "results",
    [
        *([{"index": 0, "relevance_score": score}] for score in (float("nan"), None, "high", {})),
        [{"index": 0, "relevance_score": 10**400}],
        [{"index": 0}],
        [{"relevance_score": 0.5}],
        [{"index": 1, "relevance_score": 0.5}],
        [{"index": 0, "relevance_score": 0.5}] * 2,
        [{"index": index, "relevance_score": 0.5} for index in range(2)],
        [7],
        [],
        {},
        None,
    ],
    ids=lambda results: repr(results)[:50],
)
async def test_what_is_no_relevance_of_each_text_is_refused(
    asked: Gateway, server: LLMServer, results: object
):
    server.always(Reply({"id": "1", "results": results}))
    with pytest.raises(LLMError):
        await asked.rerank("cello", TEXTS[:1], "hosted_vllm/reranker", api_base=server.url)


async def test_a_relevance_that_is_no_number_leaves_our_own_order(
    configured: Callable[..., Settings], server: LLMServer
):
    async with AsyncMemory.open(configured("bundled", embedding={}, **reranks(server))) as memory:
        await memory.remember(TEXTS[0])
        row = {"index": 0, "relevance_score": float("nan")}
        server.always(Reply({"id": "1", "results": [row]}))
        found = await memory.recall("cello")
        assert [one.text for one in found.memories] == [TEXTS[0]]
        assert found.degraded[0].startswith("no reranking: ")


async def test_logits_become_scores_within_bounds_that_the_cut_goes_by(
    configured: Callable[..., Settings], server: LLMServer
):
    def answer(request: Request) -> Reply:
        rows = [
            {"index": index, "relevance_score": 900.0 if "cello" in text else -900.0}
            for index, text in enumerate(request.body["documents"])
        ]
        return Reply({"id": "1", "results": rows})

    async with AsyncMemory.open(configured("bundled", embedding={}, **reranks(server))) as memory:
        await memory.remember_many([{"content": text} for text in TEXTS])
        await memory.record_outcome("Tune the cello", "success", lesson="Warm it up first")
        server.answer = answer
        found = await memory.recall("What is to be heard?", min_score=0.5, kinds=["fact"])
        assert [one.text for one in found.memories] == [TEXTS[0]]
        assert 0.6 <= found.memories[0].score <= 1
        tight = await memory.recall("What is to be heard?", max_tokens=1)
        assert tight.memories == []
        lessons = await memory.recall_lessons("Tune the cello")
        assert lessons.degraded == []
        assert lessons.successes[0].score >= 0.6
        json.dumps(found.model_dump(mode="json"), allow_nan=False)
        asked = len(server.requests)
        why = await memory.why(lessons.recall_id, lessons.successes[0].memory_id)
        assert why.found
        assert why.score == lessons.successes[0].score
        assert len(server.requests) == asked


async def test_negative_logits_keep_their_order_and_their_distances(
    configured: Callable[..., Settings], server: LLMServer
):
    logits = {"Nuts are dear": -5.0, "The cello is for sale": -8.5, "A cello needs rosin": -70.0}

    def answer(request: Request) -> Reply:
        rows = [
            {"index": index, "relevance_score": logits[text]}
            for index, text in enumerate(request.body["documents"])
        ]
        return Reply({"id": "1", "results": rows})

    server.answer = answer
    async with AsyncMemory.open(configured("bundled", embedding={}, **reranks(server))) as memory:
        await memory.remember_many([{"content": text} for text in logits])
        found = await memory.recall("What is sold?", explain=True, min_score=0)
        parts = {one.text: one.scores["rerank"] for one in found.memories}
        assert sorted(parts, key=lambda text: -parts[text]) == [*logits]
        best, middle, least = (parts[text] for text in logits)
        assert 0.3 >= best >= 2 * middle > 4 * least > 0
        assert all(0 <= one.score <= 1 for one in found.memories)


@pytest.mark.parametrize("scale", [1.0, -10.0])
async def test_why_gives_the_score_that_the_reranked_answer_gave(
    configured: Callable[..., Settings], server: LLMServer, scale: float, tmp_path: Path
):
    def answer(request: Request) -> Reply:
        documents = request.body["documents"]
        rows = [
            {"index": index, "relevance_score": scale * len(text) / 100}
            for index, text in enumerate(documents)
        ]
        return Reply({"id": "1", "results": rows})

    server.answer = answer
    async with AsyncMemory.open(configured("bundled", embedding={}, **reranks(server))) as memory:
        await memory.remember_many([{"content": text} for text in TEXTS])
        found = await memory.recall("What does a cello need?", explain=True)
        left_out = await memory.recall("What does a cello need?", limit=1)
        for place, one in enumerate(found.memories, 1):
            why = await memory.why(found.recall_id, one.memory_id)
            assert (why.score, why.rank) == (one.score, place)
            assert why.scores == one.scores
            assert f"a score of {one.score:.2f}" in why.verdict
        lines = [line.encode() async for line in memory.export_lines(traces=True)]
        second = await memory.why(left_out.recall_id, found.memories[1].memory_id)
        assert (second.found, second.score) == (False, found.memories[1].score)
        assert "number 2 of" in second.verdict
    moved = configured("bundled", embedding={}).model_copy(update={"data_dir": tmp_path / "moved"})
    async with AsyncMemory.open(moved) as memory:
        await memory.import_lines(lines)
        for one in found.memories:
            why = await memory.why(found.recall_id, one.memory_id)
            assert why.score == one.score
