from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem_mcp.evaluation.baselines import every_ranking
from mem_mcp.evaluation.metrics import (
    auc,
    best_threshold,
    bootstrap_interval,
    measure,
    ranks_of,
)
from mem_mcp.evaluation.retrieval.evidence import EvidenceQuestion, gain_of

examples = settings(max_examples=50, deadline=None)
NAMES = ("MRR", "recall@5", "hit@5", "nDCG@5")
scores = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), min_size=1, max_size=12)
judged = st.sets(st.integers(1, 40), max_size=12).flatmap(
    lambda ranks: st.tuples(
        st.just(sorted(ranks)), st.integers(max(1, len(ranks)), len(ranks) + 12)
    )
)


def test_ranks_are_the_places_of_what_is_relevant():
    assert ranks_of(["b", "a", "x", "c"], {"a", "c", "never found"}) == [2, 4]
    assert ranks_of([], {"a"}) == []


def test_recall_is_the_share_found_among_the_first_k():
    assert measure("recall@5", [1, 6], relevant=3) == pytest.approx(1 / 3)
    assert measure("recall@6", [1, 6], relevant=3) == pytest.approx(2 / 3)
    assert measure("recall@5", [], relevant=3) == 0


def test_a_hit_needs_one_relevant_memory_among_the_first_k():
    assert measure("hit@5", [6], relevant=1) == 0
    assert measure("hit@5", [5, 6], relevant=2) == 1


def test_the_reciprocal_rank_is_that_of_the_best_found():
    assert measure("MRR", [4, 2], relevant=2) == 0.5
    assert measure("MRR", [], relevant=2) == 0


def test_ndcg_discounts_by_the_logarithm_of_the_rank():
    ideal = 1 + 1 / math.log2(3)
    assert measure("nDCG@10", [1, 3], relevant=2) == pytest.approx((1 + 1 / 2) / ideal)
    assert measure("nDCG@10", [1, 2], relevant=2) == 1


def test_ndcg_is_perfect_when_k_is_full_although_more_is_relevant():
    assert measure("nDCG@3", [1, 2, 3], relevant=50) == 1


@pytest.mark.parametrize("name", ["recall", "precision@5", "recall@x", ""])
def test_an_unknown_metric_is_refused(name):
    with pytest.raises(ValueError, match=r"no metric|invalid literal"):
        measure(name, [1], 1)


def test_a_case_without_anything_relevant_cannot_be_scored():
    with pytest.raises(ValueError, match="cannot be scored"):
        measure("recall@5", [], 0)


@examples
@given(judged)
def test_every_metric_lies_between_nothing_and_everything(case):
    ranks, relevant = case
    for name in NAMES:
        value = measure(name, ranks, relevant)
        assert 0 <= value <= 1 + 1e-12
        assert (value > 0) == any(rank <= 5 for rank in ranks) or name == "MRR"


@examples
@given(judged, st.integers(1, 30), st.integers(1, 30))
def test_looking_further_down_never_finds_less(case, one, other):
    ranks, relevant = case
    low, high = sorted((one, other))
    for kind in ("recall", "hit"):
        less, more = (measure(f"{kind}@{k}", ranks, relevant) for k in (low, high))
        assert less <= more


@examples
@given(st.integers(1, 12))
def test_the_ideal_order_scores_everything(relevant):
    ranks = list(range(1, relevant + 1))
    for name in ("MRR", "recall@12", "hit@12", "nDCG@12", "nDCG@5"):
        assert measure(name, ranks, relevant) == pytest.approx(1)


@examples
@given(judged)
def test_moving_everything_one_place_down_never_helps(case):
    ranks, relevant = case
    lower = [rank + 1 for rank in ranks]
    for name in NAMES:
        assert measure(name, lower, relevant) <= measure(name, ranks, relevant) + 1e-12


@examples
@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.integers(0, 2**32))
def test_a_bootstrap_interval_repeats_and_stays_within_the_values(values, seed):
    low, high = bootstrap_interval(values, seed=seed)
    assert (low, high) == bootstrap_interval(values, seed=seed)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_a_bootstrap_interval_of_a_fair_coin_has_the_known_width():
    low, high = bootstrap_interval([0, 1] * 200, seed=7)
    assert low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.01)
    assert high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.01)


def test_a_difference_that_is_always_the_same_has_no_width():
    assert bootstrap_interval([2.0] * 30, seed=0) == (2.0, 2.0)


@examples
@given(scores, scores)
def test_the_auc_is_the_share_of_pairs_in_the_right_order_where_equal_ones_count_half(good, bad):
    pairs = [(one > other) + (one == other) / 2 for one in good for other in bad]
    assert auc(good, bad) == pytest.approx(sum(pairs) / len(pairs))


@examples
@given(scores, scores)
def test_no_threshold_is_better_than_the_best(good, bad):
    threshold, accuracy = best_threshold(good, bad)

    def balanced(least: float) -> float:
        kept = sum(one >= least for one in good) / len(good)
        return (kept + sum(one < least for one in bad) / len(bad)) / 2

    assert accuracy == pytest.approx(balanced(threshold))
    assert accuracy == pytest.approx(max(map(balanced, [*good, *bad])))


def test_scores_that_do_not_overlap_are_told_apart_wholly():
    assert auc([0.6, 0.9], [0.1, 0.5]) == 1
    assert best_threshold([0.6, 0.9], [0.1, 0.5]) == (0.6, 1)


def test_the_other_rankings_are_those_of_the_books():
    words, meaning = np.array([4.0, 0.0, 1.0]), np.array([0.2, 0.6, 0.4])
    ranked = every_ranking(words, meaning)
    assert ranked["BM25"].tolist() == words.tolist()
    assert ranked["dense"].tolist() == meaning.tolist()
    assert ranked["RRF"] == pytest.approx([1 / 61 + 1 / 63, 1 / 63 + 1 / 61, 1 / 62 + 1 / 62])
    assert ranked["half"] == pytest.approx([0.5, 0.5, (0.25 + 0.5) / 2])


def test_a_side_that_says_nothing_moves_nothing_in_a_mix():
    silent, meaning = np.zeros(3), np.array([0.2, 0.6, 0.4])
    assert every_ranking(silent, meaning)["half"].argsort().tolist() == [0, 2, 1]


def _row(case: str, ranks: tuple[int, ...], **others: tuple[int, ...]) -> EvidenceQuestion:
    return EvidenceQuestion(case=case, category="x", relevant=1, ranks=ranks, others=others)


def test_the_gain_is_over_the_best_other_ranking_question_by_question():
    rows = [
        _row("1", (1,), BM25=(2,), dense=(9,)),
        _row("2", (1,), BM25=(2,), dense=(1,)),
        _row("3", (2,), BM25=(1,), dense=(9,)),
    ]
    found = gain_of(rows, "MRR", seed=0)
    assert found.over == "BM25"
    assert found.points == pytest.approx(100 * (0.5 + 0.5 - 0.5) / 3, abs=0.01)
    assert found.interval[0] <= found.points <= found.interval[1]
    assert found == gain_of(rows, "MRR", seed=0)


def test_a_gain_that_every_question_has_is_certain():
    found = gain_of([_row(str(n), (1,), BM25=()) for n in range(5)], "hit@1", seed=0)
    assert (found.points, found.interval) == (100, (100, 100))
