"""Feedback in the ranking: what marks on some questions change for others."""

import numpy as np
import pytest
from candidate_builder import build, signals_of
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp.ranking import Query, rank
from mem_mcp.ranking.constants import (
    FEEDBACK_BOOST,
    FEEDBACK_BOOST_MAX,
    QUERY_CHARACTERS_READ,
)
from mem_mcp.ranking.dense import VectorSet
from mem_mcp.ranking.feedback_boost import feedback_boosts, usefulness
from mem_mcp.ranking.marked_questions import MarkedQuestions

TEXTS = ["The lamp is red", "The lamp is old", "Bread is baked at night", "Cats sleep"]
ABOUT = "Which colour has the lamp?"


def unit(*degrees):
    """Return vectors of two dimensions at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def boosts(marks, similarity, angles, scores=None):
    """Return what marks add, each for a question as similar to the one asked as is said."""
    scores = np.ones(len(angles)) if scores is None else np.array(scores)
    signals = signals_of([(row, weight, 0) for row, weight in marks], ["?"])
    vectors = unit(*angles) if any(angles) else np.full((len(angles), 2), np.nan, np.float32)
    return feedback_boosts(signals, np.array(similarity, float), VectorSet.of(vectors), scores)


def test_a_mark_counts_the_more_the_liker_its_question_is_to_the_one_asked():
    gains = [boosts([(0, 1.0)], [one], [0, 90, 170])["useful_here"][0] for one in (1, 0.9, 0.8)]
    assert gains[0] > 1.5 * gains[1] > 3 * gains[2] > 0
    assert "useful_here" not in boosts([(0, 1.0)], [0.5], [0, 90, 170])


def test_what_is_like_the_right_memory_gains_and_what_is_like_the_wrong_one_loses():
    near = boosts([(0, 1.0), (1, -1.0)], [1, 1], [0, 120, 10, 130])["useful_near"]
    assert near[2] > 0 > near[3]


def test_of_two_like_memories_the_one_that_was_marked_wrong_loses_more():
    parts = boosts([(0, -1.0)], [1], [0, 10, 90, 170])
    change = parts["useful_here"] + parts["useful_near"]
    assert change[0] < change[1]


@pytest.mark.parametrize("raters", [1, 3, 1_000])
def test_opposite_marks_of_as_many_raters_leave_a_memory_where_it_was(raters):
    marks = [(0, 1.0), (0, -1.0)] * raters
    parts = boosts(marks, [1] * len(marks), [0, 90, 170])
    assert abs(sum(part[0] for part in parts.values())) < 0.2


def test_without_vectors_the_words_of_questions_tell_how_like_they_are():
    candidates = build(TEXTS)
    signals = signals_of([(1, 1.0, 0), (2, 1.0, 1)], [ABOUT, "When is bread baked?"])
    parts = rank(Query(ABOUT, None, 0.0), candidates, signals).parts
    assert parts["useful_here"][1] > 0
    assert parts["useful_here"][2] == 0


def test_a_mark_without_a_question_counts_for_every_question_a_little():
    candidates = build(TEXTS)
    ranking = rank(Query(ABOUT, None, 0.0), candidates, signals_of([(1, 1.0, -1)]))
    assert ranking.parts["useful"][1] > 0
    assert "useful_here" not in ranking.parts


def test_the_same_question_is_wholly_alike_whatever_its_case_and_another_is_not():
    texts = [ABOUT, "When is bread baked?", "灯是什么颜色", ""]
    asked = MarkedQuestions.of(texts, np.full((4, 2), np.nan, np.float32))
    assert asked.similarity(ABOUT.upper(), None) == pytest.approx([1, 0, 0, 0], abs=0.3)
    assert asked.similarity("灯是什么颜色", None)[2] == pytest.approx(1)
    assert not asked.similarity("", None).any()


def test_of_a_very_long_question_only_the_beginning_is_compared():
    long = "lamp " * QUERY_CHARACTERS_READ
    asked = MarkedQuestions.of([long + "bread"], np.full((1, 2), np.nan, np.float32))
    assert asked.words.ids.size == 2  # the stem and the exact form
    assert asked.similarity("bread", None)[0] == 0
    assert asked.similarity("lamp", None)[0] == pytest.approx(1)


@hypothesis_settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([1.0, 0.5, -0.5, -1.0, -2.0])), max_size=200
    ),
    st.booleans(),
    st.floats(0, 1),
)
def test_feedback_is_bounded_and_never_nothing(marks, with_vectors, similarity):
    similar = np.full(len(marks), similarity)
    signals = signals_of([(row, weight, 0) for row, weight in marks], ["?"])
    for part in usefulness(signals, 4, similar):
        assert (np.abs(part) < 1).all()
    scores = np.array([1.0, 0.5, 0.0, -0.1])
    parts = boosts(marks, similar, [0, 40, 90, 180] if with_vectors else [0, 0, 0, 0], scores)
    assert all(np.isfinite(part).all() for part in parts.values())
    here = sum(part for name, part in parts.items() if name != "useful")
    assert (np.abs(here) <= FEEDBACK_BOOST_MAX + 1e-6).all()
    assert (np.abs(parts["useful"]) <= FEEDBACK_BOOST * np.maximum(scores, 0)).all()


def test_the_parts_add_up_to_the_scores_whatever_was_marked():
    candidates = build(TEXTS, np.eye(4, 8) + 0.1)
    marks = [(0, -2.0, 0), (1, 1.0, 0), (2, 1.0, 1), (3, -1.0, 1)]
    signals = signals_of(marks, [ABOUT, "Bread?"], np.eye(2, 8))
    ranking = rank(Query(ABOUT, np.eye(1, 8, dtype=np.float32)[0], 0.0), candidates, signals)
    total = np.sum(list(ranking.parts.values()), axis=0)
    assert ranking.score == pytest.approx(np.clip(total, 0, 1), abs=1e-5)
