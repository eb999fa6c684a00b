"""Which memories belong to an answer, and which are left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.ranking import Ranking, belonging

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def ranked(scores, **parts):
    score = np.array(scores)
    columns = {name: np.array(part, np.float64) for name, part in parts.items()}
    return Ranking(np.argsort(-score, kind="stable"), score, columns)


@given(SCORES, st.floats(0, 1))
def test_the_best_belongs_and_none_that_is_worse_than_one_left_out(scores, share):
    ranking = ranked(scores)
    belongs = belonging(ranking, share)
    assert belongs[ranking.order[0]]
    assert sorted(belongs[ranking.order], reverse=True) == list(belongs[ranking.order])


def test_a_share_of_nothing_leaves_out_nothing():
    assert belonging(ranked([0.9, 0.0]), 0.0).all()
    assert not belonging(ranked([]), 0.3).size


def test_of_low_scores_only_those_near_the_best_belong():
    assert belonging(ranked([0.7, 0.25, 0.2]), 0.3).tolist() == [True, True, False]
    assert belonging(ranked([0.2, 0.13, 0.1]), 0.3).tolist() == [True, True, False]
    assert belonging(ranked([0.11, 0.09]), 0.3).all()


@pytest.mark.parametrize("reason", ["graph", "useful_here", "context"])
def test_what_something_else_speaks_for_belongs(reason):
    belongs = belonging(ranked([0.7, 0.05, 0.05], **{reason: [0, 0.01, -0.01]}), 0.3)
    assert belongs.tolist() == [True, True, False]


def test_as_many_of_the_words_as_the_best_belong():
    belongs = belonging(ranked([0.7, 0.1, 0.1], words=[0.3, 0.25, 0.1]), 0.3)
    assert belongs.tolist() == [True, True, False]


def test_a_memory_that_is_named_by_its_id_is_no_measure_for_the_others():
    belongs = belonging(ranked([1.0, 0.2, 0.05], id=[0.7, 0, 0]), 0.3)
    assert belongs.tolist() == [True, True, False]


def test_a_reranking_model_is_believed():
    belongs = belonging(ranked([0.7, 0.1], words=[0.3, 0.3], rerank=[0.4, 0.0]), 0.3)
    assert belongs.tolist() == [True, False]
