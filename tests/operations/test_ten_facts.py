"""Of ten facts of which two answer, these two are given and at most three more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from mem_mcp.config import Settings
from mem_mcp.embedding import Role
from mem_mcp.errors import EmbedderUnavailable
from mem_mcp.evaluation.harness import memory_with
from mem_mcp.memory import AsyncMemory

pytestmark = pytest.mark.anyio
DATA = Path(__file__).parents[1] / "data" / "ten_facts.yaml"
STORES: dict[str, dict[str, Any]] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
MOST_MORE = 3


class Broken:
    """An embedder that does not work."""

    identity = "broken"
    dimension = 384

    async def embed(self, texts: Sequence[str], role: Role) -> Any:
        raise EmbedderUnavailable("out of order")


async def check(memory: AsyncMemory, store: str) -> None:
    facts, questions = STORES[store]["facts"], STORES[store]["questions"]
    assert len(facts) == len(set(facts)) == 10
    await memory.remember_many([{"content": fact} for fact in facts])
    for question, places in questions.items():
        right = {facts[place] for place in places}
        answer = await memory.recall(question)
        given = {one.text for one in answer.memories}
        assert right <= given, question
        assert len(given) <= len(right) + MOST_MORE, question
        assert answer.left_out == len(facts) - len(given)
        whole = await memory.recall(question, min_score=0)
        assert len(whole.memories) == len(facts)
        assert whole.left_out == 0


@pytest.mark.parametrize("store", STORES)
async def test_what_does_not_belong_is_left_out_and_counted(tmp_path: Path, store: str):
    async with AsyncMemory.open(Settings(data_dir=tmp_path)) as memory:
        await check(memory, store)


@pytest.mark.parametrize("store", STORES)
async def test_it_is_left_out_where_words_alone_decide(tmp_path: Path, store: str):
    async with memory_with(Settings(data_dir=tmp_path), Broken()) as (memory, _):
        await check(memory, store)


async def test_like_worded_notes_are_all_given(tmp_path: Path):
    notes = [f"Room {n} in the cellar has shelf {n * n} for paint" for n in range(10)]
    async with AsyncMemory.open(Settings(data_dir=tmp_path)) as memory:
        await memory.remember_many([{"content": note} for note in notes])
        answer = await memory.recall("Where in the cellar is the paint?")
        assert {one.text for one in answer.memories} == set(notes)


async def test_a_list_of_lessons_leaves_out_what_fits_less(tmp_path: Path):
    async with AsyncMemory.open(Settings(data_dir=tmp_path)) as memory:
        await memory.record_outcome("Migrate the user table", "failure", lesson="Back up first")
        for task in ("Paint the fence", "Bake bread", "Translate the menu into Thai"):
            await memory.record_outcome(task, "failure", lesson=f"Start early to {task.lower()}")
        answer = await memory.recall_lessons("Migrate the orders table")
        assert "Back up first" in answer.failures[0].text
        assert len(answer.failures) + answer.left_out == 4
        assert answer.left_out > 0
        kept = await memory.recall_lessons("Migrate the orders table", outcomes=["failure"])
        assert len(kept.failures) == 4
