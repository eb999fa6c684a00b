"""Passages of candidates: a long text is found by its best passage, and counts once."""

import numpy as np
import pytest
from candidate_builder import DIMENSIONS, build

from mem_mcp.ranking import Query, rank
from mem_mcp.ranking.passage_split import passages

FILLER = (
    "The minutes were accepted and the treasurer explained the accounts. There was a long talk "
    "about lights, ladders, tea and the bells. Mrs Adeyemi took the chair, and nobody objected. "
)
NEEDLE = "The allotment number 6 was given to the school for its pumpkins. "
LONG = FILLER * 6 + NEEDLE + FILLER * 6
QUESTION = "Who grows pumpkins on the allotment?"


def unit(column, others=0.0):
    vector = np.full(DIMENSIONS, others, np.float32)
    vector[column] = 1
    return vector / np.linalg.norm(vector)


def order(texts, question=QUESTION, vector=None, **columns):
    return rank(Query(question, vector, 0), build(texts, **columns)).order.tolist()


def test_a_sentence_in_a_long_text_comes_before_short_ones_that_share_a_word():
    short = ["We eat pumpkins in autumn.", "The allotment has a shed.", "The school has a bell."]
    assert order([*short, LONG])[0] == len(short)


def test_a_short_answer_comes_before_a_long_text_that_has_the_words_far_apart():
    long = "Pumpkins are heavy. " + FILLER * 12 + "The allotment is far away. "
    assert order([long, NEEDLE])[0] == 1


def test_where_all_texts_are_short_each_is_its_own_passage():
    candidates = build(["One.", "Two.", "Three."])
    assert candidates.passages is candidates.wholes


def test_a_long_text_counts_once_in_what_is_usual():
    texts = ["A cat.", "A dog.", LONG]
    shares = build(texts).passages.shares
    assert shares.sum() == pytest.approx(len(texts))


def test_the_best_passage_of_equal_ones_is_the_first():
    table = build(["A cat.", LONG, "A dog."]).passages
    flat = np.zeros(table.vector_set.present.size)
    assert table.best(flat).tolist() == table.first.tolist()


def test_the_best_passage_is_a_candidates_own():
    table = build(["A cat.", LONG, "A dog."]).passages
    rising = np.arange(table.vector_set.present.size, dtype=float)
    assert table.best(rising).tolist() == [
        0,
        table.vector_set.present.size - 2,
        table.shares.size - 1,
    ]


def test_a_message_is_a_neighbour_of_the_nearest_passage_of_a_long_one():
    texts = ["Hello there my friend.", LONG, "Thank you very much."]
    candidates = build(texts, run_ids=["r"] * 3, positions=[0, 1, 2])
    table, last = candidates.passages, len(passages(LONG))
    after, before = table.neighbours[1].rows, table.neighbours[-1].rows
    assert (after[0], after[last], before[last + 1]) == (1, last + 1, last)


def test_a_task_is_compared_with_whole_tasks():
    candidates = build([LONG, NEEDLE])
    asked = rank(Query(QUESTION, None, 0, of_their_kind=True), candidates)
    whole = rank(Query(QUESTION, None, 0), build([LONG[:100], NEEDLE]))
    assert asked.order.tolist() == whole.order.tolist() == [1, 0]


def test_a_question_as_long_as_a_text_is_compared_with_whole_texts():
    texts = [LONG, NEEDLE, "A cat."]
    question = FILLER * 10
    assert order(texts, question)[0] == 0


def test_the_order_of_candidates_does_not_matter():
    texts = [LONG, NEEDLE, FILLER * 7, "We eat pumpkins in autumn."]
    found = [texts[row] for row in order(texts)]
    assert [texts[::-1][row] for row in order(texts[::-1])] == found
