"""Which texts speak of the same."""

from __future__ import annotations

import pytest

from mem_mcp.extraction.subject_match import share_a_subject


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I have never smoked", "Per smokes a pipe"),
        ("forget where I live", "Ana lives in Rome"),
        ("Ya no corro", "Inés corre maratones"),
        ("olvida mi divorcio", "Malik is getting a divorce"),
        ("my flight is at 9", "It leaves at 9"),
        ("银行的事忘了吧", "王磊在银行工作"),
        ("대구 이야기", "그는 대구에 산다"),
        ("CAFE\u0301 Uno", "the Café"),
    ],
)
def test_a_word_or_another_form_of_it_is_shared(one: str, other: str):
    assert share_a_subject([one], [other])
    assert share_a_subject(["nothing", other], [one])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I am in the house", "you were at the office"),
        ("ich bin in der Stadt", "die Katze ist in der Küche"),
        ("la casa de mi hermana", "el perro de la vecina"),
        ("我的是他的", "你的不是我的"),
        ("instructions", "instruments"),
        ("car", "cart"),
        ("", "anything"),
        ("...", "..."),
    ],
)
def test_words_that_say_nothing_are_not_enough(one: str, other: str):
    assert not share_a_subject([one], [other])


def test_what_is_left_out_does_not_count_in_any_of_its_texts():
    assert not share_a_subject(["delete memory 1"], ["her memory of 1"], ["memory", "1"])
    assert share_a_subject(["delete memory 1"], ["her memory of 1"], ["memory"])
