"""Embedding and reranking models of a provider, and the way from one to another."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_server import LLMServer, Reply, Request, embedded, failing
from typer.testing import CliRunner

from mem_mcp import AsyncMemory, Settings
from mem_mcp.cli import reembed
from mem_mcp.cli.app import app
from mem_mcp.config.settings import EmbeddingSettings
from mem_mcp.embedding import RemoteEmbedder, identity, prefixes
from mem_mcp.errors import EmbedderUnavailable, StoreError
from mem_mcp.store import Store, open_store
from mem_mcp.store.schema import active, spaces

pytestmark = pytest.mark.anyio
REMOTE = "openai/embedding"
OTHER = "openai/other"
TEXTS = ["Ana plays the cello", "The build needs Node 20", "Bo is allergic to nuts"]


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
    """Embed by the letters of each text, in as many numbers as the model's name has letters."""
    width = len(request.body["model"])
    rows = []
    for index, text in enumerate(request.body["input"]):
        counts = np.zeros(width)
        for character in text.casefold():
            counts[ord(character) % width] += 1
        rows.append({"index": index, "embedding": (counts + 0.1).tolist()})
    return Reply({"object": "list", "data": rows, "usage": {"prompt_tokens": 5}})


def texts_sent(server: LLMServer) -> list[str]:
    return [text for request in server.requests for text in request.body.get("input", [])]


async def filled(settings: Settings) -> None:
    async with AsyncMemory.open(settings) as memory:
        await memory.remember_many([{"content": text} for text in TEXTS])


async def best(memory: AsyncMemory, query: str) -> tuple[str, list[str]]:
    found = await memory.recall(query)
    return found.memories[0].text, found.degraded


@pytest.fixture
async def opened(tmp_path: Path) -> Callable[[], Any]:
    return lambda: open_store(
        tmp_path / "memory", dimension=None, embedder=None, durable=False, any_embedder=True
    )


async def embedders(store: Store) -> set[str | None]:
    return {row.memory.embedder for row in await store.read({}, columns=["embedder"])}


# One remote model.


async def test_a_remote_model_embeds_what_is_stored_and_asked(
    configured: Callable[..., Settings], server: LLMServer, opened: Callable[[], Any]
):
    server.answer = by_letters
    await filled(configured())
    async with AsyncMemory.open(configured()) as memory:
        assert await best(memory, "ana plays the cello") == (TEXTS[0], [])
        assert (await memory.stats()).without_vector == 0
    assert [len(request.body["input"]) for request in server.requests] == [3, 1]
    async with opened() as store:
        assert store.space.embedder == REMOTE
        assert store.space.dimension == len("embedding")
        assert await embedders(store) == {REMOTE}


async def test_nothing_is_asked_of_a_remote_model_until_it_is_needed(
    configured: Callable[..., Settings], server: LLMServer
):
    async with AsyncMemory.open(configured()) as memory:
        await memory.list_memories()
        await memory.stats()
    assert server.requests == []


