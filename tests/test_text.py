"""Texts that may be stored, and are the same."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp.errors import InvalidInput, MemError
from mem_mcp.text import check_text, content_hash, digest, normalised

FAST = hypothesis_settings(deadline=None, max_examples=60)
storable = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


@FAST
@given(storable)
def test_a_text_that_may_be_stored_is_returned_as_it_is(text: str):
    assert check_text(text, "content") is text
    assert check_text(text, "content", len(text)) is text


@FAST
@given(st.text())
def test_a_text_is_refused_or_can_be_written_as_utf_8(text: str):
    try:
        checked = check_text(text, "content")
    except InvalidInput:
        assert "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text)
    else:
        assert "\x00" not in checked
        assert checked.encode().decode() == text


@pytest.mark.parametrize("value", [None, 5, 2.5, True, b"bytes", ["text"], {"a": 1}])
def test_what_is_no_text_is_refused_with_its_type(value: object):
    with pytest.raises(InvalidInput, match=f"content: .*{type(value).__name__}") as caught:
        check_text(value, "content")
    assert caught.value.argument == "content"
    assert isinstance(caught.value, MemError)


@pytest.mark.parametrize(
    ("text", "named"),
    [("a\x00b", "NUL"), ("\x00", "NUL"), ("ab\ud800", "character 2"), ("\udfff", "character 0")],
)
def test_what_no_store_can_hold_is_refused_by_name(text: str, named: str):
    with pytest.raises(InvalidInput, match=rf"tags: .*{named}"):
        check_text(text, "tags")


def test_a_text_too_long_is_refused_with_both_lengths():
    with pytest.raises(InvalidInput, match=r"content: .*1,001.*1,000"):
        check_text("x" * 1_001, "content", 1_000)
    assert check_text("x" * 1_000, "content", 1_000)


@FAST
@given(storable)
def test_normalising_twice_changes_nothing_more(text: str):
    # Case folding may leave a text that composes further, so the second time may fold again once.
    once = normalised(text)
    assert once == once.strip()
    assert "  " not in once
    assert normalised(f" {text}\n") == once


@FAST
@given(st.text("abcÄÖß é日本 \t\n", max_size=20))
def test_case_white_space_and_composition_make_no_difference(text: str):
    form = normalised(text)
    assert normalised(unicodedata.normalize("NFD", text)) == form
    assert normalised(text.replace(" ", "\u3000 \n")) == form
    assert normalised(text.upper()) == form


@FAST
@given(st.text("abcÄÖß é日本 \t\n", max_size=20))
def test_composition_line_ends_and_outer_white_space_make_no_other_text(text: str):
    assert content_hash(unicodedata.normalize("NFD", text)) == content_hash(text)
    assert content_hash(f" {text}\t\r\n") == content_hash(text)
    assert content_hash(text.replace("\n", "\r\n")) == content_hash(text)
    assert content_hash(text.replace("\n", "\r")) == content_hash(text)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Ann likes tea", "Ann likes tea."),
        ("Ann likes tea", "Ann likes Tea"),
        ("Ann likes tea", "Ann  likes tea"),
        ("if x:\n    a()\n    b()", "if x:\n    a()\nb()"),
        ("ﬁx", "fix"),
        ("m²", "m2"),
        ("the rest", "therest"),
        ("cafe", "café"),
        ("1", "2"),
        ("", "x"),
        ("a,b", "a b"),
        ("日本", "日本語"),
    ],
)
def test_texts_that_say_something_else_have_another_hash(left: str, right: str):
    assert content_hash(left) != content_hash(right)


@FAST
@given(st.lists(storable, max_size=4), st.lists(storable, max_size=4))
def test_a_digest_keeps_its_parts_apart(left: list[str], right: list[str]):
    assert (digest(*left) == digest(*right)) is (left == right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a\x1fb",), ("a", "b")),
        (("1:a", "b"), ("1", "a\x1f1:b")),
        (("a",), ("a", "")),
        (("",), ()),
        (("a", "b"), ("b", "a")),
    ],
)
def test_digests_of_parts_that_join_alike_differ(left: tuple[str, ...], right: tuple[str, ...]):
    assert digest(*left) != digest(*right)


def test_a_digest_is_the_same_in_every_process_and_version():
    # Ids of stored memories are made of it: another value would store every text a second time.
    assert digest("fact", "u", None, "h", 0) == digest("fact", "u", None, "h", 0)
    assert digest("a", "b") == "af4c19afbcdcc40757146f5e720ef197"
    assert content_hash(" Ann  likes\r\nTEA ") == digest("exact", "Ann  likes\nTEA")
    assert len(digest()) == 32
    assert set(digest("x")) <= set("0123456789abcdef")
