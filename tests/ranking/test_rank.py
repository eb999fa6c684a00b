"""The ranking as a whole: what holds for any question and any candidates."""

from dataclasses import fields

import numpy as np
import pytest
from candidate_builder import DIMENSIONS, build
from hypothesis import given, settings
from hypothesis import strategies as st

from mem_mcp.ranking import Candidates, Query, rank

NAMES = (None, "Ann", "Bo", "李雷")
TEXTS = (
    "Ann likes tea",
    "no",
    "",
    "we met in May?",
    "茶很好喝",
    "🙂🙂",
    "parse_config fails",
    "a the",
)
NOW = 1_800_000_000.0


def unit(seed, n):
    rows = np.random.default_rng(seed).normal(size=(n, DIMENSIONS)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@st.composite
def cases(draw):
    n = draw(st.sampled_from([0, 1, 2, 3, 15]))
    text = st.one_of(st.sampled_from(TEXTS), st.text(max_size=30))
    vectors = unit(draw(st.integers(0, 99)), n)
    vectors[draw(st.lists(st.booleans(), min_size=n, max_size=n))] = np.nan
    vectors[: draw(st.integers(0, 1))] = 0.0
    candidates = build(
        draw(st.lists(text, min_size=n, max_size=n)),
        vectors,
        run_ids=draw(st.lists(st.sampled_from([None, "r1", "r2"]), min_size=n, max_size=n)),
        positions=draw(st.lists(st.integers(-1, 5), min_size=n, max_size=n)),
        actor_ids=draw(st.lists(st.sampled_from(NAMES), min_size=n, max_size=n)),
        times=draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)),
    )
    vector = draw(st.sampled_from([None, unit(7, 1)[0], np.zeros(DIMENSIONS, np.float32)]))
    return Query(draw(text), vector, NOW), candidates


@given(cases())
@settings(max_examples=150, deadline=None)
def test_scores_are_shares_that_fall_along_the_order_and_are_the_sums_of_their_parts(case):
    query, candidates = case
    ranking = rank(query, candidates)
    assert sorted(ranking.order) == list(range(len(candidates)))
    assert ((ranking.score >= 0) & (ranking.score <= 1)).all()
    assert (np.diff(ranking.score[ranking.order]) <= 0).all()
    total = sum(ranking.parts.values(), np.zeros(len(candidates)))
    np.testing.assert_allclose(total, ranking.score, atol=1e-6)