async def test_the_same_text_is_paid_for_once(
    configured: Callable[..., Settings], server: LLMServer
):
    server.answer = by_letters
    async with AsyncMemory.open(configured()) as memory:
        await memory.remember_many([{"content": text} for text in [*TEXTS, TEXTS[0]]])
        await memory.remember_many([{"content": text, "user_id": "other"} for text in TEXTS])
        await memory.recall(TEXTS[1])
    assert sorted(texts_sent(server)) == sorted(TEXTS)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (failing(401, "no"), "refused the key"),
        (failing(500), "failed"),
        (embedded(0), "answered 0 of 1"),
        (embedded(2), "answered 2 of 1"),
        (Reply({"data": [{"index": 0, "embedding": [0.0, 0.0]}]}), "no usable vector"),
        (Reply("<html>", headers={"Content-Type": "text/html"}), "failed"),
    ],
)
async def test_without_vectors_words_still_find_and_the_rest_is_embedded_later(
    configured: Callable[..., Settings],
    server: LLMServer,
    monkeypatch: pytest.MonkeyPatch,
    fault: Reply,
    told: str,
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789")
    server.always(fault)
    async with AsyncMemory.open(configured()) as memory:
        stored = await memory.remember(TEXTS[0])
        assert told in stored.degraded[0]
        assert "sk-secret" not in stored.degraded[0]
        assert (await best(memory, "cello"))[0] == TEXTS[0]
        assert (await memory.stats()).without_vector == 1
    server.answer = by_letters
    async with AsyncMemory.open(configured()) as memory:
        # The first vector tells how long they are.
        await memory.recall("cello")
        assert (await memory.maintain()).embedded == 1
        assert (await memory.stats()).without_vector == 0


async def test_a_model_that_has_changed_behind_its_name_is_not_mixed_in(
    configured: Callable[..., Settings], server: LLMServer
):
    server.answer = by_letters
    await filled(configured())
    server.answer = lambda request: embedded(len(request.body["input"]))
    async with AsyncMemory.open(configured()) as memory:
        found, degraded = await best(memory, "cello")
        assert found == TEXTS[0]
        assert "3 numbers" in degraded[0]
        assert "9" in degraded[0]
        assert "reembed" in degraded[0]
        stored = await memory.remember("Something new")
        assert (await memory.get_memory(stored.results[0].memory_id)).memory.embedder is None


async def test_vectors_of_several_lengths_are_refused(
    configured: Callable[..., Settings], server: LLMServer
):
    server.always(
        Reply({"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]})
    )
    async with AsyncMemory.open(configured()) as memory:
        stored = await memory.remember_many([{"content": text} for text in TEXTS[:2]])
    assert "several lengths" in stored.degraded[0]


async def test_a_store_of_another_model_is_refused_with_both_ways_out(
    configured: Callable[..., Settings], server: LLMServer
):
    server.answer = by_letters
    await filled(configured())
    with pytest.raises(StoreError, match=rf"{REMOTE}.*{OTHER}.*EMBEDDING__MODEL.*mem-mcp reembed"):
        await filled(configured(OTHER))


async def test_long_and_empty_texts_are_sent_as_providers_take_them(
    configured: Callable[..., Settings], server: LLMServer
):
    server.answer = by_letters
    async with AsyncMemory.open(configured()) as memory:
        await memory.remember("é" * 9_000)
    embedder = RemoteEmbedder(REMOTE, asked := Asked(), {"query": "", "passage": ""})
    await embedder.embed(["", " \n", "\ud800 broken"], "passage")
    whole, *passages = texts_sent(server)
    assert whole == "é" * 4_000
    assert max(map(len, passages)) < 500
    assert asked.texts == ["-", "-", "? broken"]


class Asked:
    """A provider that notes what it is asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        self.texts += texts
        return [[1.0, 0.0] for _ in texts]


# Prefixes.


async def test_questions_and_texts_get_the_prefixes_that_the_family_was_taught(
    configured: Callable[..., Settings], server: LLMServer
):
    server.answer = by_letters
    async with AsyncMemory.open(configured("openai/nomic-embed-text")) as memory:
        await memory.remember(TEXTS[0])
        await memory.recall("who plays?")
    assert texts_sent(server) == [f"search_document: {TEXTS[0]}", "search_query: who plays?"]


async def test_prefixes_of_the_settings_win_and_tell_in_the_identity(
    configured: Callable[..., Settings], server: LLMServer, opened: Callable[[], Any]
):
    server.answer = by_letters
    given = {"model": "openai/nomic-embed-text", "api_base": server.url}
    own = {**given, "query_prefix": "Q ", "passage_prefix": ""}
    async with AsyncMemory.open(configured(embedding=own)) as memory:
        await memory.remember(TEXTS[0])
        await memory.recall("who plays?")
    assert texts_sent(server) == [TEXTS[0], "Q who plays?"]
    async with opened() as store:
        assert await embedders(store) == {'openai/nomic-embed-text ["Q ", ""]'}
    with pytest.raises(StoreError, match="mem-mcp reembed"):
        await filled(configured("openai/nomic-embed-text"))


@pytest.mark.parametrize(
    ("model", "query", "passage"),
    [
        ("openai/text-embedding-3-small", "", ""),
        ("ollama/all-minilm", "", ""),
        ("huggingface/intfloat/multilingual-e5-large", "query: ", "passage: "),
        ("ollama/jeffh/intfloat-e5-base-v2:f16", "query: ", "passage: "),
        ("huggingface/intfloat/multilingual-e5-large-instruct", "Instruct: ", ""),
        ("ollama/nomic-embed-text:v1.5", "search_query: ", "search_document: "),
        ("ollama/mxbai-embed-large", "Represent this sentence", ""),
        ("huggingface/BAAI/bge-small-en-v1.5", "Represent this sentence", ""),
        ("huggingface/BAAI/bge-base-zh-v1.5", "为这个句子", ""),
        ("ollama/bge-m3", "", ""),
        ("ollama/snowflake-arctic-embed:33m", "Represent this sentence", ""),
        ("ollama/snowflake-arctic-embed2", "query: ", ""),
        ("huggingface/Snowflake/snowflake-arctic-embed-l-v2.0", "query: ", ""),
        ("ollama/qwen3-embedding:0.6b", "Instruct: ", ""),
        ("huggingface/Alibaba-NLP/gte-Qwen2-1.5B-instruct", "Instruct: ", ""),
        ("huggingface/thenlper/gte-large", "", ""),
        ("ollama/embeddinggemma", "task: search result | query: ", "title: none | text: "),
    ],
)
async def test_the_family_is_known_by_its_name(model: str, query: str, passage: str):
    before = prefixes(EmbeddingSettings(model=model))
    assert before["query"].startswith(query)
    assert bool(before["query"]) == bool(query)
    assert before["passage"] == passage
    assert (identity(model, before) == model) == (not query)


async def test_the_empty_prefix_is_none_and_keeps_the_plain_name():
    model = "ollama/nomic-embed-text"
    before = prefixes(EmbeddingSettings(model=model, query_prefix="", passage_prefix=""))
    assert identity(model, before) == model


# From one to another.


async def reembedded(settings: Settings) -> Any:
    async with AsyncMemory.open(settings, any_embedder=True) as memory:
        return await memory.reembed()


async def test_reembedding_gives_every_version_the_other_models_vector_and_switches(
    configured: Callable[..., Settings],
    settings: Settings,
    server: LLMServer,
    opened: Callable[[], Any],
):
    server.answer = by_letters
    async with AsyncMemory.open(settings) as memory:
        first = await memory.remember("Ana plays the viola")
        await memory.update_memory(first.results[0].memory_id, content=TEXTS[0])
        await memory.remember_many([{"content": text} for text in TEXTS[1:]])
        await memory.give_feedback(first.results[0].memory_id, "POSITIVE", query="who plays?")
    told: list[tuple[int, int]] = []
    async with AsyncMemory.open(configured(), any_embedder=True) as memory:
        done = await memory.reembed(progress=lambda *steps: told.append(steps))
    assert (done.embedder, done.embedded, done.dimension) == (REMOTE, 4, 9)
    assert (done.switched, done.others_dropped) == (True, True)
    assert told == [(4, 4)]
    async with opened() as store:
        assert await embedders(store) == {REMOTE}
        rows = await store.read({}, columns=["version_id", "vector"])
        assert all(row.vector is not None and len(row.vector) == 9 for row in rows)
        assert [space.embedder for space in spaces(await store.table.schema())] == [REMOTE]
    async with AsyncMemory.open(configured()) as memory:
        assert await best(memory, "ana plays the cello") == (TEXTS[0], [])
        explained = (await memory.recall("who plays?", explain=True)).memories[0]
        assert explained.scores["useful_here"] > 0, "the mark's question has a vector again"
    with pytest.raises(StoreError, match="reembed"):
        await filled(settings)


async def test_there_is_a_way_back_to_the_bundled_model(
    configured: Callable[..., Settings], settings: Settings, server: LLMServer
):
    server.answer = by_letters
    await filled(configured())
    done = await reembedded(settings)
    assert (done.embedded, done.dimension, done.switched) == (3, 384, True)
    async with AsyncMemory.open(settings) as memory:
        assert await best(memory, "Who makes music?") == (TEXTS[0], [])


async def test_reembedding_that_failed_changes_nothing_and_goes_on_from_there(
    configured: Callable[..., Settings],
    settings: Settings,
    server: LLMServer,
    opened: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("mem_mcp.writing.backfill.AT_ONCE", 1)
    await filled(settings)
    left = iter([by_letters] * 3)

    def failing_from_the_fourth(request: Request) -> Reply:
        return next(left, lambda _: failing(500))(request)

    server.answer = failing_from_the_fourth
    with pytest.raises(EmbedderUnavailable, match=r"^2 are done.*Run it again"):
        await reembedded(configured())
    async with opened() as store:
        assert store.space.column == "vector"
    async with AsyncMemory.open(settings) as memory:
        assert await best(memory, "Who makes music?") == (TEXTS[0], [])
    server.answer = by_letters
    done = await reembedded(configured())
    assert (done.embedded, done.switched) == (1, True)


async def test_who_runs_on_serves_with_its_own_vectors_and_loses_nothing(
    configured: Callable[..., Settings], settings: Settings, server: LLMServer
):
    server.answer = by_letters
    await filled(settings)
    async with AsyncMemory.open(settings) as before:
        done = await reembedded(configured())
        assert done.switched
        assert not done.others_dropped
        assert await best(before, "Who makes music?") == (TEXTS[0], [])
        late = await before.remember("Cy collects stamps")
        assert late.degraded == []
        async with AsyncMemory.open(configured()) as after:
            assert (await best(after, "stamps"))[0] == "Cy collects stamps"
            assert (await after.maintain()).embedded == 1
            early = await after.remember("Di grows roses")
        assert (await best(before, "roses"))[0] == "Di grows roses"
        await before.update_memory(early.results[0].memory_id, content="Di grows tulips")
        assert (await before.maintain()).embedded == 1
    again = await reembedded(configured())
    assert (again.embedded, again.switched, again.others_dropped) == (1, False, True)


async def test_a_store_without_any_vector_becomes_that_of_the_first_model(
    configured: Callable[..., Settings], server: LLMServer, opened: Callable[[], Any]
):
    server.always(failing(500))
    await filled(configured())
    async with opened() as store:
        assert store.space is None
        assert active(await store.table.schema()) is None
    server.answer = by_letters
    await reembedded(configured(OTHER))
    async with opened() as store:
        assert store.space.embedder == OTHER


def test_the_command_reembeds_and_says_what_to_set(
    configured: Callable[..., Settings],
    server: LLMServer,
    monkeypatch: pytest.MonkeyPatch,
):
    server.answer = by_letters
    run = CliRunner()
    monkeypatch.setenv("MEM_MCP_LLM__RETRIES", "0")
    assert run.invoke(app, ["remember", TEXTS[0]]).exit_code == 0
    shown = run.invoke(app, ["reembed", "--model", REMOTE, "--api-base", server.url])
    assert shown.exit_code == 0, shown.output
    assert "1 version embedded by openai/embedding" in shown.output
    assert "MEM_MCP_EMBEDDING__MODEL=openai/embedding" in shown.output
    refused = run.invoke(app, ["recall", "music"])
    assert refused.exit_code == 1
    monkeypatch.setenv("MEM_MCP_EMBEDDING__MODEL", REMOTE)
    monkeypatch.setenv("MEM_MCP_EMBEDDING__API_BASE", server.url)
    found = run.invoke(app, ["recall", "cello", "--json"])
    assert json.loads(found.output)["memories"][0]["text"] == TEXTS[0]
    again = run.invoke(app, ["reembed", "--json"])
    assert json.loads(again.output)["embedded"] == 0


def test_texts_go_where_the_settings_say_and_that_is_said_before(
    configured: Callable[..., Settings],
    server: LLMServer,
    monkeypatch: pytest.MonkeyPatch,
):
    run = CliRunner()
    monkeypatch.setenv("MEM_MCP_LLM__RETRIES", "0")
    assert run.invoke(app, ["remember", TEXTS[0]]).exit_code == 0
    monkeypatch.setenv("MEM_MCP_EMBEDDING__API_BASE", server.url)
    # A provider's own address that nothing may be sent to.
    with LLMServer() as public:
        monkeypatch.setenv("OPENAI_API_BASE", public.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none-needed")
        server.always(failing(500))
        failed = run.invoke(app, ["reembed", "--model", REMOTE])
        assert failed.exit_code == 1
        assert f"1 text to send to {REMOTE} at {server.url}" in failed.stderr
        server.answer = by_letters
        shown = run.invoke(app, ["reembed", "--model", REMOTE])
        assert shown.exit_code == 0, shown.output
        assert public.requests == []
        assert f"MEM_MCP_EMBEDDING__MODEL={REMOTE}" in shown.stdout
        assert f"MEM_MCP_EMBEDDING__API_BASE={server.url}" in shown.stdout
        back = run.invoke(app, ["reembed", "--model", "bundled"])
        assert "1 text to embed on this machine; none leaves it" in back.stderr
        assert "API_BASE" not in back.stdout
        assert public.requests == []
        # The provider's own address, where that is asked for in so many words.
        public.answer = by_letters
        chosen = run.invoke(app, ["reembed", "--model", REMOTE, "--api-base", ""])
        assert chosen.exit_code == 0, chosen.output
        assert f"at {public.url} (OPENAI_API_BASE)" in chosen.stderr
        assert public.requests
    monkeypatch.delenv("OPENAI_API_BASE")
    assert "its provider's own address" in reembed._sends(2, REMOTE, "")


# Reranking.


def reranks(server: LLMServer) -> dict[str, Any]:
    return {"rerank": {"model": "hosted_vllm/reranker", "api_base": server.url, "candidates": 2}}


async def test_a_reranking_model_reads_the_pool_before_the_cut(
    configured: Callable[..., Settings], server: LLMServer
):
    settings = configured("bundled", embedding={}, **reranks(server))
    async with AsyncMemory.open(settings) as memory:
        for text in ("The cello is for sale", "A cello needs rosin", "Nuts are dear"):
            await memory.remember(messages=[{"role": "user", "name": "Ana", "content": text}])
        server.always(failing(500))
        without = [one.text for one in (await memory.recall("cello")).memories]
        server.always(
            Reply(
                {
                    "id": "1",
                    "results": [
                        {"index": 1, "relevance_score": 0.9},
                        {"index": 0, "relevance_score": 0.1},
                    ],
                }
            )
        )
        found = await memory.recall("cello", limit=1, explain=True)
    (first,) = found.memories
    assert first.text == without[1]
    assert first.scores["rerank"] == pytest.approx(0.54)
    assert sum(first.scores.values()) == pytest.approx(first.score, abs=1e-5)
    assert found.degraded == []
    assert server.requests[-1].body["documents"] == [f"Ana: {text}" for text in without[:2]]


async def test_without_its_answer_our_own_order_stands_and_that_is_said(
    configured: Callable[..., Settings], server: LLMServer
):
    server.always(failing(500))
    settings = configured("bundled", embedding={}, **reranks(server))
    async with AsyncMemory.open(settings) as memory:
        await memory.remember(TEXTS[0])
        found = await memory.recall("cello")
        assert [one.text for one in found.memories] == [TEXTS[0]]
        assert found.degraded[0].startswith("no reranking: ")
        why = await memory.why(found.recall_id, found.memories[0].memory_id)
        assert why.found
    assert len(server.requests) == 1, "why asks no model"
