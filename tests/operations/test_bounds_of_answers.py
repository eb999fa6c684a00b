"""How long an answer may become, and what it says of what it does not show."""

from __future__ import annotations

import json

import pytest

from mem_mcp.config import Settings
from mem_mcp.memory import AsyncMemory
from mem_mcp.server import render
from mem_mcp.server.structured import structured
from mem_mcp.text import count_tokens

pytestmark = pytest.mark.anyio
STEPS = "Release checklist." + " Tag, build, sign and announce the release of the app." * 50
PLANS = [
    f"Notes {k}:" + f" the release plan of project {k} was discussed." * 210 for k in range(12)
]


@pytest.fixture
async def memory(tmp_path):
    settings = Settings.model_validate({"data_dir": tmp_path / "m", "store": {"durability": "os"}})
    async with AsyncMemory.open(settings) as opened:
        yield opened


@pytest.mark.parametrize("max_tokens", [20, 60, 500])
async def test_the_best_memory_is_cut_to_the_budget_and_says_so(memory, max_tokens):
    await memory.remember(STEPS)
    await memory.remember("Lunch is at noon.")
    answer = await memory.recall("release checklist of the app", max_tokens=max_tokens)
    best = answer.memories[0]
    assert best.text.startswith("Release checklist.")
    assert best.cut == {"text": len(STEPS)}
    assert sum(count_tokens(one.text) for one in answer.memories) <= max_tokens
    assert f"part of {len(STEPS):,} characters" in render.recalled(answer)
    whole = await memory.get_memory(best.memory_id)
    assert whole.memory.text == STEPS


async def test_where_the_best_has_no_room_nothing_takes_its_place(memory):
    await memory.remember(STEPS)
    await memory.remember("Lunch is at noon.")
    answer = await memory.recall("release checklist of the app", max_tokens=10)
    assert answer.memories == []
    assert answer.no_room > 0
    assert "want of room" in render.recalled(answer)


@pytest.mark.slow
async def test_an_answer_is_bounded_unless_the_caller_gives_it_room(memory):
    await memory.remember_many([{"content": text} for text in PLANS])
    answer = await memory.recall("release plan of the projects")
    assert len(answer.memories) == 10
    assert sum(len(one.text) for one in answer.memories) <= 20_000
    assert all(one.cut["text"] > 9_000 for one in answer.memories)
    assert len(render.recalled(answer)) < 22_000
    few = await memory.recall("release plan of the projects", limit=2)
    assert [3_900 < len(one.text) <= 4_000 for one in few.memories] == [True, True]
    whole = await memory.recall("release plan of the projects", limit=1, max_tokens=5_000)
    assert whole.memories[0].text in PLANS
    assert whole.memories[0].cut == {}


@pytest.mark.slow
async def test_a_page_of_a_list_is_bounded_and_complete(memory):
    await memory.remember_many([{"content": text} for text in PLANS])
    page = await memory.list_memories()
    assert len(page.memories) == page.total == len(PLANS)
    assert sum(len(one.text) for one in page.memories) <= 20_000
    assert all(one.text.startswith("Notes ") and one.cut["text"] > 9_000 for one in page.memories)


@pytest.mark.slow
async def test_recalled_lessons_are_bounded_and_the_briefing_reads_them_whole(memory):
    for number in range(8):
        task = f"Migrate database {number}. " + "The log says nothing of use. " * 300
        await memory.record_outcome(task, "failure", lesson=f"Back up number {number} first")
    answer = await memory.recall_lessons("Migrate a database", limit=8)
    assert len(answer.failures) == 8
    assert sum(len(one.text) for one in answer.failures) <= 20_000
    assert all("text" in one.cut for one in answer.failures)
    assert "Back up number 3 first" in answer.briefing
    tight = await memory.recall_lessons("Migrate a database", limit=8, max_tokens=300)
    assert 0 < len(tight.failures) < 8
    assert tight.no_room == 8 - len(tight.failures)


@pytest.mark.slow
async def test_why_names_the_setting_that_had_no_room(tmp_path):
    settings = Settings.model_validate(
        {"data_dir": tmp_path / "m", "answer": {"characters": 1_000, "memory_characters": 600}}
    )
    async with AsyncMemory.open(settings) as memory:
        stored = (await memory.remember_many([{"content": text} for text in PLANS])).results
        answer = await memory.recall("release plan of the projects")
        assert len(answer.memories) == 2
        assert answer.no_room == 8
        shown = {one.memory_id for one in answer.memories}
        reasons = [
            (await memory.why(answer.recall_id, one.memory_id)).verdict
            for one in stored
            if one.memory_id not in shown
        ]
    assert sum("setting answer.characters" in reason for reason in reasons) == 8


async def test_long_metadata_does_not_make_a_long_answer(memory):
    for number in range(30):
        await memory.remember(f"Host {number}", metadata={"facts": "y" * (100 * number)})
    page = await memory.list_memories()
    assert all("facts" in one.metadata for one in page.memories)
    lean = structured(page, "default")
    assert len(json.dumps(lean)) < 35_000
    cut = [one for one in lean["memories"] if "cut" in one]
    assert cut
    assert all("metadata" not in one and one["cut"]["metadata"] > 1_000 for one in cut)
