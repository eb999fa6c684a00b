"""The setting that leaves out what clearly does not belong; off unless it is set."""

from __future__ import annotations

import pytest

from mem_mcp.config import Settings
from mem_mcp.memory import AsyncMemory

pytestmark = pytest.mark.anyio
FACTS = ["Lunch is at noon.", "The office is in Oslo.", "Tom is vegetarian.", "The cat is grey."]
QUESTION = "Where is the office?"


@pytest.fixture
async def memory(tmp_path):
    settings = Settings.model_validate(
        {"data_dir": tmp_path / "m", "recall": {"least_share": 0.5}, "store": {"durability": "os"}}
    )
    async with AsyncMemory.open(settings) as opened:
        for fact in FACTS:
            await opened.remember(fact)
        yield opened


async def test_what_scores_far_below_the_best_is_left_out_and_counted(memory: AsyncMemory):
    answer = await memory.recall(QUESTION)
    assert answer.memories[0].text == "The office is in Oslo."
    assert len(answer.memories) + answer.left_out == len(FACTS)
    assert answer.left_out > 0


@pytest.mark.parametrize("min_score", [0, 0.01])
async def test_a_min_score_decides_alone(memory: AsyncMemory, min_score: float):
    answer = await memory.recall(QUESTION, min_score=min_score)
    assert answer.left_out == 0
    assert all(one.score >= min_score for one in answer.memories)
    if not min_score:
        assert len(answer.memories) == len(FACTS)


async def test_why_names_the_setting_that_left_a_memory_out(memory: AsyncMemory):
    answer = await memory.recall(QUESTION)
    shown = {one.memory_id for one in answer.memories}
    (left_out, *_) = [
        one.memory_id
        for one in (await memory.recall(QUESTION, min_score=0)).memories
        if one.memory_id not in shown
    ]
    reason = await memory.why(answer.recall_id, left_out)
    assert not reason.found
    assert "recall.least_share" in reason.verdict
