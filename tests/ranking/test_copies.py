"""Copies: what is only typed otherwise is one, and whatever may mean something is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem_mcp.ranking.copies import are_copies, copy_key, head

COPIES = [
    ("Ann likes tea", "Ann likes tea."),
    ("Ann likes tea", "ann likes tea"),
    ("Ann likes tea.", "ANN LIKES TEA"),
    ("Ann likes  tea", " Ann likes\ttea…"),
    ("Ann likes tea!", "Ann likes tea;"),
    ("The café is open.", "The cafe\u0301 is open"),
    ("Er mag Tee.", "er mag tee"),
    ("Аня любит чай.", "аня любит чай"),
    ("他喜欢喝茶。", "他喜欢喝茶"),
    ("Run `make`.", "Run `make`"),
    ("It costs 4.50, or 5 with milk", "it costs 4.50, or 5 with milk."),
    ("He's in a well-known band.", "he's in a well-known band"),
    ("12:30 is lunch", "12:30 is LUNCH".lower()),
]
OTHERS = [
    ("git branch -d", "git branch -D"),
    ("if x:\n    a()\n    b()", "if x:\n    a()\nb()"),
    ("Contact US support", "contact us support"),
    ("Contact US support", "Contact us support"),
    ("getUser is public", "GetUser is public"),
    ("getUser is public", "getuser is public"),
    ("The Polish remover is new.", "The polish remover is new."),
    ("set $path", "set $PATH"),
    ("README.md is old", "readme.md is old"),
    ("She knows C", "She knows C++"),
    ("She knows C", "She knows C#"),
    ("Grew by 5", "Grew by 5%"),
    ("The deploy is done.", "The deploy is done?"),
    ("git add .", "git add"),
    ("5!", "5"),
    ("-5 degrees", "5 degrees"),
    ("x = 'a b'", "x = 'a  b'"),
    ("Maße", "Masse"),
    ("3 m²", "3 m2"),
    ("résumé", "resume"),
    ("no where", "nowhere"),
    ("Tag: ✅", "Tag: ❌"),
    ("US", "us"),
    ("США за", "сша за"),
    ("a_b is set", "a_B is set"),
    ("one\ntwo", "one two"),
]


@pytest.mark.parametrize(("one", "other"), COPIES)
def test_what_is_only_typed_otherwise_is_a_copy(one: str, other: str):
    assert are_copies(one, other)
    assert are_copies(other, one)
    assert copy_key(one) == copy_key(other)
    assert head(one) == head(other)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_what_may_mean_something_else_is_none(one: str, other: str):
    assert not are_copies(one, other)
    assert not are_copies(other, one)


@given(st.text(max_size=30), st.text(max_size=30))
@settings(deadline=None)
def test_it_holds_both_ways_and_of_equal_keys_alone(one: str, other: str):
    assert are_copies(one, other) == are_copies(other, one)
    if are_copies(one, other):
        assert copy_key(one) == copy_key(other)
    assert are_copies(one, f" {one}\n")


WORDS = st.sampled_from(
    [
        "the",
        "port",
        "is",
        "a",
        "b",
        "1",
        "22",
        "4.5",
        "not",
        "✅",
        "-d",
        "-D",
        "+",
        "x=1",
        "café",
        "cafe",
    ]
)


@given(st.lists(WORDS, min_size=2, max_size=8), st.data())
@settings(deadline=None)
def test_texts_that_differ_in_a_word_a_number_or_a_sign_are_no_copies(words, data):
    place = data.draw(st.integers(0, len(words) - 1))
    word = data.draw(WORDS.filter(lambda word: word != words[place]))
    other = [*words[:place], word, *words[place + 1 :]]
    assert not are_copies(" ".join(words), " ".join(other))
    assert not are_copies(" ".join(words), " ".join([*words, word]))
