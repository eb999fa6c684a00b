"""A question for many is answered from several conversations."""

from __future__ import annotations

import numpy as np
import pytest
from candidate_builder import build

from mem_mcp.ranking import Ranking, spread

MANY = (
    "What books has Tim read?",
    "What do both like?",
    "Какие книги читал Тим?",
    "蒂姆读过哪些书?",
)
ONE = ("Which book did Tim read?", "What is the bus's name?", "Where does Tim live?", "")


def ranked(question: str, runs: list[str | None]) -> tuple[Ranking, Ranking]:
    score = np.array([0.9, 0.89, 0.885, 0.88, 0.3])
    before = Ranking(np.arange(5), score, {"words": score})
    return before, spread(question, build(["book"] * 5, run_ids=runs), before)


@pytest.mark.parametrize("question", MANY)
def test_where_many_are_asked_for_other_runs_come_up(question: str):
    _, after = ranked(question, ["a", "a", "a", "b", "c"])
    assert after.order.tolist() == [0, 3, 1, 2, 4]
    assert (np.diff(after.score[after.order]) <= 0).all()
    assert np.allclose(sum(after.parts.values()), after.score)


@pytest.mark.parametrize("question", ONE)
def test_where_one_is_asked_for_nothing_moves(question: str):
    before, after = ranked(question, ["a", "a", "a", "b", "c"])
    assert after is before


def test_memories_of_no_run_are_not_spread():
    before, after = ranked(MANY[0], [None] * 5)
    assert after is before
