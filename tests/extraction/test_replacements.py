"""What a statement puts in the place of other words of its quote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.extraction.replacements import key, replacements


@pytest.mark.parametrize(
    ("text", "clause", "old", "new"),
    [
        ("She lives in Rome now", "I live in Oslo now", "oslo", "rome"),
        ("她在南京上学", "在杭州上学", "杭州", "南京"),
        ("เธอชื่อมาลี", "น้องชื่อพิมพ์ เกิดปีนี้", "พิมพ์", "มาลี"),
        ("سلمى تسكن في أسوان", "ونسكن في الإسكندرية", "الإسكندرية", "أسوان"),
    ],
)
def test_a_word_between_words_of_both_stands_for_another(
    text: str, clause: str, old: str, new: str
):
    found = [("".join(one.old), "".join(one.new)) for one in replacements(text, clause)]
    assert (old, new) in found


def test_the_forms_of_an_arabic_verb_have_one_root():
    assert key("تسكن") == key("ونسكن") == key("يسكن")


@given(st.text())
def test_nothing_in_a_text_stands_for_itself(text: str):
    assert [*replacements(text, text)] == []


@given(st.text(), st.text())
def test_any_two_texts_are_compared(text: str, clause: str):
    for one in replacements(text, clause):
        assert one.old
        assert one.new
