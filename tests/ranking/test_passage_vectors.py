"""Vectors of passages: a long text is as near as its nearest passage, and as its whole."""

import numpy as np
import pytest
from candidate_builder import DIMENSIONS, build

from mem_mcp.ranking import Query, embedded_passages, rank

FILLER = "The minutes were accepted and the treasurer explained the accounts. "
LONG = FILLER * 20
NOTES = [f"Note {number} says nothing." for number in range(5)]
TEXTS = [*NOTES, LONG]


def unit(column):
    return np.eye(DIMENSIONS, dtype=np.float32)[column]


def scores(own, vector, texts=TEXTS, vectors=None, head=None, question="?"):
    vectors = [unit(1)] * len(texts) if vectors is None else vectors
    candidates = build(texts, vectors=vectors, by_passage=[None] * (len(texts) - 1) + [own])
    return rank(Query(question, vector, 0, head=head), candidates)


def test_a_long_text_is_found_by_the_vector_of_a_passage():
    own = np.stack([unit(1), unit(1), unit(0)])
    assert scores(own, unit(0)).order[0] == len(NOTES)


def test_a_passage_alone_does_not_outweigh_a_short_text_that_says_it():
    own = np.stack([unit(1), unit(0)])
    vectors = [unit(2), unit(0), unit(3), unit(4), unit(5), unit(1)]
    assert scores(own, unit(0), vectors=vectors).order[0] == 1


@pytest.mark.parametrize(
    "own",
    [
        None,
        np.zeros((0, DIMENSIONS), np.float32),
        np.zeros((3, DIMENSIONS), np.float32),
        np.full((3, DIMENSIONS), np.nan, np.float32),
        np.ones((3, DIMENSIONS + 1), np.float32),
    ],
)
def test_without_vectors_of_passages_that_compare_a_long_text_is_its_whole(own):
    plain = scores(None, unit(1) + unit(2))
    assert scores(own, unit(1) + unit(2)).score.tolist() == pytest.approx(plain.score.tolist())


def test_passages_of_a_text_without_a_vector_are_not_compared():
    vectors = [*[unit(1)] * len(NOTES), np.full(DIMENSIONS, np.nan)]
    found = scores(np.stack([unit(0)] * 2), unit(0), vectors=vectors)
    assert np.isfinite(found.score).all()


def test_a_long_question_is_compared_by_its_beginning_too():
    texts = [FILLER * 3, "Pumpkins are heavy.", "The bells ring.", "The shed is green."]
    vectors = [unit(1), unit(2), unit(3), unit(4)]
    by = {"texts": texts, "vectors": vectors, "question": "Zebras graze where nobody looks. " * 30}
    alone, with_head = scores(None, unit(3), **by), scores(None, unit(3), head=unit(2), **by)
    assert (alone.order[0], with_head.order[0]) == (2, 1)


def test_without_a_vector_of_the_question_words_alone_count():
    own = np.stack([unit(0)] * 3)
    assert scores(own, None, head=unit(0)).score.tolist() == scores(None, None).score.tolist()


def test_short_texts_have_no_vectors_of_passages_and_long_ones_are_cut_into_all_of_themselves():
    assert embedded_passages("A short note.") == embedded_passages("") == []
    for text in (LONG, "\u6f22" * 900, "x" * 5_000, "a b\n" * 800):
        parts = embedded_passages(text)
        assert len(parts) > 1
        assert "".join(parts) == text
