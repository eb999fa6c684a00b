"""Explained answers: parts that add up, what they mean, and which words matched."""

from __future__ import annotations

from pathlib import Path

import pytest

from mem_mcp.api.score_parts import LEGEND
from mem_mcp.config import Settings
from mem_mcp.memory import AsyncMemory
from mem_mcp.server import render

pytestmark = pytest.mark.anyio


@pytest.fixture
async def memory(tmp_path):
    async with AsyncMemory.open(Settings(data_dir=tmp_path)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("fact", "question", "words"),
    [
        ("Ann plays the cello", "Who is playing the cello?", ["playing", "cello"]),
        ("Der Drucker heißt Gutenberg", "Wie heißt der Drucker?", ["heißt", "Drucker"]),
        ("INC0041230: the logo is blurry", "INC0041230", ["INC0041230"]),
        ("会議室Aの鍵は受付にあります", "volcano", []),
    ],
)
async def test_the_words_that_matched_are_named(memory: AsyncMemory, fact, question, words):
    await memory.remember(fact)
    (found,) = (await memory.recall(question, explain=True)).memories
    assert found.matched == words


async def test_parts_add_up_and_the_legend_explains_them(memory: AsyncMemory):
    await memory.remember("Ann plays the cello", occurred_at="2026-06-30")
    await memory.remember("Bob plays chess", occurred_at="2026-07-30")
    await memory.record_outcome("Ann plays the cello at a wedding", "success", lesson="Be early")
    answer = await memory.recall("What did Ann play in June 2026?", explain=True, min_score=0)
    for one in answer.memories:
        assert sum((one.scores or {}).values()) == pytest.approx(one.score, abs=1e-4)
    parts = {name for one in answer.memories for name, part in (one.scores or {}).items() if part}
    assert answer.legend.keys() == parts
    text = render.recalled(answer)
    assert "\n   = " in text
    assert all(f"\n{name}: {meaning}" in text for name, meaning in answer.legend.items())
    plain = await memory.recall("What did Ann play in June 2026?")
    assert plain.legend == {}
    assert all(one.matched == [] for one in plain.memories)


async def test_why_explains_with_the_same_words(memory: AsyncMemory):
    await memory.remember("Ann plays the cello")
    await memory.remember("The bins are emptied on Tuesday")
    answer = await memory.recall("Who plays the cello?")
    told = await memory.why(answer.recall_id, answer.memories[0].memory_id)
    assert told.legend
    text = render.explained(told)
    assert f"score {told.score:.3f} = " in text
    assert LEGEND["words"] in text


def test_every_part_that_the_ranking_has_is_in_the_legend():
    ranking = Path(__file__).parents[2] / "mem_mcp" / "ranking"
    named = set()
    for file in ranking.glob("*.py"):
        for line in file.read_text(encoding="utf-8").splitlines():
            if 'parts["' in line:
                named.add(line.partition('parts["')[2].partition('"')[0])
    assert {"reply", "alike", "period"} <= named
    assert named <= LEGEND.keys()