@given(cases(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_candidates_does_not_matter(case, random):
    query, candidates = case
    if len(set(zip(candidates.run_ids, candidates.positions.tolist(), strict=True))) < len(
        candidates
    ):
        return  # two messages at one place: which of them is the neighbour is open
    rows = list(range(len(candidates)))
    random.shuffle(rows)
    shuffled = Candidates(
        **{
            name: column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]
            for name in (field.name for field in fields(Candidates))
            for column in [getattr(candidates, name)]
        }
    )
    one, other = rank(query, candidates), rank(query, shuffled)
    np.testing.assert_allclose(other.score, one.score[rows], atol=1e-4)


def test_equal_scores_stand_newest_first_and_then_by_id():
    candidates = build(["tea"] * 4, times=[1, 2, 2, 0], memory_ids=["d", "c", "b", "a"])
    assert rank(Query("tea", None, NOW), candidates).order.tolist() == [2, 1, 0, 3]


@pytest.mark.parametrize("others", [0, 2, 40])
def test_a_query_that_repeats_a_stored_text_scores_near_one(others):
    vectors = unit(1, others + 1)
    texts = ["Ann keeps her bicycle in the cellar", *(f"other thing {i}" for i in range(others))]
    ranking = rank(Query(texts[0], vectors[0], NOW), build(texts, vectors))
    assert ranking.order[0] == 0
    assert ranking.score[0] > 0.95


@pytest.mark.parametrize("n", [1, 3, 40])
def test_a_question_off_topic_scores_low_however_few_there_are(n):
    vectors = unit(2, n)
    vectors[:, 0] = 0.0
    query = Query("quantum chromodynamics", np.eye(DIMENSIONS, dtype=np.float32)[0], NOW)
    ranking = rank(query, build([f"Ann likes tea {i}" for i in range(n)], vectors))
    assert ranking.score.max() < 0.2


@pytest.mark.parametrize(
    "text", ["", "   ", "the of and", "🙂🙂🙂", "你好吗", "مرحبا", "x" * 50_000]
)
def test_a_degenerate_query_still_ranks_everything(text):
    candidates = build(list(TEXTS), unit(3, len(TEXTS)))
    assert len(rank(Query(text, unit(4, 1)[0], NOW), candidates).order) == len(TEXTS)
    assert len(rank(Query(text, None, NOW), candidates).order) == len(TEXTS)


def test_a_very_long_query_finds_the_text_that_it_speaks_of():
    rambling = " ".join(f"word{i}" for i in range(8_000)) + " zeppelin zeppelin"
    candidates = build(["the kettle is on", "a zeppelin over Berlin", "nothing of note"])
    assert rank(Query(rambling, None, NOW), candidates).order[0] == 1


def test_without_vectors_words_alone_rank():
    candidates = build(["we had tea", "the zeppelin landed", "it rained"])
    ranking = rank(Query("When did the zeppelin land?", None, NOW), candidates)
    assert ranking.order[0] == 1
    assert ranking.score[1] > 0.5


def test_a_memory_without_a_vector_is_judged_by_its_words():
    vectors = unit(5, 3)
    vectors[1] = np.nan
    candidates = build(["we had tea", "the zeppelin landed", "it rained"], vectors)
    assert rank(Query("zeppelin landing", vectors[0] * 0.1, NOW), candidates).order[0] in {0, 1}
    assert rank(Query("zeppelin landing", -vectors[0], NOW), candidates).order[0] == 1


def chat(*lines, coherent=True):
    """Return a conversation whose vectors are alike, as those of one are, or are not."""
    n = len(lines)
    vectors = unit(6, n)
    if coherent:
        vectors = vectors * 0.3 + np.repeat(unit(8, 1 + n // 4), 4, axis=0)[:n]
    return build(
        [text for _, text in lines],
        vectors,
        run_ids=["run"] * n,
        positions=range(n),
        actor_ids=[speaker for speaker, _ in lines],
    )


SMALL_TALK = [("Ann" if i % 2 else "Bo", f"something else entirely {i}") for i in range(40)]


def test_a_reply_is_found_by_the_question_before_it():
    candidates = chat(
        *SMALL_TALK,
        ("Ann", "Which airship did you build?"),
        ("Bo", "A huge silver one."),
        *SMALL_TALK,
    )
    order = rank(Query("airship build", None, NOW), candidates).order.tolist()
    assert order.index(41) <= 2


def test_neighbours_count_for_nothing_where_the_order_tells_nothing():
    lines = [("Ann", f"topic{i} alone") for i in range(40)]
    ranking = rank(Query("topic7", None, NOW), chat(*lines, coherent=False))
    assert np.flatnonzero(ranking.score > 0).tolist() == [7]


def test_the_one_speaker_that_is_named_is_preferred_but_cannot_win_alone():
    candidates = chat(
        ("Ann", "I painted a horse yesterday"),
        ("Bo", "I painted a horse yesterday"),
        ("Bo", "It rains"),
        ("Ann", "Nothing new"),
    )
    ranking = rank(Query("What horse did Bo paint?", None, NOW), candidates)
    assert ranking.order[0] == 1
    assert ranking.score[0] > ranking.score[2]


def test_a_question_for_a_time_prefers_who_tells_one():
    candidates = build(["the zeppelin landed softly", "the zeppelin landed yesterday"])
    asked = rank(Query("When did the zeppelin land?", None, NOW), candidates)
    assert asked.order[0] == 1
    assert asked.parts["time"][0] == 0
    assert "time" not in rank(Query("Did the zeppelin land?", None, NOW), candidates).parts


def test_what_is_over_comes_after_what_holds_unless_the_question_asks_for_then():
    texts = ["Lars is on holiday in Rome.", "Lars is not on holiday in Rome."]
    candidates = build(texts, ends_at=np.array([NOW - 1, np.inf]))

    def first(question: str, now: float = NOW) -> str:
        return texts[rank(Query(question, None, now), candidates).order[0]]

    assert first("Is Lars on holiday in Rome?") == texts[1]
    assert first("Was Lars on holiday in Rome last year?") == texts[0]
    assert first("Was Lars on holiday in Rome?") == texts[0]
    assert first("Is Lars on holiday in Rome?", NOW - 2) == texts[0]


def test_what_is_over_alone_scores_less_than_it_did():
    text = "Lars is on holiday."
    over, holds = (build([text], ends_at=np.array([end])) for end in (NOW, np.inf))
    now = rank(Query(text, None, NOW), over)
    assert now.score[0] < rank(Query(text, None, NOW), holds).score[0] / 2
    assert np.isclose(sum(part[0] for part in now.parts.values()), now.score[0])


def test_what_held_at_a_time_that_the_question_names_is_not_over():
    candidates = build(["The desk of Ann is red."], ends_at=np.array([NOW - 1]))
    question = "Which desk has Ann in 1969?"
    assert "over" not in rank(Query(question, None, NOW), candidates).parts


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What does Alice like?", "Alice likes hiking in the Alps."),
        ("What do they own?", "They own a boat in Kiel."),
        ("Who did they let in?", "They let Bo in."),
    ],
)
def test_the_verb_of_a_short_question_is_a_word_of_it(question, answer):
    others = ["Alice has two cats.", "They sold the car.", "Alice plays the violin."]
    ranking = rank(Query(question, None, NOW), build([*others, answer]))
    assert ranking.order[0] == len(others)
