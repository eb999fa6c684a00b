"""The parts of a score, each alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.ranking.constants import RECENCY_HALF_LIFE
from mem_mcp.ranking.conversation_context import neighbours_in_runs, window, window_cosines
from mem_mcp.ranking.dense import DenseScores, VectorSet, dense_scores
from mem_mcp.ranking.fusion import (
    absolute_level,
    dense_trust,
    scaled_dense,
    scaled_lexical,
    weights,
)
from mem_mcp.ranking.name_boosts import (
    about_named_entity,
    by_named_speaker,
    named_entities,
    named_speakers,
)
from mem_mcp.ranking.score_smoothing import smoothing
from mem_mcp.ranking.temporal import asks_for_time, mentions_time, recency
from mem_mcp.ranking.text_analysis import TermTable, terms


def rows(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 16)).astype(np.float32)


def near(run_ids, positions, lengths=None):
    n = len(run_ids)
    lengths = np.zeros(n) if lengths is None else np.array(lengths, dtype=np.float64)
    return neighbours_in_runs(
        run_ids, np.array(positions), lengths, np.full((n, 2), np.nan, np.float32)
    )


def test_cosines_ignore_the_length_of_vectors():
    vectors = rows(5)
    found = dense_scores(vectors[2] * 9, VectorSet.of(vectors))
    assert found.cosines[2] == pytest.approx(1.0, abs=1e-6)
    assert found.cosines.argmax() == found.centred.argmax() == 2


def test_what_all_candidates_have_in_common_counts_for_nothing():
    vectors = rows(200) + 5
    found = dense_scores(rows(1, seed=1)[0] + 5, VectorSet.of(vectors))
    assert found.cosines.min() > 0.8
    assert abs(found.centred.mean()) < 0.2


def test_what_the_texts_have_in_common_counts_for_a_question_in_another_language():
    vectors = VectorSet.of(rows(200) + 5)
    query = rows(1, seed=1)[0] - 5
    within = dense_scores(query, vectors, known=1.0)
    across = dense_scores(query, vectors, known=0.0)
    assert within.typicality == across.typicality < -6
    np.testing.assert_allclose(across.centred, across.cosines, atol=1e-6)
    assert np.abs(within.centred - within.cosines).max() > 0.1


def test_a_question_in_other_words_is_centred_as_any_other():
    vectors, query = VectorSet.of(rows(200) + 1), rows(1, seed=1)[0] + 1
    found = [dense_scores(query, vectors, known).centred for known in (0.0, 1.0)]
    np.testing.assert_array_equal(*found)


def test_the_typical_query_is_one_of_the_candidates_kind():
    vectors = rows(200) + 1
    assert (
        dense_scores(vectors[0], VectorSet.of(vectors[1:])).typicality
        > dense_scores(rows(1)[0], VectorSet.of(vectors)).typicality
    )


def test_no_vectors_no_nearness():
    for query, vectors in ((None, rows(2)), (rows(1)[0], rows(2) * np.nan), (rows(1)[0], rows(0))):
        assert np.isnan(dense_scores(query, VectorSet.of(vectors)).cosines).all()


def test_neighbours_are_of_the_same_run_at_the_next_position():
    links = near(["a", "b", "a", None, "a", "a"], [0, 1, 1, 2, 3, -1])
    assert links[1].weight.tolist() == [1, 0, 0, 0, 0, 0]
    assert links[1].rows[0] == 2
    assert links[-1].weight.tolist() == [0, 0, 1, 0, 0, 0]
    assert not links[2].weight.any()


def test_the_longer_two_messages_are_the_less_each_counts_for_the_other():
    short, long = (near(["a", "a"], [0, 1], [n, n])[1].weight[0] for n in (10, 300))
    assert short > 0.9
    assert long < 0.05


def test_a_window_sums_what_is_in_it():
    links = near(["a"] * 5, range(5))
    values = np.arange(5.0)
    assert window(values, (-2, -1, 1, 2), links).tolist() == [3, 6, 10, 10, 9]
    assert window(np.stack([values, values], axis=1), (-1,), links)[:, 1].tolist() == [
        0,
        1,
        3,
        5,
        7,
    ]


def test_without_neighbours_a_window_is_the_message_itself():
    cosines = np.array([0.5, -0.5])
    assert window_cosines(cosines, (-1, 1), near([None, None], [-1, -1])).tolist() == [0.5, -0.5]


def test_one_named_speaker_is_told_from_none_and_from_two():
    actors = ["Ann Lee", "Bo", None, "Ann Lee"]
    assert named_speakers("what did ann say?", actors) == {"Ann Lee"}
    assert by_named_speaker(frozenset({"Ann Lee"}), actors).tolist() == [1, 0, 0, 1]
    assert not by_named_speaker(named_speakers("Ann and Bo?", actors), actors).any()
    assert not by_named_speaker(named_speakers("and annual?", actors), actors).any()
    assert not by_named_speaker(frozenset({"Bo"}), ["Bo", "Bo"]).any()


def test_a_memory_about_a_named_entity_is_told_from_the_others():
    entities = [["New York", "Ann"], [], ["York"], ["", "?"]]
    assert named_entities("Where in new york?", entities) == {"New York", "York"}
    assert about_named_entity(frozenset({"York"}), entities).tolist() == [0, 0, 1, 0]
    assert not about_named_entity(frozenset({"York"}), [["York"], ["York"]]).any()
    assert not about_named_entity(frozenset(), entities).any()


def test_words_weigh_less_in_long_queries_and_in_those_that_are_like_the_candidates():
    words = np.array([3.0, 0.0, 0.0, 0.0, 0.0])

    def lexical(query_words, typicality, max_cosine):
        scores = DenseScores(words / 5, words / 5, max_cosine, typicality)
        return weights(query_words, scores, words, 1.0).lexical

    asked = lexical(4, -3.0, 0.5)
    assert lexical(80, -3.0, 0.5) < asked
    assert lexical(4, 0.5, 0.5) < asked
    assert lexical(4, -3.0, 1.0) < asked


def test_an_embedder_is_believed_as_far_as_it_finds_what_the_words_find():
    words = np.array([9.0, 5.0, 1.0, *[0.0] * 17])

    def believed(cosines, known=1.0):
        return weights(4, DenseScores(cosines, cosines, 0.5, -3.0), words, known).dense

    assert believed(words / 20) == 1.0
    assert believed(-words) == 0.0
    assert 0.0 < believed(np.roll(words, 10) / 20) < 1.0
    assert believed(-words, known=0.0) == 1.0


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-1, 1))
def test_trust_knows_no_scale_of_cosines(seed, scale, shift):
    draw = np.random.default_rng(seed)
    words, cosines = draw.exponential(size=30), draw.normal(size=30)
    found = dense_trust(words, scale * cosines + shift)
    assert found == pytest.approx(dense_trust(words, cosines), abs=1e-6)


def test_random_cosines_deserve_no_trust():
    draw = np.random.default_rng(0)
    found = [dense_trust(draw.exponential(size=50), draw.normal(size=50)) for _ in range(500)]
    assert abs(np.mean(found)) < 0.2
    assert 0.8 < np.std(found) < 1.2


@given(st.lists(st.floats(0, 50), min_size=1, max_size=9), st.floats(0, 100))
def test_words_are_brought_to_the_scale_of_cosines(scores, attainable):
    scaled = scaled_lexical(np.array(scores), attainable)
    assert ((scaled >= 0) & (scaled <= 1 + 1e-9)).all()


def test_meaning_is_filled_in_from_words_where_there_is_no_vector():
    cosines = np.array([0.5, np.nan, -0.1])
    found = scaled_dense(cosines, np.array([0.2, 0.4, 0.0]))
    np.testing.assert_allclose(found, [0.6, 0.6, 0.0])
    assert scaled_dense(np.array([np.nan]), np.array([1.0])).tolist() == [0.0]


def test_many_alike_candidates_lift_one_that_scored_low_alone():
    centre = np.ones(16, np.float32)
    vectors = np.concatenate([centre + 0.2 * rows(20), rows(60, seed=1)])
    cosines = dense_scores(centre, VectorSet.of(vectors)).cosines
    scores = cosines.copy()
    scores[3] = 0.1
    gains = smoothing(scores, cosines, vectors)
    assert gains[3] > 0.1
    assert np.abs(gains[20:]).max() < np.abs(gains[:20]).max()


def test_candidates_far_from_the_query_do_not_speak_for_each_other():
    assert not smoothing(np.ones(30), np.full(30, 0.3), rows(30)).any()
    assert not smoothing(np.ones(3), np.ones(3), rows(3)).any()
    assert not smoothing(np.ones(3), np.full(3, np.nan), rows(3) * np.nan).any()


def test_the_level_is_of_one_and_the_same_candidate():
    assert absolute_level(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == pytest.approx(1.0)
    assert absolute_level(np.array([0.9, 0.0]), np.array([0.0, 1.0])) == pytest.approx(0.765)
    assert absolute_level(np.array([np.nan]), np.array([0.5])) == pytest.approx(0.5)


def test_questions_for_a_time_and_texts_that_tell_one_are_known():
    assert asks_for_time("When did Ann move?")
    assert asks_for_time("in which year was that")
    assert not asks_for_time("What did Ann do when it rained?")
    assert not asks_for_time("whenever possible, use tabs")
    told = mentions_time(
        TermTable.of([terms(text) for text in ("two weeks ago", "", "Fridays", "in 2019", "daily")])
    )
    assert told.tolist() == [1, 0, 1, 1, 0]


def test_of_equal_memories_the_newer_comes_first_by_a_bounded_gain():
    now, month = 1e9, RECENCY_HALF_LIFE
    times = np.array([now, now - month, now - 2 * month, now + month])
    fresh = recency(times, now, ["fact"] * 4)
    assert fresh.tolist() == [1.0, 0.5, 0.25, 1.0]
