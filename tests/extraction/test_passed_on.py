"""What was said of a message that waited, or of an outcome, when a model reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from llm_server import LLMServer, failing

from mem_mcp import AsyncMemory, Settings

pytestmark = pytest.mark.anyio
TALK = [{"role": "user", "name": "Ana", "content": "I play the cello. I live in Oslo."}]
LEARNT = {
    "operations": [
        {"op": "ADD", "quote": "I play the cello.", "text": "Ana plays the cello"},
        {"op": "ADD", "quote": "I live in Oslo.", "text": "Ana lives in Oslo"},
    ]
}
LOG = ["3 passed in 2 s", "1 skipped"]


@pytest.fixture
async def memory(tmp_path: Path, server: LLMServer) -> AsyncIterator[AsyncMemory]:
    llm = {"model": "openai/test", "api_base": server.url, "retries": 0}
    settings = {"data_dir": tmp_path / "m", "store": {"durability": "os"}, "llm": llm}
    async with AsyncMemory.open(Settings.model_validate(settings)) as opened:
        yield opened


def judged(outcome: str, lesson: str, quote: str = "3 passed in 2 s") -> dict[str, Any]:
    return {
        "evidence": [quote], "summary": f"It was a {outcome}.", "outcome": outcome,
        "confidence": 0.9, "lesson": lesson, "differently": None,
    }  # fmt: skip


async def test_marks_and_credits_of_what_waits_pass_on_to_what_it_becomes(
    memory: AsyncMemory, server: LLMServer
):
    server.always("no JSON at all")
    (raw,) = (await memory.remember(messages=TALK)).results
    used = await memory.record_outcome("Pick a gift", "success", used_memory_ids=[raw.memory_id])
    query = "What does Ana play?"
    await memory.give_feedback(raw.memory_id, "POSITIVE", query=query)
    server.always(LEARNT)
    assert (await memory.reprocess()).waiting == 0
    facts = {
        each.text: each.memory_id for each in (await memory.list_memories(kinds=["fact"])).memories
    }
    assert set(facts) == {"Ana plays the cello", "Ana lives in Oslo"}
    outcome = (await memory.get_memory(used.memory_id)).memory
    assert set(outcome.used) == set(facts.values())
    assert (outcome.outcome_type, outcome.status) == ("success", "active")
    helpful = {each.memory_id: each.marks for each in (await memory.stats()).learning.most_helpful}
    assert helpful.keys() == set(facts.values())
    assert all((marks.positive, marks.successes) == (1, 1) for marks in helpful.values())
    # And they can be taken back.
    (taken,) = (await memory.give_feedback(facts["Ana lives in Oslo"], "", query=query)).results
    assert taken.previous == "POSITIVE"


async def test_a_message_that_becomes_nothing_takes_its_marks_with_it(
    memory: AsyncMemory, server: LLMServer
):
    server.always("no JSON at all")
    (raw,) = (await memory.remember(messages=[{"content": "Thanks, bye!"}])).results
    used = await memory.record_outcome("Say bye", "success", used_memory_ids=[raw.memory_id])
    server.always({"operations": []})
    assert (await memory.reprocess()).waiting == 0
    assert (await memory.get_memory(used.memory_id)).memory.used == [raw.memory_id]


async def test_judging_again_replaces_the_whole_verdict_of_the_first_judge(
    memory: AsyncMemory, server: LLMServer
):
    server.always(judged("success", "Always skip the slow tests"))
    done = await memory.record_outcome("Run the tests", logs=LOG)
    assert (done.outcome, done.evaluated_by) == ("success", "llm")
    server.always(judged("partial", "Never skip the slow tests"))
    assert (await memory.reprocess(outcomes=True)).processed == 1
    now = (await memory.get_memory(done.memory_id)).memory
    assert now.outcome_type == "partial"
    assert now.text.endswith("Lesson: Never skip the slow tests")
    assert "It was a success" not in now.text
    server.always(judged("success", "Made up", quote="all green"))
    assert (await memory.reprocess(outcomes=True)).processed == 1
    now = (await memory.get_memory(done.memory_id)).memory
    assert (now.outcome_type, now.text) == ("unknown", "Run the tests")


async def test_judging_again_leaves_the_callers_words(memory: AsyncMemory, server: LLMServer):
    server.always(judged("success", "Always skip the slow tests"))
    done = await memory.record_outcome("Run the tests", logs=LOG, lesson="Use pytest -x")
    server.always(judged("partial", "Never skip the slow tests"))
    await memory.reprocess(outcomes=True)
    now = (await memory.get_memory(done.memory_id)).memory
    assert now.outcome_type == "partial"
    assert now.text.endswith("Lesson: Use pytest -x")
    assert "It was a partial" in now.text


async def test_only_chosen_outcomes_are_judged_again(memory: AsyncMemory, server: LLMServer):
    server.always(judged("success", "Always skip the slow tests"))
    ids = {
        task: (
            await memory.record_outcome(
                "Run the tests", logs=LOG, task_type=task, occurred_at=f"2026-0{month}-01"
            )
        ).memory_id
        for month, task in enumerate(("test", "build", "deploy"), start=1)
    }
    server.always(judged("partial", "Never skip the slow tests"))

    async def judged_again(**chosen: Any) -> int:
        return (await memory.reprocess(outcomes=True, **chosen)).processed

    assert await judged_again(task_type="build") == 1
    assert await judged_again(since="2026-02-01") == 2
    assert await judged_again(memory_ids=[ids["test"][:8], ids["deploy"]]) == 2
    assert await judged_again(memory_ids=["nothing-like-it"]) == 0
    assert await judged_again() == 3


@pytest.mark.parametrize(
    "reason", ["wrong: judged by Anna herself", "judged by default", "judged by openai/test", ""]
)
async def test_what_a_person_corrected_is_judged_by_no_model_again(
    memory: AsyncMemory, server: LLMServer, reason: str
):
    server.always(judged("success", "Always skip the slow tests"))
    done = await memory.record_outcome("Run the tests", logs=LOG, idempotency_key="k")
    await memory.update_memory(done.memory_id, outcome="failure", reason=reason)
    before = (await memory.get_memory(done.memory_id)).memory
    server.requests.clear()
    assert (await memory.reprocess(outcomes=True)).processed == 0
    assert server.requests == []
    assert (await memory.get_memory(done.memory_id)).memory == before
    again = await memory.record_outcome("Run the tests", logs=LOG, idempotency_key="k")
    assert (again.outcome, again.evaluated_by) == ("failure", "human")


async def test_a_lesson_that_a_person_wrote_stays_when_the_outcome_is_judged_again(
    memory: AsyncMemory, server: LLMServer
):
    server.always(judged("success", "Always skip the slow tests"))
    done = await memory.record_outcome("Run the tests", logs=LOG)
    text = (await memory.get_memory(done.memory_id)).memory.text
    mended = text.replace("Always skip the slow tests", "Run them all")
    await memory.update_memory(done.memory_id, content=mended, tags=["mine"])
    server.always(judged("partial", "Never skip the slow tests"))
    assert (await memory.reprocess(outcomes=True)).processed == 1
    now = (await memory.get_memory(done.memory_id)).memory
    assert (now.outcome_type, now.tags) == ("partial", ["mine"])
    assert now.text.endswith("Lesson: Run them all")


async def test_an_outcome_that_a_person_gives_while_it_waits_is_theirs(
    memory: AsyncMemory, server: LLMServer
):
    server.always(failing(500))
    done = await memory.record_outcome("Run the tests", logs=LOG)
    assert done.status == "pending"
    await memory.update_memory(done.memory_id, outcome="failure")
    server.always(judged("success", "Always skip the slow tests"))
    await memory.reprocess(outcomes=True)
    now = (await memory.get_memory(done.memory_id)).memory
    assert (now.outcome_type, now.status) == ("failure", "active")


async def test_a_lesson_is_said_once(memory: AsyncMemory, server: LLMServer):
    verdict = judged("failure", "Raise the timeout of the proxy. Raise the timeout of the proxy.")
    server.always({**verdict, "differently": "Raise the proxy's timeout of the proxy."})
    done = await memory.record_outcome("Run the tests", logs=LOG)
    assert done.text.endswith("Lesson: Raise the timeout of the proxy.")


async def test_an_outcome_is_stored_before_it_is_judged(memory: AsyncMemory, server: LLMServer):
    seen: list[str] = []

    def answer(_: Any) -> Any:
        seen.append("asked")
        return judged("success", "Always skip the slow tests")

    server.answer = answer
    done = await memory.record_outcome("Run the tests", logs=LOG, idempotency_key="k")
    versions = (await memory.get_memory(done.memory_id, history=True)).versions
    assert [each.status for each in versions] == ["pending", "active"]
    again = await memory.record_outcome("Run the tests", logs=LOG, idempotency_key="k")
    assert (again.memory_id, again.outcome, again.evaluated_by) == (
        done.memory_id,
        "success",
        "llm",
    )
    assert seen == ["asked"]
