"""What marks teach: other words for the same question, and nothing to other questions or users."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mem_mcp import AsyncMemory, Settings

pytestmark = pytest.mark.anyio

NOTES = [
    "Alice worked at Initech from 2019 to 2021",
    "Alice works at Globex",
    "Alice likes hiking in the Alps",
    "Bob works at Hooli",
    "Globex has its office in Berlin",
    "The staging database is called oak",
    "Deploys happen on Tuesdays",
    "Dinner is at seven",
]
WORK = "Where does Alice work?"
OTHERS = ["Where does Bob work?", "When do deploys happen?", "How is the staging database called?"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"data_dir": tmp_path / "memory", "store": {"durability": "os"}})


@pytest.fixture
async def notes(memory: AsyncMemory) -> dict[str, str]:
    """The ids of the notes, by their text."""
    return {text: (await memory.remember(text)).results[0].memory_id for text in NOTES}


async def scores(memory: AsyncMemory, query: str, **scope: Any) -> dict[str, float]:
    """Return the score of each memory by its text, the best first."""
    found = await memory.recall(query, limit=50, min_score=0, **scope)
    return {one.text: one.score for one in found.memories}


async def parts(memory: AsyncMemory, query: str, text: str, **scope: Any) -> dict[str, float]:
    found = await memory.recall(query, limit=50, min_score=0, explain=True, **scope)
    return next(dict(one.scores or {}) for one in found.memories if one.text == text)


async def test_what_answered_a_question_is_found_by_the_same_question_in_other_words(
    memory: AsyncMemory, notes: dict[str, str]
):
    asked = "Which city does Alice commute to?"
    answer = NOTES[4]
    again, further = "which city does alice commute to", "What city does Alice commute to each day?"
    before = [await scores(memory, query) for query in (again, further)]
    await memory.give_feedback(notes[answer], "POSITIVE", query=asked)
    after = [await scores(memory, query) for query in (again, further)]
    assert after[0][answer] > before[0][answer] + 0.1
    assert after[1][answer] > before[1][answer] + 0.02


async def test_a_mark_moves_other_questions_by_next_to_nothing(
    memory: AsyncMemory, notes: dict[str, str]
):
    before = {query: await scores(memory, query) for query in OTHERS}
    await memory.give_feedback(notes[NOTES[3]], "NEGATIVE", query=WORK)
    await memory.give_feedback(notes[NOTES[7]], "POSITIVE", query=WORK)
    for query, scored in before.items():
        after = await scores(memory, query)
        assert next(iter(after)) == next(iter(scored))
        assert after == pytest.approx(scored, abs=0.05)


async def test_what_is_wrong_for_a_question_falls_and_the_answer_stays_first(
    memory: AsyncMemory, notes: dict[str, str]
):
    before = await scores(memory, OTHERS[0])
    assert next(iter(before)) == NOTES[3]
    await memory.give_feedback(notes[NOTES[1]], "NEGATIVE", query=OTHERS[0])
    after = await scores(memory, OTHERS[0])
    assert next(iter(after)) == NOTES[3]
    assert after[NOTES[1]] < before[NOTES[1]] - 0.1


async def test_who_marks_all_that_is_found_keeps_what_came_first(
    memory: AsyncMemory, notes: dict[str, str]
):
    before = {query: next(iter(await scores(memory, query))) for query in (WORK, *OTHERS)}
    for query in before:
        found = await memory.recall(query, limit=50, min_score=0)
        marks = [
            {"memory_id": one.memory_id, "feedback": "POSITIVE", "recall_id": found.recall_id}
            for one in found.memories
        ]
        await memory.give_feedback(items=marks)
    for query, first in before.items():
        assert next(iter(await scores(memory, query))) == first


async def test_who_marks_only_what_came_first_keeps_it_there(
    memory: AsyncMemory, notes: dict[str, str]
):
    firsts = {}
    for query in (WORK, *OTHERS):
        found = await memory.recall(query)
        firsts[query] = found.memories[0]
        await memory.give_feedback(firsts[query].memory_id, "POSITIVE", recall_id=found.recall_id)
    for query, first in firsts.items():
        assert next(iter(await scores(memory, query))) == first.text


async def test_the_later_of_two_opposite_marks_for_a_question_is_all_that_counts(
    memory: AsyncMemory, notes: dict[str, str]
):
    bob = NOTES[3]
    before = await scores(memory, WORK)
    await memory.give_feedback(notes[bob], "POSITIVE", query=WORK)
    raised = await scores(memory, WORK)
    await memory.give_feedback(notes[bob], "NEGATIVE", query=WORK)
    lowered = await scores(memory, WORK)
    assert raised[bob] > before[bob] > lowered[bob]
    await memory.give_feedback(notes[bob], "", query=WORK)
    assert await scores(memory, WORK) == before


async def test_what_was_wrong_before_a_memory_was_corrected_is_not_held_against_it(
    memory: AsyncMemory, notes: dict[str, str]
):
    wrong, right = NOTES[0], "Alice works at Umbrella as of today"
    await memory.give_feedback(notes[wrong], "NEGATIVE", query=WORK)
    assert (await parts(memory, WORK, wrong))["useful_here"] < 0
    await memory.update_memory(notes[wrong], content=right)
    assert (await parts(memory, WORK, right)).get("useful_here", 0) == 0
    await memory.give_feedback(notes[wrong], "NEGATIVE", query=WORK)
    assert (await parts(memory, WORK, right))["useful_here"] < 0


async def test_what_was_right_before_a_memory_was_changed_still_leads_to_it(
    memory: AsyncMemory, notes: dict[str, str]
):
    await memory.give_feedback(notes[NOTES[1]], "POSITIVE", query=WORK)
    await memory.update_memory(notes[NOTES[1]], content="Alice works at Globex as a lead")
    assert (await parts(memory, WORK, "Alice works at Globex as a lead"))["useful_here"] > 0


async def test_questions_of_other_users_teach_nothing(memory: AsyncMemory):
    shared = "The guest network is called lighthouse"
    known = (await memory.remember(shared, user_id="global")).results[0].memory_id
    for text in NOTES:
        await memory.remember(text, user_id="global")
    asked = "What do visitors connect to?"
    await memory.give_feedback(known, "POSITIVE", query=asked, user_id="ann")
    assert (await parts(memory, asked, shared, user_id="ann"))["useful_here"] > 0
    assert (await parts(memory, asked, shared, user_id="bob")).get("useful_here", 0) == 0


async def test_outcomes_of_tasks_count_as_marks_for_such_tasks(
    memory: AsyncMemory, notes: dict[str, str]
):
    task = "Bring the new version to production"
    await memory.record_outcome(task, "success", used_memory_ids=[notes[NOTES[6]]])
    await memory.record_outcome(task, "failure", used_memory_ids=[notes[NOTES[7]]])
    assert (await parts(memory, task, NOTES[6]))["useful_here"] > 0
    assert (await parts(memory, task, NOTES[7]))["useful_here"] < 0


ENDS: dict[str, Callable[[AsyncMemory, str], Any]] = {
    "purged": lambda memory, known: memory.forget(known, purge=True),
    "forgotten": lambda memory, known: memory.forget(known),
}


@pytest.mark.parametrize("ended", ENDS)
async def test_a_memory_that_is_gone_teaches_nothing(
    memory: AsyncMemory, notes: dict[str, str], ended: str
):
    like = "Alice works at Soylent"
    known = (await memory.remember(like)).results[0].memory_id
    await memory.give_feedback(known, "POSITIVE", query=WORK)
    await ENDS[ended](memory, known)
    found = await memory.recall(WORK, limit=50, min_score=0, explain=True)
    assert not any((one.scores or {}).get("useful_near", 0) for one in found.memories)


async def test_a_question_of_ten_thousand_characters_takes_marks_and_is_found_again(
    memory: AsyncMemory, notes: dict[str, str]
):
    asked = ("My colleague told me a long story. " * 400)[:10_000]
    before = await scores(memory, asked)
    await memory.give_feedback(notes[NOTES[7]], "POSITIVE", query=asked)
    after = await scores(memory, asked)
    assert after[NOTES[7]] > before[NOTES[7]]
    assert next(iter(await scores(memory, OTHERS[0]))) == NOTES[3]
