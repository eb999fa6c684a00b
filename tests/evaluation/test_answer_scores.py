"""The scores of an answer's words, computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem_mcp.evaluation.answering.scores import Scores, bleu1, exact, f1, f1_of_list, scores, words

examples = settings(max_examples=60, deadline=None)
some_words = st.lists(
    st.sampled_from(["blue", "bicycle", "running", "ran", "2023", "Miso", "the", "and"]), max_size=6
).map(" ".join)
CATEGORIES = ("multi-hop", "temporal", "open-domain", "single-hop")


def test_case_punctuation_and_articles_do_not_count():
    assert words("The cat, a DOG and  an owl's.") == ["cat", "dog", "owls"]
    assert words("7 May, 2023") == ["7", "may", "2023"]
    assert words("candy") == ["candy"]  # what only holds an article stays whole
    assert words("1,000") == ["1000"]
    assert words("A, the!") == []


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    # 2 of 3 given words are right, and 2 of 4 right words given: 2 * (2/3 * 1/2) / (2/3 + 1/2)
    assert f1("a big red bicycle", "red bicycle from Berlin") == pytest.approx(4 / 7)
    assert f1("Sweden", "Norway") == 0
    assert f1("", "Norway") == 0


def test_f1_compares_stems():
    assert f1("adoption agency", "Adopting agencies") == 1
    assert f1("ran", "running") == 0


def test_a_repeated_word_counts_as_often_as_both_have_it():
    assert f1("no no no", "no no") == pytest.approx(2 * 2 / 5)
    assert bleu1("no no no", "no no") == pytest.approx(2 / 3)


def test_every_part_of_a_list_is_sought_among_the_given_parts():
    assert f1_of_list("chess, pottery", "pottery, chess") == 1
    assert f1_of_list("chess", "pottery, chess") == 0.5
    # Each wanted part takes the best: "long hikes" is met by "hikes" with 2 / 3.
    assert f1_of_list("hikes, tea", "long hikes, tea") == pytest.approx((2 / 3 + 1) / 2)
    # Without parts in the right answer, the best given part decides.
    assert f1_of_list("tea, coffee", "coffee") == 1


def test_bleu1_is_the_precision_less_where_the_answer_is_too_short():
    assert bleu1("from Sweden", "Sweden") == 0.5
    assert bleu1("Sweden", "northern Sweden") == pytest.approx(math.exp(-1))
    assert bleu1("red bicycle", "bicycle red") == 1
    assert bleu1("adopting", "adoption") == 0  # unstemmed
    assert bleu1("the", "Sweden") == 0


def test_an_exact_match_has_the_same_words_in_any_order():
    assert exact("May 7, 2023", "the 7 May 2023") == 1
    assert exact("May 2023", "7 May 2023") == 0
    assert exact("adopting", "adoption") == 0


def test_each_category_is_scored_as_its_own():
    lists = ("tea, chess", "chess, tea, jam")
    assert scores("multi-hop", *lists).f1 == pytest.approx(2 / 3)
    assert scores("single-hop", *lists).f1 == pytest.approx(2 * 2 / 5)
    reasoned = ("Likely no", "Likely no; she collects stamps")
    assert scores("open-domain", *reasoned) == Scores(f1=1, bleu1=1, exact=1)
    assert scores("temporal", *reasoned).f1 == pytest.approx(2 * 2 / 7)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("Not mentioned", 1),
        ("That is NOT MENTIONED in the conversation.", 1),
        ("No information available", 1),
        ("No", 0),
        ("I do not know", 0),
        ("", 0),
    ],
)
def test_an_adversarial_question_is_met_by_saying_that_it_is_not_mentioned(answer, right):
    found = scores("adversarial", answer, "Not mentioned")
    assert found == Scores(f1=right, bleu1=right, exact=right)


@examples
@given(st.sampled_from(CATEGORIES), some_words, some_words)
def test_scores_are_shares_and_an_exact_match_has_every_word(category, one, other):
    found = scores(category, one, other)
    assert all(0 <= value <= 1 for value in found.model_dump().values())
    assert exact(one, other) == exact(other, one)
    assert f1(one, other) == pytest.approx(f1(other, one))
    if not set(words(one)) & set(words(other)):
        assert found.bleu1 == 0


@examples
@given(st.sampled_from(CATEGORIES), some_words.filter(words))
def test_the_right_answer_itself_is_perfect(category, right):
    assert scores(category, right, right) == Scores(f1=1, bleu1=1, exact=1)


@examples
@given(some_words, some_words, some_words)
def test_saying_more_of_what_is_wrong_is_never_better(one, other, more):
    wrong = f"{one} zebra {' '.join('zebra' for _ in more.split())}"
    assert f1(wrong, other) <= f1(one, other) + 1e-12
