"""Archiving, what stats say of learning, and why a memory was in an answer or not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import Archived, Maintained, Memory, RecallResult, WhyResult
from mem_mcp.api.stats import Learning
from mem_mcp.cli.app import app
from mem_mcp.cli.stats_plot import draw
from mem_mcp.cli.stats_text import stats_lines
from mem_mcp.config import ArchiveSettings, RecallSettings
from mem_mcp.errors import InvalidInput, NotFound
from mem_mcp.operations.stats import stats
from mem_mcp.times import utc_now

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_number = count()


pytestmark = pytest.mark.usefixtures("one_model")


async def only(memory: AsyncMemory, text: str, **fields: Any) -> str:
    (one,) = (await memory.remember(text, **fields)).results
    return one.memory_id


async def now(memory: AsyncMemory, memory_id: str, **scope: Any) -> Memory:
    return (await memory.get_memory(memory_id, **scope)).memory


async def why(memory: AsyncMemory, answer: RecallResult, memory_id: str, **scope: Any) -> WhyResult:
    return await memory.why(answer.recall_id, memory_id, **scope)


async def traced(
    memory: AsyncMemory, ids: Sequence[str], times: int = 1, *, ago: timedelta = timedelta()
) -> None:
    """Write traces of answers as recall would have left them."""
    rows = [
        {
            "recall_id": f"r{next(_number)}",
            "tool": "recall",
            "user_id": "default",
            "query": "a question",
            "memory_ids": [*ids],
            "arguments": "{}",
            "created_at": utc_now() - ago,
        }
        for _ in range(times)
    ]
    await memory._runtime.traces.log.append(rows, durable=False)


async def rated(memory: AsyncMemory, memory_id: str, rating: str, *, at: datetime) -> None:
    """Write a rating of a past moment; each has a question of its own."""
    row = {
        "memory_id": memory_id,
        "owner": "default",
        "rating": rating,
        "query": "",
        "question": f"q{next(_number)}",
        "user_id": "default",
        "created_at": at,
    }
    await memory._runtime.ratings.log.append([row], durable=False)


async def rate(memory: AsyncMemory, memory_id: str, rating: str, times: int, **scope: Any) -> None:
    """Rate a memory, each time for another question."""
    items = [
        {"memory_id": memory_id, "feedback": rating, "query": f"question {next(_number)}"}
        for _ in range(times)
    ]
    assert not (await memory.give_feedback(items=items, **scope)).errors


async def disliked(memory: AsyncMemory, text: str, **scope: Any) -> str:
    """Store a memory that was recalled often and always did harm."""
    memory_id = await only(memory, text, **scope)
    await traced(memory, [memory_id], 6)
    await rate(memory, memory_id, "NEGATIVE", 3)
    return memory_id


def reasons(done: Maintained) -> dict[str, str]:
    return {one.memory_id: one.reason for one in done.archived}


# maintain archives.


@pytest.mark.anyio
async def test_what_has_expired_is_archived_and_says_since_when(memory: AsyncMemory):
    over, later = utc_now() + timedelta(seconds=0.5), utc_now() + DAY
    gone = await only(memory, "The build is frozen", expires_at=over)
    kept = await only(memory, "The release is tomorrow", expires_at=later)
    await asyncio.sleep(0.6)
    done = await memory.maintain()
    day = f"{over:%Y-%m-%d}"
    assert done.archived == [
        Archived(memory_id=gone, text="The build is frozen", reason=f"archived: expired on {day}")
    ]
    versions = (await memory.get_memory(gone, history=True)).versions
    assert [one.status for one in versions] == ["active", "archived"]
    assert versions[-1].reason == f"archived: expired on {day}"
    assert versions[-1].actor == "maintain"
    assert (await now(memory, kept)).status == "active"
    assert (await memory.maintain()).archived == []
    listed = await memory.list_memories(filters={"status": "archived"})
    assert [one.memory_id for one in listed.memories] == [gone]


@pytest.mark.anyio
async def test_what_was_recalled_often_and_harms_is_archived_and_can_be_brought_back(
    memory: AsyncMemory,
):
    bad = await disliked(memory, "Deploy on Friday evening")
    shared = await disliked(memory, "Never write tests", user_id="global")
    rare = await only(memory, "Skip the review")
    await traced(memory, [rare], 2)
    await rate(memory, rare, "NEGATIVE", 3)
    mixed = await only(memory, "Restart the pods")
    await traced(memory, [mixed], 9)
    await rate(memory, mixed, "NEGATIVE", 3)
    await rate(memory, mixed, "POSITIVE", 2)

    done = await memory.maintain()
    reason = "archived: recalled 6 times, 3 marks against and 0 for it"
    assert reasons(done) == {bad: reason, shared: reason}
    assert (await now(memory, bad)).reason == reason
    answer = await memory.recall("When to deploy?")
    assert bad not in [one.memory_id for one in answer.memories]

    await memory.update_memory(bad, status="active")
    answer = await memory.recall("When to deploy?")
    assert bad in [one.memory_id for one in answer.memories]
    assert (await memory.maintain()).archived == []  # old marks do not count again
    await traced(memory, [bad], 5)
    await rate(memory, bad, "NEGATIVE", 3)
    assert [*reasons(await memory.maintain())] == [bad]


@pytest.mark.anyio
async def test_outcomes_count_half_a_mark_each(memory: AsyncMemory):
    failing = await only(memory, "Use the old endpoint")
    helping = await only(memory, "Use the new endpoint")
    await traced(memory, [failing, helping], 5)
    for _ in range(6):
        await memory.record_outcome("call it", outcome="failure", used_memory_ids=[failing])
        await memory.record_outcome("call it", outcome="failure", used_memory_ids=[helping])
    for _ in range(3):
        await memory.record_outcome("call it", outcome="success", used_memory_ids=[helping])
    assert reasons(await memory.maintain(dry_run=True)) == {
        failing: "archived: recalled 5 times, 0 marks against and 0 for it, "
        "outcomes that used it: 6 failure, 0 success"
    }


@pytest.mark.anyio
async def test_a_rating_that_was_taken_back_or_changed_counts_as_it_is_now(memory: AsyncMemory):
    memory_id = await only(memory, "Use tabs")
    await traced(memory, [memory_id], 6)
    for agent in ("a", "b", "c"):
        await memory.give_feedback(memory_id, "NEGATIVE", query="tabs?", agent_id=agent)
    assert [*reasons(await memory.maintain(dry_run=True))] == [memory_id]
    await memory.give_feedback(memory_id, "", query="tabs?", agent_id="a")
    assert (await memory.maintain(dry_run=True)).archived == []
    await memory.give_feedback(memory_id, "POSITIVE", query="tabs?", agent_id="b")
    learning = (await memory.stats()).learning
    assert (learning.feedback.positive, learning.feedback.negative) == (1, 1)


@pytest.mark.anyio
async def test_a_dry_run_says_what_would_be_done_and_changes_nothing(memory: AsyncMemory):
    bad = await disliked(memory, "Deploy on Friday evening")
    await traced(memory, [bad], 2, ago=31 * DAY)
    before = (await memory.stats()).model_dump(exclude={"data_bytes"})
    done = await memory.maintain(dry_run=True)
    assert done.model_copy(update={"archived": []}) == Maintained(
        ran=False, dry_run=True, pruned_traces=2, reason="a dry run changes nothing"
    )
    assert [*reasons(done)] == [bad]
    assert (await memory.stats()).model_dump(exclude={"data_bytes"}) == before
    assert (await now(memory, bad)).status == "active"
    assert [*reasons(await memory.maintain())] == [bad]


@pytest.mark.anyio
async def test_both_kinds_of_archiving_can_be_switched_off(settings: Settings):
    off = settings.model_copy(update={"archive": ArchiveSettings(expired=False, harmful=False)})
    async with AsyncMemory.open(off) as memory:
        await disliked(memory, "Deploy on Friday evening")
        await only(memory, "over soon", expires_at=utc_now() + timedelta(seconds=0.2))
        await asyncio.sleep(0.3)
        assert (await memory.maintain()).archived == []


@pytest.mark.anyio
async def test_what_another_changes_meanwhile_is_left_alone(
    memory: AsyncMemory, monkeypatch: pytest.MonkeyPatch
):
    bad = await disliked(memory, "Deploy on Friday evening")
    worse = await disliked(memory, "Deploy on Sunday night")
    store = memory._runtime.store
    apply = store.apply

    async def late(*arguments: Any, **named: Any) -> bool:
        monkeypatch.setattr(store, "apply", apply)
        await memory.update_memory(bad, content="Deploy on Monday morning")
        return await apply(*arguments, **named)

    monkeypatch.setattr(store, "apply", late)
    assert [*reasons(await memory.maintain())] == [worse]
    assert (await now(memory, bad)).text == "Deploy on Monday morning"
    assert (await now(memory, worse)).status == "archived"


@pytest.mark.anyio
async def test_traces_that_are_too_old_are_dropped(memory: AsyncMemory):
    memory_id = await only(memory, "Ann lives in Rome")
    await traced(memory, [memory_id], 3, ago=31 * DAY)
    await traced(memory, [memory_id], 2, ago=29 * DAY)
    assert (await memory.stats()).learning.traces == 2
    assert (await memory.maintain()).pruned_traces == 3
    assert (await memory._runtime.traces.log.read(["recall_id"])).num_rows == 2
    assert (await memory.maintain()).pruned_traces == 0


# stats.


@pytest.mark.anyio
async def test_stats_of_a_store_that_learnt_nothing_are_empty(memory: AsyncMemory):
    await only(memory, "Ann lives in Rome")
    learning = (await memory.stats()).learning
    assert (learning.window_days, learning.traces, learning.never_recalled) == (30, 0, 1)
    assert learning.feedback.share is None
    assert learning.outcomes.rate is None
    assert (learning.by_tool, learning.most_helpful, learning.most_harmful) == ([], [], [])


@pytest.mark.anyio
async def test_stats_say_how_much_was_rated_what_helps_and_what_is_never_recalled(
    memory: AsyncMemory,
):
    ids = [await only(memory, f"Note number {number}") for number in range(5)]
    good, bad, plain, *unused = ids
    await traced(memory, [good, bad], 2)
    await traced(memory, [plain])
    await rate(memory, good, "POSITIVE", 2)
    await rate(memory, bad, "NEGATIVE", 1)
    await memory.record_outcome("a task", outcome="success", used_memory_ids=[good])
    learning = (await memory.stats()).learning
    assert learning.traces == 3
    assert (learning.feedback.recalled, learning.feedback.rated) == (3, 2)
    assert learning.feedback.share == 0.6667
    (helpful,), (harmful,) = learning.most_helpful, learning.most_harmful
    assert (helpful.memory_id, helpful.text) == (good, "Note number 0")
    assert (helpful.marks.positive, helpful.marks.successes) == (2, 1)
    assert (harmful.memory_id, harmful.marks.negative) == (bad, 1)
    assert learning.never_recalled == 3  # the outcome as well
    assert learning.never_recalled_ids[:2] == unused
    await memory.forget(good)
    assert (await memory.stats()).learning.most_helpful == []


@pytest.mark.anyio
async def test_stats_count_ratings_by_iso_week(memory: AsyncMemory):
    memory_id = await only(memory, "Ann lives in Rome")
    monday = _monday() - 3 * 7 * DAY
    for rating, at in (
        ("POSITIVE", monday + HOUR),
        ("POSITIVE", monday + 6 * DAY),
        ("VERY_NEGATIVE", monday + 6 * DAY),
        ("NEGATIVE", monday + 7 * DAY),
        ("POSITIVE", monday - 60 * 7 * DAY),
    ):
        await rated(memory, memory_id, rating, at=at)
    feedback = (await memory.stats()).learning.feedback
    assert (feedback.positive, feedback.negative, feedback.very_negative) == (3, 1, 1)
    assert [tuple(week.model_dump().values()) for week in feedback.weeks] == [
        (_week(monday), 2, 0, 1),
        (_week(monday + 7 * DAY), 0, 1, 0),
    ]


@pytest.mark.anyio
async def test_stats_give_the_success_rate_by_task_type_and_tool_and_week(memory: AsyncMemory):
    monday = _monday() - 2 * 7 * DAY
    for outcome, task_type, tool_name, at in (
        ("success", "sql", "psql", monday),
        ("failure", "sql", "psql", monday + DAY),
        ("partial", "sql", "", monday + 7 * DAY),
        ("success", "deploy", "kubectl", monday + 7 * DAY),
        ("unknown", "deploy", "kubectl", monday + 7 * DAY),
        ("success", "", "", monday + 9_000 * DAY),  # a date in the future has no week yet
    ):
        await memory.record_outcome(
            "a task", outcome=outcome, task_type=task_type, tool_name=tool_name, occurred_at=at
        )
    learning = (await memory.stats()).learning
    first, second = _week(monday), _week(monday + 7 * DAY)
    sql, deploy = learning.by_task_type
    assert (sql.name, sql.success, sql.failure, sql.partial, sql.rate) == ("sql", 1, 1, 1, 0.5)
    assert [(week.week, week.success, week.failure, week.partial) for week in sql.weeks] == [
        (first, 1, 1, 0),
        (second, 0, 0, 1),
    ]
    assert (deploy.success, deploy.unknown, deploy.rate) == (1, 1, 1.0)
    assert [(tool.name, tool.rate) for tool in learning.by_tool] == [
        ("kubectl", 1.0),
        ("psql", 0.5),
    ]
    assert (learning.outcomes.success, learning.outcomes.rate) == (3, 0.7)
    assert [week.week for week in learning.outcomes.weeks] == [first, second]


@pytest.mark.anyio
async def test_stats_can_leave_out_what_names_memories(memory: AsyncMemory):
    await rate(memory, await only(memory, "Ann lives in Rome"), "POSITIVE", 1)
    brief = await stats(memory._runtime, detailed=False)
    assert (brief.memories, brief.learning) == (1, Learning())


@pytest.mark.anyio
async def test_the_command_prints_and_draws_what_was_learnt(memory: AsyncMemory, tmp_path: Path):
    good, bad = await only(memory, "Ann lives in Rome"), await only(memory, "Bob plays chess")
    await traced(memory, [good])
    await rate(memory, good, "POSITIVE", 2)
    for outcome in ("success", "partial", "failure", "unknown"):
        await memory.record_outcome(
            "a task", outcome=outcome, task_type="_a $1$ b", used_memory_ids=[bad]
        )
    await rate(memory, bad, "NEGATIVE", 1)
    found = await memory.stats()
    lines = [*stats_lines(found)]
    assert "answers   1 in 30 days, with 1 memory, 100 % of them rated" in lines
    assert "ratings   2 for, 1 against" in lines
    assert "outcomes  1 success, 1 failure, 1 partial, 1 unknown; success rate 50 %" in lines
    assert any(line.split() == ["_a", "$1$", "b", "50", "%", "of", "3"] for line in lines)
    assert "    1 against, successes that used it: 1, failures that used it: 1" in lines

    pytest.importorskip("matplotlib")
    draw(found.learning, tmp_path / "stats.svg")
    assert (tmp_path / "stats.svg").read_text().startswith("<?xml")


def _monday() -> datetime:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday())


def _week(day: datetime) -> str:
    return f"{day:%G-W%V}"


# why: what was in the answer.


@pytest.mark.anyio
async def test_why_gives_the_place_and_the_parts_of_what_was_found(memory: AsyncMemory):
    found = await only(memory, "Ann lives in Rome")
    await only(memory, "Bob plays chess on Sundays")
    answer = await memory.recall("Where does Ann live?", explain=True, min_score=0)
    told = await why(memory, answer, found)
    assert (told.found, told.rank, told.query) == (True, 1, "Where does Ann live?")
    assert told.verdict.startswith("It was number 1 of 2 in the answer, with a score of 0.")
    assert told.score == pytest.approx(answer.memories[0].score, abs=1e-4)
    assert sum(told.scores.values()) == pytest.approx(told.score, abs=1e-4)
    assert "marks given since" in told.details[-1]


@pytest.mark.anyio
async def test_why_tells_what_has_changed_since(memory: AsyncMemory):
    found = await only(memory, "Ann lives in Rome")
    answer = await memory.recall("Where does Ann live?")
    await memory.update_memory(found, content="Ann lives in Oslo", reason="she moved")
    told = await why(memory, answer, found)
    assert told.found
    assert "its text has changed: version 1 then, 2 now (she moved)" in told.details[-1]
    await memory.forget(found)
    told = await why(memory, answer, found)
    assert "it was forgotten: version 1 then, 3 now" in told.details[-1]
    assert told.score == pytest.approx(answer.memories[0].score, abs=1e-4)


# why: what was not.


@pytest.mark.anyio
async def test_why_tells_what_could_not_be_seen_then(memory: AsyncMemory):
    await only(memory, "Ann has a cat")
    forgotten = await only(memory, "Ann lives in Rome")
    archived = await only(memory, "Ann lives in Oslo")
    expired = await only(memory, "Ann lives in Bonn", expires_at=utc_now() + timedelta(seconds=0.3))
    hidden = await only(memory, "Ann lives in Lima")
    await memory.forget(forgotten)
    await memory.update_memory(archived, status="archived", reason="doubtful")
    await memory.give_feedback(hidden, "VERY_NEGATIVE", feedback_reason="wrong")
    await asyncio.sleep(0.3)
    answer = await memory.recall("Where does Ann live?")
    later = await only(memory, "Ann lives in Nice")
    verdicts = {
        memory_id: (await why(memory, answer, memory_id)).verdict
        for memory_id in (forgotten, archived, expired, hidden, later)
    }
    assert verdicts[forgotten].startswith("It had been forgotten since 2")
    assert verdicts[archived].startswith("It was archived since 2")
    assert verdicts[archived].endswith("(doubtful).")
    assert verdicts[expired].startswith("It had expired at 2")
    assert verdicts[hidden].startswith("It was hidden since 2")
    assert verdicts[later].startswith("It was not there yet at 2")


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.anyio
async def test_why_names_the_filter_that_left_it_out(memory: AsyncMemory, waits: bool):
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    fields = {"agent_id": "a", "run_id": "r", "tags": ["home"], "metadata": {"team": "x"}}
    out = await only(memory, "Ann lives in Rome", occurred_at=moment, **fields)
    shared = await only(memory, "Ann lives on Earth", user_id="global")
    asked: list[tuple[str, dict[str, Any], str]] = [
        (out, {"agent_id": "b"}, "agent_id 'b'"),
        (out, {"run_id": "s"}, "run_id 's'"),
        (out, {"kinds": ["message", "lesson"]}, "kinds message, lesson"),
        (out, {"tags": ["work"]}, "tags work"),
        (
            out,
            {"filters": {"tags": "home", "metadata.team": {"in": ["y"]}}},
            'filters {"metadata.team": {"in": ["y"]}}',
        ),
        (out, {"since": moment + DAY}, "since 2026-03-02T00:00:00+00:00"),
        (out, {"until": "2026-02-01T00:00:00Z"}, "until 2026-02-01T00:00:00+00:00"),
        (shared, {"include_global": False}, "include_global false"),
    ]
    answers = [await memory.recall("Where?", **arguments) for _, arguments, _ in asked]
    if waits:
        await memory._runtime.traces.close()
    for answer, (memory_id, _, condition) in zip(answers, asked, strict=True):
        told = await why(memory, answer, memory_id)
        assert told.verdict == f"It was left out by {condition}."
        assert (told.found, told.rank, told.details) == (False, None, [])


@pytest.mark.anyio
async def test_why_names_every_condition_that_is_not_met(memory: AsyncMemory):
    out = await only(memory, "Ann lives in Rome")
    answer = await memory.recall("Where?", kinds=["lesson"], tags=["home"])
    told = await why(memory, answer, out)
    assert told.verdict == "It was left out by kinds lesson."
    assert told.details == ["Also: It was left out by tags home."]


@pytest.mark.anyio
async def test_why_tells_of_the_limit_and_of_min_score(memory: AsyncMemory):
    await only(memory, "Ann lives in Rome")
    second = await only(memory, "Ann has a house by the sea")
    third = await only(memory, "Volcanoes erupt")
    answer = await memory.recall("Where does Ann live?", limit=1)
    told = await why(memory, answer, second)
    assert told.verdict == "It was number 2 of 3, and the limit was 1."
    assert "The last one taken before it scored 0." in told.details[0]
    assert told.rank == 2
    assert told.score is not None
    answer = await memory.recall("Where does Ann live?", min_score=0.5)
    told = await why(memory, answer, third)
    assert told.verdict.endswith("was below min_score, 0.50.")


@pytest.mark.anyio
async def test_why_names_the_better_one_that_says_the_same(memory: AsyncMemory):
    one = await only(memory, "Ann lives in Rome", agent_id="a")
    two = await only(memory, "Ann lives in Rome", agent_id="b")
    answer = await memory.recall("Where does Ann live?")
    (kept,) = (found.memory_id for found in answer.memories)
    (dropped,) = {one, two} - {kept}
    told = await why(memory, answer, dropped)
    assert told.verdict == (
        f"It says the same as {kept}, which is better placed: Ann lives in Rome"
    )


@pytest.mark.anyio
async def test_why_tells_what_the_budget_had_no_room_for(memory: AsyncMemory):
    await only(memory, "Ann lives in Rome")
    long = await only(memory, "Ann lives where many cats live " + "and sleep " * 40)
    answer = await memory.recall("Where does Ann live?", max_tokens=20)
    told = await why(memory, answer, long)
    assert told.verdict == "It did not fit: it takes 108 tokens, and 15 were left."


@pytest.mark.anyio
async def test_why_tells_what_a_large_scope_had_no_place_for(settings: Settings):
    small = settings.model_copy(update={"recall": RecallSettings(whole=0, pool=10)})
    async with AsyncMemory.open(small) as memory:
        await memory.remember_many(
            [{"content": f"Ann lives in house {number} in Rome"} for number in range(30)]
        )
        out = await only(memory, "Volcanoes erupt")
        answer = await memory.recall("Where does Ann live?", limit=3)
        told = await why(memory, answer, out)
        assert told.verdict.startswith("It was not among the candidates")
        assert "recall.pool" in told.details[0]


@pytest.mark.anyio
async def test_why_answers_as_of_the_moment_that_was_asked_about(memory: AsyncMemory):
    early = await only(memory, "Ann lives in Rome")
    moment = utc_now()
    late = await only(memory, "Ann lives in Oslo")
    answer = await memory.recall("Where does Ann live?", as_of=moment)
    assert (await why(memory, answer, early)).found
    assert "It was not there yet" in (await why(memory, answer, late)).verdict


@pytest.mark.anyio
async def test_why_knows_the_lists_of_recall_lessons(memory: AsyncMemory):
    ids = [
        (await memory.record_outcome(task, outcome=outcome, task_type=kind)).memory_id
        for task, outcome, kind in (
            ("fix the slow query", "success", "sql"),
            ("fix the slow query of the report", "success", "sql"),
            ("fix the slow query once more", "failure", "sql"),
            ("fix the build", "success", "ci"),
            ("fix what is unknown", "unknown", "sql"),
        )
    ]
    fact = await only(memory, "Ann lives in Rome")
    answer = await memory.recall_lessons("fix the slow query", task_type="sql", limit=1)
    told = [await memory.why(answer.recall_id, memory_id) for memory_id in [*ids, fact]]
    first, second, failed, other, unknown, plain = told
    assert [one.found for one in told] == [True, False, True, False, False, False]
    assert first.rank == 1
    assert second.verdict == "It was number 2 of 2, and the limit was 1."
    assert failed.found
    assert other.verdict == "It was left out by task_type 'sql'."
    assert unknown.verdict.startswith("recall_lessons shows an unknown outcome only where")
    assert plain.verdict == "It was left out by recall_lessons, which shows outcomes and lessons."


@pytest.mark.anyio
async def test_why_refuses_what_it_cannot_know(memory: AsyncMemory):
    mine = await only(memory, "Ann lives in Rome")
    theirs = await only(memory, "Bob lives in Oslo", user_id="bob")
    answer = await memory.recall("Who lives where?")
    with pytest.raises(InvalidInput, match=r"recall_id: no recall 'r0' .* last 30 days"):
        await memory.why("r0", mine)
    with pytest.raises(InvalidInput, match="no recall"):
        await why(memory, answer, theirs, user_id="bob")
    with pytest.raises(NotFound):
        await why(memory, answer, theirs)
    with pytest.raises(NotFound):
        await why(memory, answer, "nobody")


# The commands.


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout + result.stderr


def test_a_picture_is_refused_before_the_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("mem_mcp.cli.stats_plot.find_spec", lambda _name: None)
    code, printed = _run("stats", "--plot", str(tmp_path / "stats.svg"))
    assert (code, "mem-mcp[plot]" in printed) == (1, True)
    monkeypatch.setattr("mem_mcp.cli.stats_plot.find_spec", lambda _name: object())
    assert "is a folder" in _run("stats", "--plot", str(tmp_path))[1]
    code, printed = _run("stats", "--plot", str(tmp_path / "new" / "x.png"))
    assert (code, "name it x.svg" in printed) == (1, True)
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "memory").exists()


def test_the_commands_say_what_would_be_done_and_why():
    assert _run("remember", "Ann lives in Rome")[0] == 0
    assert _run("maintain", "--dry-run") == (
        0,
        "would be archived  0 memories\nnothing was changed\n",
    )
    code, printed = _run("why", "r0", "m0")
    assert (code, printed.startswith("mem-mcp: recall_id: no recall 'r0'")) == (1, True)
