"""Texts in a script that the embedder does not know: words alone decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from mem_mcp import AsyncMemory, Settings

pytestmark = pytest.mark.anyio
# Cherokee and N'Ko.
WOLF, BEAR = (
    "\u13e9\u13ef \u13a0\u13b9 \u13a1\u13ef\u13d9",
    "\u13f2\u13be \u13a4\u13ef\u13a9 \u13a1\u13d9\u13af",
)
MARKET = "\u07df\u07ca\u07dd \u07e6\u07cc \u07db\u07ca\u07eb"
ENGLISH = ["Ana plays the cello in Lisbon", "The build needs Node 20", "Bo is allergic to nuts"]


@pytest.mark.parametrize("whole", [6_000, 2], ids=["ranked whole", "searched first"])
async def test_they_are_found_by_their_words(tmp_path: Path, whole: int):
    settings = Settings(data_dir=tmp_path, recall={"whole": whole})
    async with AsyncMemory.open(settings) as memory:
        stored = await memory.remember_many(
            [{"content": text} for text in [*ENGLISH, WOLF, BEAR, MARKET]]
        )
        assert stored.degraded == []
        for text in (WOLF, BEAR, MARKET):
            found = await memory.recall(text.split()[1])
            assert found.degraded == []
            assert found.memories[0].text == text
        assert (await memory.recall("Who has a nut allergy?")).memories[0].text == ENGLISH[2]
        assert (await memory.maintain()).embedded == 0


async def test_what_a_question_that_cannot_be_read_finds_is_not_off_topic_noise(
    memory: AsyncMemory,
):
    await memory.remember_many([{"content": text} for text in [*ENGLISH, WOLF]])
    found = await memory.recall(BEAR, min_score=0.2)
    assert found.memories == []


async def test_they_are_like_nothing_but_themselves(memory: AsyncMemory):
    await memory.remember_many([{"content": text} for text in [*ENGLISH, WOLF]])
    (other,) = (await memory.remember(BEAR)).results
    assert other.similar == []
    (again,) = (await memory.remember(WOLF)).results
    assert again.event == "NONE"
