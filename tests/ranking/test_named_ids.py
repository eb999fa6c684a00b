"""Ids in the question: which memory is meant."""

from __future__ import annotations

import numpy as np
import pytest
from candidate_builder import build

from mem_mcp.ranking import Ranking, named_first

IDS = ["a1b2c3d4" + "0" * 24, "a1b2c3ff" + "0" * 24, "facade12" + "0" * 24, "note-7"]


@pytest.mark.parametrize(
    ("question", "order"),
    [
        ("show (a1b2c3d4).", [0, 1, 2, 3]),
        ("what does 'a1b2c3ff' say", [1, 0, 2, 3]),
        ("is note-7 right?", [3, 0, 1, 2]),
        ("facade12", [2, 0, 1, 3]),
        ("the facade of the house", None),
        ("a1b2c3", None),
        ("a1b2c3d5", None),
        ("note", None),
        ("xa1b2c3d4", None),
    ],
)
def test_the_one_memory_whose_id_begins_so_comes_first(question: str, order: list[int] | None):
    score = np.array([0.5, 0.4, 0.3, 0.2])
    before = Ranking(np.arange(4), score, {"words": score})
    after = named_first(question, build(["text"] * 4, memory_ids=IDS), before)
    if order is None:
        assert after is before
    else:
        assert after.order.tolist() == order
        assert after.score[order[0]] == 1.0
        assert np.allclose(sum(after.parts.values()), after.score)
