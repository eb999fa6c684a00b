"""From a ranking to an answer: limits, budgets and duplicates."""

import numpy as np
import pytest
from candidate_builder import build
from hypothesis import given, settings
from hypothesis import strategies as st

from mem_mcp.ranking import Ranking, copies, select
from mem_mcp.text import count_tokens


def in_turn(n):
    return Ranking(np.arange(n), np.linspace(1, 0, n), {})


def chosen(candidates, limit=10, **bounds):
    return select(in_turn(len(candidates)), candidates, limit, **bounds)


@given(
    st.lists(st.text(max_size=40), max_size=12),
    st.integers(1, 12),
    st.floats(0, 1),
)
@settings(deadline=None)
def test_an_answer_keeps_to_its_bounds_and_to_the_order(texts, limit, min_score):
    candidates, ranking = build(texts), in_turn(len(texts))
    rows = select(ranking, candidates, limit, min_score)
    assert rows == sorted(set(rows))
    assert len(rows) <= limit
    assert all(ranking.score[row] >= min_score for row in rows)


def test_the_same_text_is_told_once_and_the_next_best_takes_its_place():
    candidates = build(["Likes tea", "likes  tea.", "Likes coffee", "LIKES tea"])
    rows = chosen(candidates, limit=2)
    assert rows == [0, 2]
    assert copies(in_turn(4), candidates, rows) == {0: ["m1"]}


def test_the_same_meaning_in_other_words_stays():
    vectors = [[1, 0], [1, 0.01], [0, 1]]
    texts = ["user prefers dark mode", "the user likes dark mode", "user lives in Berlin"]
    assert chosen(build(texts, vectors)) == [0, 1, 2]


def test_nothing_is_copied_in_an_empty_answer():
    assert copies(in_turn(1), build(["a"]), []) == {}


def test_outcomes_that_ended_otherwise_are_no_copies():
    candidates = build(["Deploy", "Deploy", "deploy"], labels=["success", "failure", "success"])
    assert chosen(candidates) == [0, 1]
    assert copies(in_turn(3), candidates, [0, 1]) == {0: ["m2"]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the meeting is at 3pm", "the meeting is at 4pm"),
        ("the user is allergic to nuts", "the user is not allergic to nuts"),
        ("Anna moved to Berlin in May", "Anna moved to Berlin in June"),
        ("Alice likes Bob", "Bob likes Alice"),
        ("it doesn't build", "it does build"),
    ],
)
def test_what_a_vector_hardly_sees_keeps_statements_apart(one, other):
    assert chosen(build([one, other], [[1, 0], [1, 0]])) == [0, 1]


def test_remarks_in_a_conversation_are_never_duplicates():
    candidates = build(["Yes, sure!", "Yes, sure!"], [[1, 0], [1, 0]], kinds=["message"] * 2)
    assert chosen(candidates) == [0, 1]


def test_long_messages_are_duplicates_only_word_for_word_from_one_speaker():
    said = "I finally finished the marathon in Berlin"
    candidates = build(
        [said, said, said, said + " today"],
        [[1, 0]] * 4,
        kinds=["message"] * 4,
        actor_ids=["Ann", "Ann", "Bo", "Ann"],
    )
    assert chosen(candidates) == [0, 2, 3]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("a" * 8, 2), ("я" * 8, 4), ("茶" * 8, 6), ("\ud800", 1)],
)
def test_tokens_are_estimated_by_bytes(text, tokens):
    assert count_tokens(text) == tokens
