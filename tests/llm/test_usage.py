"""What models were asked for: noted call by call, kept beside the memories, and counted."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from llm_server import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    Answer,
    LLMServer,
    Reply,
    Request,
    failing,
)
from pydantic import BaseModel

from mem_mcp import AsyncMemory, Settings
from mem_mcp.cli.stats_text import stats_lines
from mem_mcp.config import LLMSettings
from mem_mcp.errors import LLMBudgetSpent, LLMError, StoreError
from mem_mcp.llm import Call, Gateway, Ledger, Usage
from mem_mcp.operations.stats import stats
from mem_mcp.times import utc_now

pytestmark = pytest.mark.anyio
SECRET = "sk-test-0123456789"
ASK = [{"role": "user", "content": "Ann says: I like tea"}]
LEARNT: dict[str, Any] = {"operations": []}


class Facts(BaseModel):
    facts: list[str]


Make = Callable[..., Gateway]


@pytest.fixture
def noted() -> list[Call]:
    return []


@pytest.fixture
async def make(
    server: LLMServer, noted: list[Call], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Make]:
    """Make gateways to the server that tell of their calls."""
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    made: list[Gateway] = []

    def gateway(**given: Any) -> Gateway:
        fields = {"model": "openai/test", "api_base": server.url, "retries": 0, **given}
        made.append(Gateway(LLMSettings(**fields), Ledger(), on_call=noted.append))
        return made[-1]

    await gateway().warm()
    # What the library reads of the environment when it is imported.
    monkeypatch.setattr("litellm.utils.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("litellm.utils.JITTER", 0.0)
    yield gateway
    for each in made:
        await each.aclose()


@pytest.fixture
async def memory(tmp_path: Path, server: LLMServer) -> AsyncIterator[AsyncMemory]:
    llm = {"model": "openai/test", "api_base": server.url, "retries": 0}
    settings = Settings.model_validate({"data_dir": tmp_path / "memory", "llm": llm})
    async with AsyncMemory.open(settings) as opened:
        yield opened


def call(model: str = "openai/test", *, ago: timedelta = timedelta(0), **fields: Any) -> Call:
    """A call that ended so long ago."""
    failure, kind = fields.pop("failure", None), fields.pop("kind", "completion")
    return Call(model, kind, Usage(calls=1, **fields), failure, utc_now() - ago)


async def entered(memory: AsyncMemory, *calls: Call) -> None:
    """Write calls as models' doors would have noted them."""
    for each in calls:
        memory._runtime.calls.add(each)
    await memory._runtime.calls.close()


# Noted.


async def test_every_kind_of_call_is_noted_with_what_it_took(
    server: LLMServer, make: Make, noted: list[Call]
):
    before = utc_now()
    gateway = make(model="openai/gpt-4o-mini")
    server.script({"facts": []})
    await gateway.complete(ASK, Facts)
    await gateway.embed(["x"] * 100, "openai/embedder", api_base=server.url)
    await gateway.rerank("tea", ["tea"], "hosted_vllm/ranker", api_base=server.url)
    assert [(one.model, one.kind) for one in noted] == [
        ("openai/gpt-4o-mini", "completion"),
        *[("openai/embedder", "embedding")] * 2,
        ("hosted_vllm/ranker", "rerank"),
    ]
    first, second = noted[0].usage, noted[1].usage
    assert (first.input_tokens, first.output_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert first.cost_usd == pytest.approx(5.85e-06)
    assert (second.input_tokens, second.output_tokens) == (INPUT_TOKENS, 0)
    assert second.cost_usd is None
    assert all(one.failure is None and one.usage.seconds > 0 for one in noted)
    assert before <= noted[0].ended_at <= noted[-1].ended_at <= utc_now()


async def test_an_answer_that_is_asked_for_again_is_two_calls(
    server: LLMServer, make: Make, noted: list[Call]
):
    server.script("no JSON at all", {"facts": []})
    await make().complete(ASK, Facts)
    assert [one.failure for one in noted] == [None, None]


async def test_further_attempts_are_noted_with_their_call(
    server: LLMServer, make: Make, noted: list[Call]
):
    server.script(failing(500), failing(429), {"facts": []})
    await make(retries=2).complete(ASK, Facts)
    assert [(one.usage.retries, one.failure) for one in noted] == [(2, None)]


@pytest.mark.parametrize(
    ("answer", "settings", "reason"),
    [
        (failing(401, f"Incorrect API key provided: {SECRET}"), {}, "LLMAuthError"),
        (failing(429, "slow down, Ann"), {}, "LLMRateLimited"),
        (failing(500, "Ann broke it"), {}, "server"),
        (Reply("late", delay=5), {"timeout_seconds": 0.05}, "timeout"),
        (Reply("late", delay=5), {"deadline_seconds": 0.05}, "deadline"),
    ],
)
async def test_a_failure_is_noted_by_its_reason_alone(
    server: LLMServer,
    make: Make,
    noted: list[Call],
    answer: Reply,
    settings: dict[str, float],
    reason: str,
):
    server.always(answer)
    with pytest.raises(LLMError):
        await make(**settings).complete(ASK, Facts)
    (one,) = noted
    assert (one.failure, one.usage.tokens) == (reason, 0)
    assert "Ann" not in repr(one)
    assert SECRET not in repr(one)


async def test_a_server_that_does_not_run_is_noted(make: Make, noted: list[Call]):
    with socket.socket() as unbound:
        unbound.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unbound.getsockname()[1]}/v1"
    with pytest.raises(LLMError):
        await make(api_base=nowhere).complete(ASK, Facts)
    assert [one.failure for one in noted] == ["connection"]


