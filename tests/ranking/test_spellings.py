"""One word may be written in two ways, and either finds the other."""

import pytest

from mem_mcp.ranking.text_analysis import terms


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("which db", "the databases of the shop"),
        ("where is the repo", "Our repository is on a server"),
        ("prod config", "configuration of production"),
        ("k8s", "Kubernetes runs on three nodes"),
        ("my favorite color", "My favourite colour is teal"),
        ("who organizes it", "we organise the party"),
        ("mom", "my mum is here"),
        ("DB_CONFIG", "the configuration"),
    ],
)
def test_either_spelling_finds_the_other(asked: str, stored: str):
    assert set(terms(asked).stems) & set(terms(stored).stems)


def test_what_is_written_in_the_same_way_still_counts_for_more():
    exact, other = terms("the db is down"), terms("the database is down")
    asked = set(terms("db").ids)
    assert len(asked & set(exact.ids)) > len(asked & set(other.ids))


def test_words_of_other_languages_are_no_english_spellings():
    french = "Nous allons organiser la fête de la ville avec les voisins"
    assert set(terms("organiser", "fr").stems) <= set(terms(french).stems)
    assert set(terms("organisé", "fr").stems) <= set(terms(french).stems)


def test_what_may_be_short_for_two_words_is_left_as_it_is():
    assert not set(terms("dev").stems) & set(terms("development developer device").stems)
