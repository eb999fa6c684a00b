"""The language model as memory manager: what it learns, what it may not do, what is never lost."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from llm_server import LLMServer, Reply, Request, failing, refused

from mem_mcp import AsyncMemory, Settings
from mem_mcp.current_client import through
from mem_mcp.errors import LLMUnavailable

pytestmark = pytest.mark.anyio
TALK = [
    {"role": "user", "name": "Ana", "content": "We moved to Oslo last month. I play the cello."},
    {"role": "assistant", "content": "How nice! What will you do there?"},
]


@pytest.fixture
def configured(tmp_path: Path, server: LLMServer) -> Callable[..., Settings]:
    def settings(**llm: Any) -> Settings:
        given = {"model": "openai/test", "api_base": server.url, "retries": 0, **llm}
        return Settings.model_validate({"data_dir": tmp_path / "memory", "llm": given})

    return settings


@pytest.fixture
async def memory(configured: Callable[..., Settings]) -> AsyncIterator[AsyncMemory]:
    async with AsyncMemory.open(configured()) as opened:
        yield opened


def operation(op: str, text: str | None, quote: str | None, **fields: Any) -> dict[str, Any]:
    blank: dict[str, Any] = {
        "target": None, "kind": "fact", "occurred_at": None, "valid_until": None, "tags": [],
        "entities": [], "relations": [], "confidence": 0.9, "reason": "said so",
    }  # fmt: skip
    return {**blank, "op": op, "text": text, "quote": quote, **fields}


def learns(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"operations": list(operations)}


CELLO = operation("ADD", "Ana plays the cello", "I play the cello.")


async def texts(memory: AsyncMemory, **filters: Any) -> set[str]:
    found = await memory.list_memories(filters=filters or None, limit=200)
    return {one.text for one in found.memories}


async def test_a_conversation_becomes_facts_in_one_call(memory: AsyncMemory, server: LLMServer):
    moved = operation("ADD", "Ana moved to Oslo", "We moved to Oslo last month", tags=["home"])
    server.script(learns(moved, CELLO))
    done = await memory.remember(messages=TALK, tags=["chat"], metadata={"source": "test"})
    assert [one.event for one in done.results] == ["ADD", "ADD"]
    assert done.llm is not None
    assert done.llm.calls == 1
    assert len(server.requests) == 1
    found = (await memory.list_memories()).memories
    assert {one.text for one in found} == {"Ana moved to Oslo", "Ana plays the cello"}
    home = next(one for one in found if "Oslo" in one.text)
    assert home.tags == ["chat", "home"]
    assert home.metadata == {"source": "test"}
    assert home.evidence == ["We moved to Oslo last month"]
    assert home.kind == "fact"


async def test_what_is_known_is_shown_by_number_and_corrected(
    memory: AsyncMemory, server: LLMServer
):
    known = (await memory.remember("Ana lives in Rome")).results[0].memory_id

    def answer(request: Request) -> dict[str, Any]:
        assert "Ana lives in Rome" in request.text
        assert known not in request.text
        return learns(operation("UPDATE", "Ana lives in Turin", "in Turin, not Rome", target=1))

    server.answer = answer
    done = await memory.remember(
        messages=[{"role": "user", "name": "Ana", "content": "I live in Turin, not Rome."}]
    )
    changed = done.results[0]
    assert (changed.event, changed.memory_id) == ("UPDATE", known)
    assert changed.previous_text == "Ana lives in Rome"
    history = (await memory.get_memory(known, history=True)).versions
    assert [one.text for one in history] == ["Ana lives in Rome", "Ana lives in Turin"]


async def test_a_change_of_the_world_keeps_the_old_statement(
    memory: AsyncMemory, server: LLMServer
):
    old = (await memory.remember("Ana lives in Rome", occurred_at="2020-01-01T00:00:00Z")).results[
        0
    ]
    server.script(learns(operation("ADD", "Ana lives in Oslo", "We moved to Oslo", target=1)))
    done = await memory.remember(messages=TALK)
    assert {one.event for one in done.results} == {"ADD", "UPDATE"}
    kept = (await memory.get_memory(old.memory_id)).memory
    assert kept.text == "Ana lives in Rome"
    assert kept.valid_until is not None
    assert await texts(memory) == {"Ana lives in Rome", "Ana lives in Oslo"}


async def test_what_was_not_said_is_dropped_and_named(memory: AsyncMemory, server: LLMServer):
    invented = operation("ADD", "Ana owns a castle", "I own a castle")
    foreign = operation("DELETE", None, "I play the cello.", target=7)
    server.script(learns(invented, foreign, CELLO))
    done = await memory.remember(messages=TALK)
    assert await texts(memory, kind="fact") == {"Ana plays the cello"}
    assert any("castle" in note for note in done.degraded)
    # Such an answer is not trusted in what it passed over, either.
    assert await texts(memory, status="pending") == {TALK[0]["content"]}
    assert any("is kept as it was given" in note for note in done.degraded)
    assert len(done.degraded) == 3


async def test_another_users_memories_are_never_shown(memory: AsyncMemory, server: LLMServer):
    await memory.remember("Ana plays the cello in Zanzibar", user_id="eve")
    server.script(learns(CELLO))
    await memory.remember(messages=TALK, user_id="ann")
    assert "Zanzibar" not in server.requests[0].text


@pytest.mark.parametrize(
    "fault",
    [
        failing(500),
        failing(401),
        failing(429),
        Reply(hang_up=True),
        Reply("<html>", 200),
        "no JSON at all",
        Reply({"choices": []}),
    ],
    ids=["500", "401", "429", "hang-up", "html", "prose", "no choices"],
)
async def test_whatever_fails_the_input_waits_is_found_and_is_read_later_once(
    memory: AsyncMemory, server: LLMServer, fault: Any
):
    server.always(fault)
    done = await memory.remember(messages=TALK)
    assert [one.event for one in done.results] == ["ADD", "ADD"]
    assert "waits" in done.degraded[0]
    found = await memory.recall("Who plays the cello?")
    assert "cello" in found.memories[0].text
    assert len(await texts(memory, status="pending")) == 2
    server.always(learns(CELLO))
    again = await memory.reprocess()
    assert (again.processed, again.waiting) == (1, 0)
    assert await texts(memory) == {"Ana plays the cello"}
    assert (await memory.reprocess()).processed == 0


async def test_what_a_model_makes_of_what_waited_came_through_the_same_client(
    memory: AsyncMemory, server: LLMServer
):
    server.always(Reply("overloaded", 500))
    with through("zed"):
        await memory.remember(messages=TALK)
    server.always(learns(CELLO))
    await memory.reprocess()
    assert await texts(memory, client="zed") == {"Ana plays the cello"}


async def test_requests_that_no_model_takes_keep_no_other_waiting(
    memory: AsyncMemory, server: LLMServer
):
    server.always(refused())
    for number in range(5):
        await memory.remember(messages=[{"role": "user", "content": f"Message {number}"}])
    learnt = learns(operation("ADD", "The fifth is read", "Message 4"))
    server.answer = lambda request: learnt if "Message 4" in request.text else refused()
    done = await memory.reprocess()
    assert (done.processed, done.waiting) == (1, 4)
    server.always(failing(500))
    server.requests.clear()
    assert (await memory.reprocess()).waiting == 4
    assert len(server.requests) == 3, "a model that is down is left alone"


async def test_several_processes_read_what_waits_exactly_once(
    configured: Callable[..., Settings], server: LLMServer
):
    server.always(failing(500))
    async with AsyncMemory.open(configured()) as one, AsyncMemory.open(configured()) as other:
        for number in range(5):
            said = f"My number is {number}."
            await one.remember(messages=[{"role": "user", "content": said}], run_id=f"r{number}")
        count = 0

        def answer(request: Request) -> dict[str, Any]:
            nonlocal count
            count += 1
            return learns(operation("ADD", f"Fact {count}", "My number is"))

        server.answer = answer
        done = await asyncio.gather(*(each.reprocess() for each in (one, other, one)))
        assert sum(each.processed for each in done) == 5
        assert count == 5
        assert len(await texts(one)) == 5


async def test_a_repeated_request_is_not_learnt_twice(memory: AsyncMemory, server: LLMServer):
    server.always(learns(CELLO))
    first = await memory.remember(messages=TALK, idempotency_key="k")
    again = await memory.remember(messages=TALK, idempotency_key="k")
    assert first.results[0].memory_id == again.results[0].memory_id
    assert len(server.requests) == 1


async def test_content_is_stored_as_given_unless_inference_is_asked_for(
    memory: AsyncMemory, server: LLMServer
):
    server.always(learns(operation("ADD", "The sky is blue", "sky is blue")))
    await memory.remember("the sky is blue, they say")
    await memory.remember(messages=TALK, infer="never")
    assert server.requests == []
    await memory.remember("the sky is blue, I say", infer="always")
    assert len(server.requests) == 1
    assert "The sky is blue" in await texts(memory)


async def test_instructions_for_what_is_not_read_are_said_to_do_nothing(
    memory: AsyncMemory, server: LLMServer
):
    server.always(learns())
    plain = await memory.remember("The lamp is red", instructions="Only music")
    assert plain.degraded == [
        'the language model is not asked without infer "always": instructions were not applied'
    ]
    never = await memory.remember(messages=TALK, infer="never", instructions="Only music")
    assert "instructions were not applied" in never.degraded[0]
    assert (await memory.remember("The lamp is blue", instructions=" ")).degraded == []
    assert server.requests == []
    read = await memory.remember("The door is red", infer="always", instructions="Only music")
    assert not any("instructions" in note for note in read.degraded)


async def test_a_corrected_memory_has_no_quotes_of_what_it_said_before(
    memory: AsyncMemory, server: LLMServer
):
    server.script(learns(CELLO))
    (made,) = (await memory.remember(messages=TALK)).results
    tagged = await memory.update_memory(made.memory_id, tags=["music"])
    assert (await memory.get_memory(made.memory_id)).memory.evidence
    await memory.update_memory(made.memory_id, content="Ana plays the viola")
    found = await memory.get_memory(made.memory_id, history=True)
    assert found.memory.evidence == []
    assert found.versions[tagged.version - 1].evidence


async def test_instructions_reach_the_model(configured: Callable[..., Settings], server: LLMServer):
    server.always(learns())
    async with AsyncMemory.open(configured(instructions="Only music")) as memory:
        done = await memory.remember(messages=TALK, instructions="No instruments")
    assert done.results == []
    assert "Only music" in server.requests[0].text
    assert "No instruments" in server.requests[0].text


async def test_a_long_conversation_is_read_in_parts_and_a_bad_part_loses_no_other(
    memory: AsyncMemory, server: LLMServer
):
    filler = "We talked about the weather, which was neither good nor bad that day. " * 60
    talk = [{"role": "user", "content": f"Item {number}. {filler}"} for number in range(12)]

    def answer(request: Request) -> Any:
        new = request.text.rpartition("<messages>")[2]
        number = re.findall(r"Item (\d+)\.", new)[0]
        fact = operation("ADD", f"The weather was the topic of item {number}", f"Item {number}.")
        return failing(500) if "Item 6." in new else learns(fact)

    server.answer = answer
    done = await memory.remember(messages=talk, idempotency_key="k")
    assert len(server.requests) > 2
    stored = await texts(memory, kind="fact")
    assert len(stored) == len(server.requests) - 1
    assert "The weather was the topic of item 0" in stored
    waiting = await texts(memory, status="pending")
    assert 0 < len(waiting) < len(talk)
    assert any("Item 6." in text for text in waiting)
    assert any(re.search(r"part \d+ of \d+", note) for note in done.degraded)


PROCEDURE = {
    "overview": "Restart the queue",
    "steps": [
        {"action": "systemctl restart queue", "result": "active (running)"},
        {"action": "check the backlog", "result": "I made this up"},
    ],
    "findings": ["It was out of memory"],
    "errors": [],
    "resume": None,
}
LOG = "$ systemctl restart queue\nactive (running)\nbacklog: 0"


async def test_a_log_becomes_a_procedure_and_stays_in_its_source(
    memory: AsyncMemory, server: LLMServer
):
    server.script(PROCEDURE)
    done = await memory.remember(LOG, kind="procedure", infer="always")
    kept = (await memory.get_memory(done.results[0].memory_id)).memory
    assert kept.kind == "procedure"
    assert "1. systemctl restart queue -> active (running)" in kept.text
    assert "made this up" not in kept.text
    assert kept.source == LOG
    assert done.degraded


async def test_a_log_that_cannot_be_read_waits_whole(memory: AsyncMemory, server: LLMServer):
    server.always(failing(500))
    done = await memory.remember(LOG, kind="procedure", infer="always")
    server.always(PROCEDURE)
    assert (await memory.reprocess()).processed == 1
    kept = (await memory.get_memory(done.results[0].memory_id)).memory
    assert (kept.status, kept.source, kept.version) == ("active", LOG, 2)
    assert "Restart the queue" in kept.text


# Outcomes


JUDGED = {
    "evidence": ["Timeout after 30 s"],
    "summary": "The deployment timed out.",
    "outcome": "failure",
    "confidence": 0.8,
    "lesson": "Warm the cache first",
    "differently": None,
}


async def test_logs_are_judged_with_quotes_and_a_lesson(memory: AsyncMemory, server: LLMServer):
    server.script(JUDGED)
    done = await memory.record_outcome("Deploy the shop", logs=["start", "Timeout after 30 s"])
    assert (done.outcome, done.evaluated_by, done.status) == ("failure", "llm", "active")
    assert "Warm the cache first" in done.text
    kept = (await memory.get_memory(done.memory_id)).memory
    assert (kept.evidence, kept.confidence) == (["Timeout after 30 s"], 0.8)


async def test_what_the_caller_says_is_not_judged(memory: AsyncMemory, server: LLMServer):
    done = await memory.record_outcome("Deploy", "success", logs=["Timeout"])
    assert (done.outcome, done.evaluated_by) == ("success", "caller")
    await memory.record_outcome("Deploy")
    assert server.requests == []


async def test_a_judgement_without_evidence_is_unknown(memory: AsyncMemory, server: LLMServer):
    server.script({**JUDGED, "evidence": ["I made this up"]})
    done = await memory.record_outcome("Deploy", logs=["all fine"])
    assert (done.outcome, done.evaluated_by) == ("unknown", "llm")
    assert done.degraded


async def test_an_outcome_that_cannot_be_judged_waits_and_is_judged_later(
    memory: AsyncMemory, server: LLMServer
):
    server.always(failing(500))
    done = await memory.record_outcome("Deploy the shop", logs=["Timeout after 30 s"])
    assert (done.outcome, done.status, done.evaluated_by) == ("unknown", "pending", "none")
    server.always(JUDGED)
    assert (await memory.reprocess()).processed == 1
    kept = (await memory.get_memory(done.memory_id)).memory
    assert (kept.outcome_type, kept.status, kept.version) == ("failure", "active", 2)
    server.always({**JUDGED, "outcome": "partial"})
    assert (await memory.reprocess(pending=False, outcomes=True)).processed == 1
    kept = (await memory.get_memory(done.memory_id)).memory
    assert (kept.outcome_type, kept.version) == ("partial", 3)


async def test_in_the_background_the_answer_comes_first(
    configured: Callable[..., Settings], server: LLMServer
):
    server.always(Reply(_completed(JUDGED), delay=0.3))
    async with AsyncMemory.open(configured(background=True)) as memory:
        done = await memory.record_outcome("Deploy", logs=["Timeout after 30 s"])
        assert (done.status, done.outcome) == ("pending", "unknown")
        for _ in range(100):
            kept = (await memory.get_memory(done.memory_id)).memory
            if kept.status == "active":
                break
            await asyncio.sleep(0.1)
        assert (kept.status, kept.outcome_type) == ("active", "failure")


async def test_what_a_killed_process_left_is_taken_up_by_the_next(
    configured: Callable[..., Settings], server: LLMServer
):
    server.always(failing(500))
    async with AsyncMemory.open(configured()) as memory:
        done = await memory.record_outcome("Deploy", logs=["Timeout after 30 s"])
    server.always(JUDGED)
    async with AsyncMemory.open(configured(background=True)) as memory:
        for _ in range(100):
            kept = (await memory.get_memory(done.memory_id)).memory
            if kept.status == "active":
                break
            await asyncio.sleep(0.1)
    assert kept.outcome_type == "failure"


async def test_without_a_model_there_is_nothing_to_reprocess_with(tmp_path: Path):
    async with AsyncMemory.open(Settings(data_dir=tmp_path / "m")) as memory:
        with pytest.raises(LLMUnavailable, match=r"llm\.model"):
            await memory.reprocess()


def _completed(answer: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": json.dumps(answer)}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "test",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