async def test_a_call_that_its_caller_gives_up_is_noted(
    server: LLMServer, make: Make, noted: list[Call]
):
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def late(request: object) -> Reply:
        loop.call_soon_threadsafe(asked.set)
        return Reply("late", delay=5)

    server.answer = late
    task = asyncio.create_task(make().complete(ASK, Facts))
    await asyncio.wait_for(asked.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [one.failure for one in noted] == ["cancelled"]


async def test_what_the_budget_refuses_is_no_call(server: LLMServer, make: Make, noted: list[Call]):
    gateway = make(calls_per_day=1)
    server.script({"facts": []})
    await gateway.complete(ASK, Facts)
    with pytest.raises(LLMBudgetSpent):
        await gateway.complete(ASK, Facts)
    assert len(noted) == 1


# Kept and counted.


async def test_calls_outlive_the_process_that_made_them(
    memory: AsyncMemory, server: LLMServer, settings: Settings
):
    server.script(LEARNT, failing(500))
    await memory.remember(messages=[{"role": "user", "content": "Hello"}])
    await memory.remember(messages=[{"role": "user", "content": "Goodbye"}])
    await memory._runtime.calls.close()
    async with AsyncMemory.open(settings) as other:  # has no model
        found = await other.stats()
    (one,) = found.models
    assert (one.model, one.call, one.calls, one.failed) == ("openai/test", "completion", 2, 1)
    assert one.failures == {"server": 1}
    assert (one.input_tokens, one.output_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert one.cost_usd is None
    assert one.seconds_mean > 0
    assert found.models_days == 30
    text = "\n".join(stats_lines(found))
    assert "openai/test: 2 completions in 30 days, 1 failed (1 server), 11 + 7 tokens" in text


async def test_leaving_writes_what_waits(tmp_path: Path, server: LLMServer, settings: Settings):
    llm = {"model": "openai/test", "api_base": server.url}
    asking = Settings.model_validate({"data_dir": tmp_path / "memory", "llm": llm})
    async with AsyncMemory.open(asking) as memory:
        server.script(LEARNT)
        await memory.remember(messages=[{"role": "user", "content": "Hello"}])
    async with AsyncMemory.open(settings) as other:
        assert [one.calls for one in (await other.stats()).models] == [1]


async def test_calls_are_summed_by_model_and_kind_and_for_today(memory: AsyncMemory):
    day = timedelta(days=1)
    await entered(
        memory,
        call("a", input_tokens=10, output_tokens=1, cost_usd=0.5, seconds=1.0, ago=day),
        call("a", input_tokens=20, output_tokens=2, cost_usd=None, seconds=3.0, retries=2),
        call("a", failure="timeout", seconds=2.0),
        call("a", failure="timeout", seconds=2.0),
        call("a", failure="LLMAuthError", seconds=2.0),
        call("a", kind="embedding", input_tokens=7),
        call("b", kind="rerank", ago=30 * day),
    )
    found = await memory.stats()
    completions, embeddings = found.models
    assert (completions.model, completions.call) == ("a", "completion")
    assert (completions.calls, completions.failed, completions.retries) == (5, 3, 2)
    assert completions.failures == {"timeout": 2, "LLMAuthError": 1}
    assert (completions.input_tokens, completions.output_tokens) == (30, 3)
    assert completions.cost_usd == 0.5
    assert completions.seconds_mean == 2.0
    assert (embeddings.call, embeddings.calls, embeddings.cost_usd) == ("embedding", 1, None)
    assert found.models_today is not None
    assert found.models_today.model_dump() == {
        "calls": 5, "retries": 2, "input_tokens": 27, "output_tokens": 2, "cost_usd": None,
    }  # fmt: skip
    lines = [*stats_lines(found)]
    assert (
        "models    a: 5 completions in 30 days, 2 retries, 3 failed (2 timeout, 1 LLMAuthError), "
        "30 + 3 tokens, 0.50 dollars, 2.0 s each"
    ) in lines
    assert "          a: 1 embedding in 30 days, 7 tokens, cost unknown, 0.0 s each" in lines
    assert "today     5 calls, 2 retries, 27 + 2 tokens, cost unknown" in lines


async def test_whatever_a_recall_asks_a_provider_is_counted(tmp_path: Path, server: LLMServer):
    models = {
        "embedding": {"model": "openai/embedder", "api_base": server.url},
        "rerank": {"model": "hosted_vllm/ranker", "api_base": server.url},
    }
    settings = Settings.model_validate({"data_dir": tmp_path / "memory", **models})
    async with AsyncMemory.open(settings) as memory:
        await memory.remember("The lamp is red")
        await memory.remember("The door is blue")
        await memory.recall("Which colour is the lamp?")
        await memory._runtime.calls.close()
        found = await memory.stats()
    sent = [request.path.rpartition("/")[2] for request in server.requests]
    assert {(one.model, one.call): one.calls for one in found.models} == {
        ("openai/embedder", "embedding"): sent.count("embeddings"),
        ("hosted_vllm/ranker", "rerank"): sent.count("rerank"),
    }
    assert sent.count("rerank") == 1


async def test_a_day_without_calls_is_no_line(memory: AsyncMemory):
    await entered(memory, call(ago=timedelta(days=1)))
    found = await memory.stats()
    assert found.models_today is not None
    assert found.models_today.calls == 0
    assert not [line for line in stats_lines(found) if line.startswith("today")]


async def test_where_no_model_was_asked_there_is_not_a_word_of_any(memory: AsyncMemory):
    await memory.remember("The lamp is red", infer="never")
    found = await memory.stats()
    assert (found.models, found.models_days, found.models_today) == ([], 0, None)
    assert not [line for line in stats_lines(found) if line.startswith(("models", "today"))]
    assert await memory._runtime.calls.log.version() == 0


async def test_one_of_several_users_is_told_nothing_of_models(memory: AsyncMemory):
    await entered(memory, call())
    found = await stats(memory._runtime, detailed=False)
    assert (found.models, found.models_days, found.models_today) == ([], 0, None)


async def test_calls_that_come_together_are_one_commit(memory: AsyncMemory):
    await entered(memory, call())
    before = await memory._runtime.calls.log.version()
    await entered(memory, *[call() for _ in range(50)])
    assert await memory._runtime.calls.log.version() == before + 1
    assert (await memory.stats()).models[0].calls == 51


async def test_old_calls_go_with_the_traces(memory: AsyncMemory):
    old = timedelta(days=30, seconds=1)
    await entered(memory, call("old", ago=old), call("new"))
    assert [one.model for one in (await memory.stats()).models] == ["new"]
    assert (await memory.maintain()).pruned_traces == 0
    left = await memory._runtime.calls.since(datetime(2000, 1, 1, tzinfo=UTC))
    assert left["model"].to_pylist() == ["new"]


async def test_a_log_that_cannot_be_written_costs_no_answer(
    memory: AsyncMemory,
    server: LLMServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    async def full(*_: object, **__: object) -> int:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(memory._runtime.calls.log, "append", full)
        server.script(LEARNT, LEARNT)
        with caplog.at_level(logging.WARNING):
            done = await memory.remember(messages=[{"role": "user", "content": "Hello"}])
            await memory._runtime.calls.close()
    assert done.llm is not None
    assert not done.degraded
    assert "calls were not written: the disk is full" in caplog.text
    await entered(memory, call())  # later ones are
    assert [one.calls for one in (await memory.stats()).models] == [1]


async def test_stats_count_the_rest_where_the_calls_cannot_be_read(
    tmp_path: Path, server: LLMServer
):
    server.always({"operations": []})
    llm = {"model": "openai/test", "api_base": server.url}
    settings = Settings.model_validate({"data_dir": tmp_path / "memory", "llm": llm})
    async with AsyncMemory.open(settings) as memory:
        await memory.remember("Tea is served at five")
        await memory.remember(messages=[{"role": "user", "content": "Hello"}])
    for file in (settings.data_dir / "calls.lance").rglob("*.*"):
        file.write_bytes(b"damaged")
    async with AsyncMemory.open(settings) as memory:
        found = await memory.stats()
    assert (found.memories, found.models) == (1, [])


# Budgets.


@pytest.fixture
def bounded(tmp_path: Path, server: LLMServer) -> Callable[..., Settings]:
    """Settings of one store with a budget."""
    server.always(LEARNT)

    def settings(**llm: Any) -> Settings:
        common = {"model": "openai/test", "api_base": server.url, "retries": 0}
        return Settings.model_validate({"data_dir": tmp_path / "memory", "llm": {**common, **llm}})

    return settings


async def say(memory: AsyncMemory) -> list[str]:
    """Let the model read a message; return the notes."""
    return (await memory.remember(messages=[{"role": "user", "content": "Hello"}])).degraded


@pytest.mark.parametrize("budget", ["calls_per_day", "tokens_per_day"])
async def test_a_budget_is_of_all_starts_together(
    bounded: Callable[..., Settings], server: LLMServer, budget: str
):
    for start in range(3):
        async with AsyncMemory.open(bounded(**{budget: 1})) as memory:
            notes = await say(memory)
        assert [f"llm.{budget} is 1" in note for note in notes] == [True] * bool(start)
    assert len(server.requests) == 1


async def test_a_budget_is_of_all_processes_together(
    bounded: Callable[..., Settings], server: LLMServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mem_mcp.logs.llm_calls._REFRESH_SECONDS", 0)
    settings = bounded(calls_per_day=3)
    async with AsyncMemory.open(settings) as one, AsyncMemory.open(settings) as other:
        for memory in (one, other, one):
            assert await say(memory) == []
            await memory._runtime.calls.flush()
        assert "llm.calls_per_day is 3" in (await say(one))[0]
        assert "llm.calls_per_day is 3" in (await say(other))[0]
    assert len(server.requests) == 3


async def test_what_others_spent_is_read_once_and_not_at_each_call(
    bounded: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
):
    async with AsyncMemory.open(bounded(calls_per_day=50)) as memory:
        log, read = memory._runtime.calls.log, []
        version = log.version

        async def counted() -> int:
            read.append(1)
            return await version()

        monkeypatch.setattr(log, "version", counted)
        monkeypatch.setattr("mem_mcp.logs.llm_calls._REFRESH_SECONDS", 1_000)
        await asyncio.gather(*(say(memory) for _ in range(5)))
        await say(memory)
    assert len(read) == 1
    read.clear()
    async with AsyncMemory.open(bounded()) as memory:
        monkeypatch.setattr(memory._runtime.calls.log, "version", counted)
        await say(memory)
    assert read == [], "without a budget nothing is read"


async def test_yesterdays_calls_count_no_more(
    bounded: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
):
    async with AsyncMemory.open(bounded(calls_per_day=1)) as memory:
        await entered(memory, call(ago=timedelta(days=1, seconds=1)))
        calls = memory._runtime.calls
        monkeypatch.setattr(calls, "_process", "another")
        await entered(memory, call())
        monkeypatch.setattr(calls, "_process", "this")
        assert (await calls.elsewhere()).calls == 1
        now = utc_now()
        monkeypatch.setattr("mem_mcp.logs.llm_calls.utc_now", lambda: now + timedelta(days=1))
        assert (await calls.elsewhere()).calls == 0


async def test_embedding_and_reranking_use_up_no_budget_of_the_language_model(
    bounded: Callable[..., Settings], server: LLMServer
):
    models = {
        "embedding": {"model": "openai/embedder", "api_base": server.url},
        "rerank": {"model": "hosted_vllm/ranker", "api_base": server.url},
    }
    llm = {"calls_per_day": 1, "tokens_per_day": 1, "model": "openai/test", "api_base": server.url}
    given = bounded().model_dump() | models | {"llm": llm}
    server.script()
    async with AsyncMemory.open(Settings.model_validate(given)) as memory:
        for text in ("The lamp is red", "The door is blue", "Tea is at five"):
            assert (await memory.remember(text)).degraded == []
            assert (await memory.recall(text)).degraded == []
        server.script(*[LEARNT] * 2)
        assert not any("budget" in note for note in await say(memory))


async def test_a_store_of_before_has_its_calls_counted(
    bounded: Callable[..., Settings], server: LLMServer
):
    async with AsyncMemory.open(bounded(calls_per_day=2)) as memory:
        log = memory._runtime.calls.log
        log._columns = pa.schema([field for field in log._columns if field.name != "process"])
        row = memory._runtime.calls.row(call())
        del row["process"]
        await log.append([row], durable=True)
    async with AsyncMemory.open(bounded(calls_per_day=2)) as memory:
        assert await say(memory) == []
        assert "llm.calls_per_day is 2" in (await say(memory))[0]
        (one,) = (await memory.stats()).models
        assert one.calls == 2
    assert len(server.requests) == 1


async def test_stats_hold_the_call_that_was_just_made(
    bounded: Callable[..., Settings],
):
    async with AsyncMemory.open(bounded()) as memory:
        for number in (1, 2):
            await say(memory)
            found = await memory.stats()
            assert found.models_today is not None
            assert (found.models[0].calls, found.models_today.calls) == (number, number)


async def test_a_budget_of_dollars_that_cannot_be_counted_is_told(
    make: Make, server: LLMServer, caplog: pytest.LogCaptureFixture
):
    server.always({"facts": []})
    with caplog.at_level(logging.WARNING):
        await make(model="openai/gpt-4o-mini", dollars_per_day=1).complete(ASK, Facts)
        await make(model="ollama_chat/x", dollars_per_day=1).warm()  # costs nothing
        await make().complete(ASK, Facts)
        assert caplog.text == ""
        gateway = make(dollars_per_day=1, fallbacks=["openai/gpt-4o-mini"])
        await gateway.warm()
        await gateway.complete(ASK, Facts)
    (line,) = [each.message for each in caplog.records]
    assert line.startswith("llm.dollars_per_day does not bound openai/test, whose price")


# Fallbacks.


async def test_an_answer_names_the_fallback_that_gave_it(
    bounded: Callable[..., Settings], server: LLMServer
):
    judged = {
        "evidence": ["the paint is dry"],
        "outcome": "success",
        "summary": "",
        "lesson": None,
        "differently": None,
        "confidence": 0.9,
    }

    def answer(request: Request) -> Answer:
        if request.body["model"] == "test":
            return failing(500)
        return judged if "the paint is dry" in request.text else LEARNT

    server.answer = answer
    async with AsyncMemory.open(bounded(fallbacks=["openai/b", "openai/c"])) as memory:
        told = await say(memory)
        outcome = await memory.record_outcome("Paint", logs=["the paint is dry"])
        assert (
            told
            == outcome.degraded
            == ["the fallback openai/b answered, since openai/test failed (status 500)"]
        )
        assert (await memory.recall("paint")).degraded == []
