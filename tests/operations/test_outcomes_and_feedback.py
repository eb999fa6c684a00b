"""Outcomes, lessons and feedback: what was recorded changes what is recalled later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import Recalled, RecallResult
from mem_mcp.api.outcome_text import outcome_parts, outcome_text
from mem_mcp.errors import InvalidInput, NotFound
from mem_mcp.learning.tool_stats import wilson
from mem_mcp.text import count_tokens

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "memory")


@pytest.fixture
async def memory(settings: Settings) -> AsyncIterator[AsyncMemory]:
    async with AsyncMemory.open(settings) as opened:
        yield opened


async def stored(memory: AsyncMemory, text: str, **scope: Any) -> str:
    return (await memory.remember(text, **scope)).results[0].memory_id


def ids(found: RecallResult) -> list[str]:
    return [one.memory_id for one in found.memories]


async def one(memory: AsyncMemory, query: str, memory_id: str, **scope: Any) -> Recalled:
    found = await memory.recall(query, limit=50, explain=True, **scope)
    return next(each for each in found.memories if each.memory_id == memory_id)


# record_outcome


async def test_an_outcome_is_one_memory_with_its_fields(memory: AsyncMemory):
    done = await memory.record_outcome(
        "Migrate the orders table",
        "failure",
        lesson="Take the lock in the evening",
        summary="It timed out",
        task_type="migration",
        tool_name="psql",
        severity="major",
        agent_version="2.1",
        confidence=0.8,
        logs=["step 1: no error", "step 2: timeout"],
        tags=["db"],
        metadata={"team": "a"},
        occurred_at="2026-03-01T10:00:00Z",
        run_id="r1",
    )
    assert (done.outcome, done.evaluated_by, done.status) == ("failure", "caller", "active")
    found = (await memory.get_memory(done.memory_id, history=True)).versions
    assert len(found) == 1
    kept = found[0]
    assert kept.kind == "outcome"
    assert all(part in kept.text for part in ("orders table", "timed out", "evening"))
    assert "no error" not in kept.text
    assert kept.source == "step 1: no error\nstep 2: timeout"
    assert (kept.outcome_type, kept.task_type, kept.tool_name) == ("failure", "migration", "psql")
    assert (kept.severity, kept.agent_version, kept.confidence) == ("major", "2.1", 0.8)
    assert (kept.run_id, kept.tags, kept.metadata) == ("r1", ["db"], {"team": "a"})
    assert kept.occurred_at.isoformat() == "2026-03-01T10:00:00+00:00"


async def test_an_outcome_is_never_guessed(memory: AsyncMemory):
    done = await memory.record_outcome("Build", logs=["error: failed", "no error"])
    assert (done.outcome, done.evaluated_by) == ("unknown", "none")
    assert (await memory.recall_lessons("Build")).failures == []


async def test_outcomes_of_the_same_task_are_kept_apart(memory: AsyncMemory):
    first = await memory.record_outcome("Build", "success")
    second = await memory.record_outcome("Build", "success")
    assert first.memory_id != second.memory_id


async def test_a_repeated_key_gets_the_first_answer_also_at_once(memory: AsyncMemory):
    both = await asyncio.gather(
        *(memory.record_outcome("Build", "success", idempotency_key="k") for _ in range(5))
    )
    assert len({done.memory_id for done in both}) == 1
    other = await memory.record_outcome("Build", "failure", idempotency_key="k")
    assert (other.memory_id, other.outcome) == (both[0].memory_id, "success")
    fact = await memory.remember("A fact under the same key", idempotency_key="k")
    assert fact.results[0].event == "ADD"


async def test_used_memories_are_credited_and_unknown_ones_store_nothing(memory: AsyncMemory):
    used = await stored(memory, "Use the blue queue")
    foreign = await stored(memory, "Use the red queue", user_id="eve")
    done = await memory.record_outcome("Send the mail", "success", used_memory_ids=[used, used])
    assert done.credited == [used]
    for unknown in (foreign, "nobody"):
        with pytest.raises(NotFound) as refused:
            await memory.record_outcome("Send", "success", used_memory_ids=[used, unknown])
        assert str(refused.value) == str(NotFound(unknown))
    assert (await memory.stats()).by_kind["outcome"] == 1


async def test_a_recall_names_the_used_memories_and_an_unknown_one_is_said(memory: AsyncMemory):
    used = await stored(memory, "Use the blue queue")
    found = await memory.recall("Which queue?")
    done = await memory.record_outcome("Send", "success", recall_id=found.recall_id)
    assert (done.credited, done.degraded) == ([used], [])
    unknown = await memory.record_outcome("Send", "success", recall_id="r0")
    assert unknown.credited == []
    assert "recall_id" in unknown.degraded[0]
    other = await memory.record_outcome("x", "success", recall_id=found.recall_id, user_id="eve")
    assert other.credited == []


async def test_a_corrected_outcome_changes_what_it_credited(memory: AsyncMemory):
    used = await stored(memory, "Use the blue queue")
    await stored(memory, "Use the green queue")
    done = await memory.record_outcome("Which queue for mail?", "success", used_memory_ids=[used])
    helped = await one(memory, "Which queue for mail?", used)
    assert helped.marks is not None
    assert helped.marks.successes == 1
    await memory.update_memory(done.memory_id, outcome="failure")
    harmed = await one(memory, "Which queue for mail?", used)
    assert harmed.marks is not None
    assert (harmed.marks.successes, harmed.marks.failures) == (0, 1)
    assert harmed.score < helped.score


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"outcome": "win"}, "success, failure, partial, unknown"),
        ({"severity": "huge"}, "minor, major, critical"),
        ({"user_scope": "team"}, "user, global"),
        ({"confidence": 1.5}, "0..1"),
        ({"logs": ["x" * 3_000_000] * 2}, "5,000,000"),
        ({"task": "  "}, "task"),
        ({"metadata": {"x": object()}}, "metadata"),
    ],
)
async def test_what_is_refused_is_named_and_stores_nothing(
    memory: AsyncMemory, arguments: dict[str, Any], said: str
):
    with pytest.raises(InvalidInput, match=said):
        await memory.record_outcome(**{"task": "Build", **arguments})
    assert (await memory.stats()).memories == 0


async def test_a_global_outcome_reaches_everybody(memory: AsyncMemory):
    await memory.record_outcome("Deploy the shop", "failure", user_scope="global", user_id="ann")
    found = await memory.recall_lessons("Deploy the blog", user_id="bob")
    assert [one.user_id for one in found.failures] == ["global"]
    without = await memory.recall_lessons("Deploy the blog", user_id="bob", include_global=False)
    assert without.failures == []


@pytest.mark.parametrize(
    ("task", "summary", "lesson"),
    [("a", "", ""), ("a\nb", "c", "d"), ("a", "", "d\nLesson-like"), ("a", "c", "")],
)
def test_an_outcome_text_is_read_back_in_parts(task: str, summary: str, lesson: str):
    assert outcome_parts(outcome_text(task, summary, lesson)) == (task, summary, lesson)


# recall_lessons


async def test_many_successes_do_not_crowd_out_the_failure(memory: AsyncMemory):
    for number in range(30):
        await memory.record_outcome(f"Deploy service {number} to staging", "success")
    failed = await memory.record_outcome("Deploy with an old key", "failure", lesson="Renew it")
    found = await memory.recall_lessons("Deploy service 7 to staging", limit=3)
    assert len(found.successes) == 3
    assert [each.memory_id for each in found.failures] == [failed.memory_id]
    assert "Renew it" in found.briefing
    assert f"- [{failed.memory_id[:8]} " in found.briefing


async def test_every_filter_of_lessons_holds(memory: AsyncMemory):
    common: dict[str, Any] = {"task": "Fix the query", "outcome": "failure"}
    wanted = await memory.record_outcome(
        **common,
        task_type="sql",
        tool_name="psql",
        severity="major",
        agent_version="2",
        occurred_at="2026-05-01T00:00:00Z",
    )
    asked = {
        "task_type": "sql",
        "tool_name": "psql",
        "severity": "major",
        "agent_version": "2",
        "since": "2026-04-01T00:00:00Z",
    }
    for name, value in asked.items():
        different = {name: "other"} if name not in ("since", "severity") else {}
        different |= {"severity": "minor"} if name == "severity" else {}
        fields = {**{k: v for k, v in asked.items() if k != "since"}, **different}
        when = "2026-01-01T00:00:00Z" if name == "since" else "2026-05-01T00:00:00Z"
        common["task"] = f"Fix the query, with another {name}"
        await memory.record_outcome(**common, **fields, occurred_at=when)
        found = await memory.recall_lessons("Fix the query", **{name: value}, limit=50)
        assert wanted.memory_id in {one.memory_id for one in found.failures}
    found = await memory.recall_lessons("Fix the query", **asked, limit=50)
    assert [each.memory_id for each in found.failures] == [wanted.memory_id]


async def test_the_same_task_by_two_tools_is_shown_twice_and_by_one_once(memory: AsyncMemory):
    for tool in ("psql", "psql", "dbt"):
        await memory.record_outcome("Fix the query", "success", tool_name=tool)
    found = (await memory.recall_lessons("Fix the query")).successes
    assert {each.tool_name: each.support for each in found} == {"psql": 2, "dbt": 1}


async def test_lists_hold_what_their_names_say(memory: AsyncMemory):
    for word in ("success", "failure", "partial", "unknown"):
        await memory.record_outcome(f"Bake bread, {word}", word)
    everything = await memory.recall_lessons("Bake bread")
    assert [each.outcome for each in everything.successes] == ["success"]
    assert {each.outcome for each in everything.failures} == {"failure", "partial"}
    assert everything.lessons == []
    asked = await memory.recall_lessons("Bake bread", outcomes=["unknown", "success"])
    assert [each.outcome for each in asked.lessons] == ["unknown"]
    assert len(asked.successes) == 1
    assert asked.failures == []


async def test_a_budget_is_shared_between_the_lists(memory: AsyncMemory):
    for number in range(6):
        for word in ("success", "failure"):
            await memory.record_outcome(f"Paint wall {number} in a {word} colour " * 4, word)
    found = await memory.recall_lessons("Paint wall 3", limit=6, max_tokens=200)
    texts = [each.text for some in (found.successes, found.failures) for each in some]
    assert sum(map(count_tokens, texts)) <= 200
    assert found.successes
    assert found.failures
    assert count_tokens(found.briefing) <= 200


async def test_tools_are_counted_with_a_range(memory: AsyncMemory):
    for number in range(10):
        await memory.record_outcome(
            f"Fix query {number}",
            "success" if number < 8 else "failure",
            task_type="sql",
            tool_name="psql",
        )
    await memory.record_outcome("Sweep the floor", "failure", task_type="home", tool_name="broom")
    (tool,) = (await memory.recall_lessons("Fix a query", task_type="sql")).tool_stats
    assert (tool.tool_name, tool.success, tool.failure, tool.partial) == ("psql", 8, 2, 0)
    assert 0 < tool.rate_low < 0.8 < tool.rate_high < 1


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Against statsmodels.stats.proportion.proportion_confint(method="wilson", alpha=0.1).
    [(8, 10, 0.541, 0.931), (0, 5, 0.0, 0.351), (50, 100, 0.419, 0.581)],
)
def test_the_range_is_wilsons(successes: float, trials: float, low: float, high: float):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=0.002)


async def test_a_large_store_of_outcomes_is_searched_list_by_list(tmp_path: Path):
    settings = Settings.model_validate({"data_dir": tmp_path / "m", "recall": {"whole": 5}})
    async with AsyncMemory.open(settings) as memory:
        for number in range(10):
            await memory.record_outcome(f"Water plant {number}", "success", tool_name="can")
        failed = await memory.record_outcome("Water the cactus", "failure", tool_name="hose")
        found = await memory.recall_lessons("Water the plants")
        assert len(found.successes) == 5
        assert [each.memory_id for each in found.failures] == [failed.memory_id]
        assert {tool.tool_name for tool in found.tool_stats} == {"can", "hose"}


# give_feedback


async def test_marks_move_a_memory_by_a_visible_bounded_amount(memory: AsyncMemory):
    first = await stored(memory, "The staging server is called oak")
    second = await stored(memory, "The staging server is called elm")
    question = "What is the staging server called?"
    before = await memory.recall(question)
    better, worse = ids(before)
    assert {better, worse} == {first, second}
    given = await memory.give_feedback(worse, "POSITIVE", recall_id=before.recall_id)
    assert (given.results[0].feedback, given.results[0].previous) == ("POSITIVE", None)
    await memory.give_feedback(better, "NEGATIVE", query=question)
    after = await memory.recall(question, explain=True)
    assert ids(after) == [worse, better]
    up, down = after.memories
    assert up.scores is not None
    assert up.scores["useful"] > 0
    assert up.scores["useful_here"] > 0
    assert down.scores is not None
    assert down.scores["useful_here"] < 0
    assert sum(up.scores.values()) == pytest.approx(up.score, abs=1e-4)
    gone = await memory.give_feedback(worse, "", query=question)
    assert (gone.results[0].feedback, gone.results[0].previous) == (None, "POSITIVE")
    await memory.give_feedback(better, None, query=question)
    assert [one.score for one in (await memory.recall(question)).memories] == [
        one.score for one in before.memories
    ]


async def test_the_latest_word_of_a_rater_counts(memory: AsyncMemory):
    known = await stored(memory, "The door code is in the safe")
    for word in ("POSITIVE", "NEGATIVE", "POSITIVE"):
        await memory.give_feedback(known, word, query="door code?")
    await memory.give_feedback(known, "NEGATIVE", query="door code?", agent_id="critic")
    await memory.give_feedback(known, "POSITIVE", query="Another question")
    found = await one(memory, "door code?", known)
    assert found.marks is not None
    assert (found.marks.positive, found.marks.negative) == (2, 1)


async def test_a_very_negative_mark_of_the_owner_hides_until_it_is_taken_back(
    memory: AsyncMemory,
):
    known = await stored(memory, "The office is closed")
    await memory.give_feedback(known, "VERY_NEGATIVE", feedback_reason="wrong")
    assert ids(await memory.recall("Is the office closed?")) == []
    listed = await memory.list_memories()
    assert [each.status for each in listed.memories] == ["hidden"]
    await memory.give_feedback(known, "")
    assert ids(await memory.recall("Is the office closed?")) == [known]


async def test_a_shared_memory_is_hidden_only_by_who_wrote_it(memory: AsyncMemory):
    shared = await stored(memory, "The canteen opens at noon", user_id="global")
    await memory.give_feedback(shared, "VERY_NEGATIVE", user_id="bob")
    assert ids(await memory.recall("When does the canteen open?", user_id="ann")) == [shared]
    await memory.give_feedback(shared, "VERY_NEGATIVE", user_id="global")
    assert ids(await memory.recall("When does the canteen open?", user_id="ann")) == []


async def test_each_of_many_items_has_its_own_result(memory: AsyncMemory):
    known = await stored(memory, "The lamp is red")
    foreign = await stored(memory, "The lamp is blue", user_id="eve")
    ended = await stored(memory, "The lamp is green")
    await memory.forget(ended)
    given = await memory.give_feedback(
        items=[
            {"memory_id": known, "feedback": "POSITIVE", "query": "lamp?"},
            {"memory_id": foreign, "feedback": "POSITIVE"},
            {"memory_id": "nobody", "feedback": "POSITIVE"},
            {"memory_id": ended, "feedback": "POSITIVE"},
            {"memory_id": known, "feedback": "so-so"},
            {"memory_id": known, "feedback": "POSITIVE", "recall_id": "r0"},
            {"memory_id": known, "feedback": "POSITIVE", "stars": 5},
            {"memory_id": known, "feedback": "NEGATIVE", "query": " Lamp? "},
        ]
    )
    assert [(each.feedback, each.previous) for each in given.results] == [
        ("POSITIVE", None),
        ("NEGATIVE", "POSITIVE"),
    ]
    problems = [each.error for each in given.errors]
    assert problems[0].replace(foreign, "x") == problems[1].replace("nobody", "x")
    assert problems[2].replace(ended, "x") == problems[1].replace("nobody", "x")
    assert "POSITIVE, NEGATIVE, VERY_NEGATIVE" in problems[3]
    assert "recall_id" in problems[4]
    assert "stars" in problems[5]


async def test_feedback_follows_a_memory_through_its_versions(memory: AsyncMemory):
    known = await stored(memory, "The lamp is red")
    await memory.give_feedback(known, "POSITIVE", query="lamp?")
    await memory.update_memory(known, content="The lamp is orange")
    found = await one(memory, "lamp?", known)
    assert found.marks is not None
    assert found.marks.positive == 1
    assert (await memory.give_feedback(known, "NEGATIVE", query="lamp?")).results


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"memory_id": "m", "items": []}, "not both"),
        ({"items": []}, "items: is empty"),
        ({"items": [{}] * 1_001}, "at most 1,000"),
        ({"memory_id": "", "feedback": "POSITIVE"}, "memory_id"),
        ({"memory_id": "m", "feedback": "wrong"}, "POSITIVE, NEGATIVE, VERY_NEGATIVE"),
    ],
)
async def test_wrong_feedback_is_named(memory: AsyncMemory, arguments: dict[str, Any], said: str):
    with pytest.raises(InvalidInput, match=said):
        await memory.give_feedback(**arguments)


async def test_feedback_brings_in_what_the_question_would_not_have_found(tmp_path: Path):
    settings = Settings.model_validate(
        {"data_dir": tmp_path / "m", "recall": {"whole": 5, "pool": 10}}
    )
    async with AsyncMemory.open(settings) as memory:
        for number in range(40):
            await memory.remember(f"The printer on floor {number} needs toner")
        hidden_gem = await stored(memory, "Call Ms Okafor at extension 77")
        question = "The printer on my floor is out of toner"
        assert hidden_gem not in ids(await memory.recall(question, limit=50))
        await memory.give_feedback(hidden_gem, "POSITIVE", query=question)
        assert hidden_gem in ids(await memory.recall(question, limit=50))


async def test_another_process_sees_marks_and_recall_ids(settings: Settings, memory: AsyncMemory):
    known = await stored(memory, "The lamp is red")
    found = await memory.recall("Which colour has the lamp?")
    async with AsyncMemory.open(settings) as other:
        for _ in range(20):
            await asyncio.sleep(0.05)
            if await other._runtime.traces.find(found.recall_id, "default"):
                break
        await other.give_feedback(known, "POSITIVE", recall_id=found.recall_id)
    marked = await one(memory, "Which colour has the lamp?", known)
    assert marked.marks is not None
    assert marked.marks.positive == 1


async def test_traces_can_be_switched_off(tmp_path: Path):
    settings = Settings.model_validate({"data_dir": tmp_path / "m", "recall": {"traces": False}})
    async with AsyncMemory.open(settings) as memory:
        known = await stored(memory, "The lamp is red")
        found = await memory.recall("lamp?")
        with pytest.raises(InvalidInput, match="recall_id"):
            await memory.give_feedback(known, "POSITIVE", recall_id=found.recall_id)
    assert not (tmp_path / "m" / "traces.lance").exists()


async def test_a_purged_memory_leaves_no_marks(memory: AsyncMemory):
    known = await stored(memory, "The lamp is red")
    await memory.give_feedback(known, "POSITIVE", query="secret question")
    await memory.forget(known, purge=True)
    left = await memory._runtime.ratings.log.read(["memory_id", "query"])
    assert left.num_rows == 0


async def test_the_parts_of_a_score_add_up_to_it_also_at_its_bounds(memory: AsyncMemory):
    for text in ("The lamp is red", "The lamp is blue", "The cat sleeps"):
        known = await stored(memory, text)
        word = "NEGATIVE" if "blue" in text else "POSITIVE"
        for agent in "abcdefgh":
            for query in ("The lamp is red", "zebra"):
                await memory.give_feedback(known, word, query=query, agent_id=agent)
    for query in ("The lamp is red", "zebra quantum"):
        for each in (await memory.recall(query, explain=True)).memories:
            assert each.scores is not None
            assert sum(each.scores.values()) == pytest.approx(each.score, abs=1e-5)
            assert 0 <= each.score <= 1


async def test_a_repeated_outcome_gets_its_answer_also_when_what_it_used_is_forgotten(
    memory: AsyncMemory,
):
    used = await stored(memory, "The lamp is red")
    asked: dict[str, Any] = {"used_memory_ids": [used], "idempotency_key": "k"}
    first = await memory.record_outcome("t", "success", **asked)
    await memory.forget(used)
    assert await memory.record_outcome("t", "success", **asked) == first
