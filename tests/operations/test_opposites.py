"""Texts that look alike and say something else: each is stored, and recalled beside the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mem_mcp import AsyncMemory, Memory, Settings

LINES = (Path(__file__).parents[1] / "data" / "opposites.jsonl").read_text("utf-8").splitlines()
PAIRS = [json.loads(line) for line in LINES]


@pytest.mark.anyio
@pytest.mark.slow
async def test_a_hundred_pairs_are_stored_and_recalled_both_at_once(memory: AsyncMemory):
    assert len(PAIRS) == 100
    for pair in PAIRS:
        results = [
            (await memory.remember(pair[side])).results[0].event for side in ("one", "other")
        ]
        assert results == ["ADD", "ADD"], pair
    hidden = []
    for pair in PAIRS:
        for question in (pair["one"], pair["other"]):
            answer = await memory.recall(question, limit=10)
            if not {pair["one"], pair["other"]} <= {one.text for one in answer.memories}:
                hidden.append((pair, question))
    assert hidden == []


WORDS = st.sampled_from(
    ["mode", "strict", "relaxed", "port", "5432", "5433", "not", "✅", "❌", "-d"]
)


@given(st.lists(WORDS, min_size=3, max_size=12), st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_two_memories_that_differ_in_a_word_are_both_in_an_answer(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], data: st.DataObject
):
    place = data.draw(st.integers(0, len(words) - 1))
    word = data.draw(WORDS.filter(lambda one: one != words[place]))
    texts = [" ".join(words), " ".join([*words[:place], word, *words[place + 1 :]])]
    with Memory.open(Settings(data_dir=tmp_path_factory.mktemp("pair"))) as memory:
        memory.remember_many([{"content": text} for text in [*texts, "Lunch is at noon."]])
        answer = memory.recall(" ".join([*words, word]), limit=3)
        assert set(texts) <= {one.text for one in answer.memories}
