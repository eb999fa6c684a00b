"""The numbers that a text names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.extraction.numbers import numbers_in
from mem_mcp.extraction.quotes import comparable


def readings(text: str) -> list[set[str]]:
    return [{*number.readings} for number in numbers_in(comparable(text))]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,150 euros", "1150"),
        ("230.000", "230000"),
        ("230 mil euros", "230000"),
        ("20k", "20000"),
        ("three hundred and five", "305"),
        ("twenty-five", "25"),
        ("dreißig", "30"),
        ("fünfundzwanzig", "25"),
        ("treinta y cinco", "35"),
        ("二十号", "20"),
        ("六千二百", "6200"),
        ("一万八", "18000"),
        ("三十五万", "350000"),
        ("สองตัว", "2"),
        ("ห้าร้อยบาท", "500"),
        ("٤٥٠٠ جنيه", "4500"),
        ("الثلاثة", "3"),
        ("двух", "2"),
    ],
)
def test_a_number_is_the_same_in_digits_and_in_words(text: str, number: str):
    (found,) = readings(text)
    assert number in found


@pytest.mark.parametrize("text", ["สามีห้ามนั่งเก้าอี้", "الثلاثاء", "a cat and one dog", "zweite"])
def test_words_that_only_look_like_numbers_are_none(text: str):
    assert readings(text) == []


def test_a_word_that_is_a_number_in_another_language_is_not_sure():
    (once,) = numbers_in("once")
    assert "11" in once.readings
    assert not once.is_sure


@given(st.integers(0, 10**12), st.sampled_from(["{}", "{:,}"]), st.sampled_from("., '"))
def test_however_thousands_are_written_the_number_is_read(number: int, form: str, mark: str):
    written = form.format(number).replace(",", mark.replace(" ", ","))
    (found,) = readings(f"it has {written} of them")
    assert str(number) in found


@given(st.text())
def test_any_text_is_read(text: str):
    for number in numbers_in(comparable(text)):
        assert number.readings
        assert number.start < number.end
