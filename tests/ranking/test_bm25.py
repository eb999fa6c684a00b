"""Text analysis, and BM25 over its terms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.ranking import text_analysis
from mem_mcp.ranking.bm25 import attainable, bm25, coverage, match
from mem_mcp.ranking.text_analysis import TermTable, is_exact, name_words, terms


def shared(one, other):
    return len(set(terms(one).stems) & set(terms(other).stems))


def scores(query, *texts):
    return bm25(match(terms(query), TermTable.of([terms(text) for text in texts])))


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("she painted horses", "painting a horse", 2),
        ("Straße", "STRASSE", 1),
        ("café naïve", "cafe naive", 2),
        ("\uff46ull \uff57idth", "full width", 2),
        ("load_user_config", "the user config", 2),
        ("HTTPServerError", "server error", 2),
        ("HTTPServerError", "HTTPServerError", 4),
        ("error 404", "404", 1),
        ("東京タワー", "東京", 3),
        ("ภาษาไทย", "ไทย", 5),
        ("हिन्दी भाषा", "हिन्दी", 1),
        ("مُحَمَّد", "مُحَمَّد قال", 1),
        ("the of and", "the of and", 0),
        ("🙂🙂", "🙂 👍🏽", 1),
    ],
)
def test_texts_share_the_terms_that_they_have_in_common(one, other, common):
    assert shared(one, other) == common


@given(st.text(max_size=200))
def test_any_text_has_consistent_terms(text):
    found = terms(text)
    assert len(found.ids) == len(found.counts) == len(set(found.ids.tolist()))
    assert found.counts[~is_exact(found.ids)].sum() == found.length
    assert found is terms(text)
    assert all(name == name.casefold() for name in name_words(text))


def test_words_can_be_left_out_of_a_text():
    assert shared("Caroline paints", "Caroline paints") == 2
    assert len(terms("Caroline paints", without=frozenset({"caroline"})).stems) == 1


def test_the_cache_forgets_by_number_and_by_size(monkeypatch):
    monkeypatch.setattr(text_analysis, "CACHED_TEXTS_MAX", 3)
    monkeypatch.setattr(text_analysis, "CACHED_CHARACTERS_MAX", 100)
    cache = text_analysis._TermCache()
    for text in ("one", "two", "three", "four"):
        cache.get(text)
    assert [text for text, _ in cache._entries] == ["two", "three", "four"]
    cache.get("x" * 98)
    assert [text for text, _ in cache._entries] == ["x" * 98]
    cache.get("y" * 101)
    assert not cache._entries
    assert cache._characters == 0


def test_a_rare_word_weighs_more_than_a_common_one():
    found = scores("zeppelin tea", "zeppelin", *["tea"] * 8)
    assert found[0] > 2 * found[1] > 0


def test_a_short_text_beats_a_long_one_with_the_same_word():
    found = scores("zeppelin", "a zeppelin", "a zeppelin over rivers, hills, towns and woods")
    assert found[0] > found[1] > 0


def test_no_words_no_score():
    assert scores("", "tea").tolist() == [0.0]
    assert scores("coffee", "tea", "").tolist() == [0.0, 0.0]
    assert scores("tea").tolist() == []


def test_coverage_is_the_share_of_the_query_that_a_text_has():
    matches = match(
        terms("zeppelin tea"), TermTable.of([terms("zeppelin with tea"), terms("tea"), terms("")])
    )
    found = coverage(matches)
    assert found[0] == pytest.approx(1.0)
    assert 0 < found[1] < 0.5
    assert found[2] == 0


@given(
    st.lists(st.text(alphabet="ab ", max_size=12), min_size=1, max_size=6),
    st.text("ab ", max_size=9),
)
def test_no_text_scores_more_than_can_be_attained(texts, query):
    matches = match(terms(query), TermTable.of([terms(text) for text in texts]))
    assert (bm25(matches) <= attainable(matches) + 1e-9).all()
    assert np.isfinite(bm25(matches)).all()


def test_of_a_long_query_the_rarest_terms_are_kept():
    common = [f"word{i}" for i in range(300)]
    texts = [terms(" ".join(common))] * 4 + [terms("zeppelin")]
    matches = match(terms(" ".join([*common, "zeppelin"])), TermTable.of(texts))
    assert matches.counts.shape == (5, 256)
    assert matches.counts[4].sum() == 2  # the word and its exact form
