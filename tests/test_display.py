"""How stored texts and ids are shown."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp.display import FENCE, SHOWN_ID, escaped, fenced, one_line, short_ids

FAST = hypothesis_settings(deadline=None, max_examples=200)
BREAKS = ("\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
UNSEEN = "\u00ad\u061c\u200b\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufeff\U000e0041\U000e007f"
STEERS = "\x00\x07\x08\x1b\x7f\x9b"
texts = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from([*UNSEEN, *STEERS, " "]))
    | st.sampled_from([each for each in BREAKS if len(each) == 1])
)


# Joiners that scripts and emoji are written with, and format characters that are seen.
FORMATS = re.compile(
    "[\u200c\u200d\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f]"
)


def harmless(text: str) -> bool:
    """Whether nothing in it is unseen, or steers a terminal or the direction of writing."""
    shown = FORMATS.sub("", text).replace("\n", "").replace("\t", "")
    return not any(unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp") for each in shown)


@pytest.mark.parametrize("line_break", BREAKS)
def test_every_line_but_the_first_is_fenced(line_break: str):
    assert fenced(f"one{line_break}two{line_break} three") == f"one\n{FENCE}two\n{FENCE} three"
    assert one_line(f"one{line_break}two{line_break} three") == "one two three"


@FAST
@given(texts)
def test_whatever_is_stored_it_begins_no_line_and_holds_nothing_that_steers(text: str):
    _, *others = f"[id] {fenced(text)}".splitlines()
    assert all(line.startswith(FENCE.rstrip()) for line in others)
    assert harmless(fenced(text))
    assert len(f"[id] {one_line(text)}".splitlines()) == 1
    assert harmless(one_line(text))


@pytest.mark.parametrize(
    "text",
    [
        "Æther, \N{FIRE}\ufe0f und 5 €",
        "  indented\tand with\u3000wide  spaces",
        "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}",
        "می\u200cخواهم",  # noqa: RUF001
        "क्\u200dष",
        "数据库迁移前一定要先备份",
        "เซิร์ฟเวอร์หลักอยู่ที่กรุงเทพ",
    ],
)
def test_what_is_seen_is_shown_as_it_is(text: str):
    assert fenced(text) == text


def test_what_is_not_seen_is_left_out_and_what_steers_is_replaced():
    assert fenced(f"a{UNSEEN}b") == "ab"
    assert fenced("a\x1b[2Jb\x00") == "a\ufffd[2Jb\ufffd"


def test_blank_lines_stay_within_a_text_and_not_around_it():
    assert fenced("\n \none\n\ntwo\n \n") == f"one\n{FENCE.rstrip()}\n{FENCE}two"
    assert fenced("\u200b\n\x85") == ""


def test_a_text_that_is_too_long_is_cut_visibly():
    assert one_line("abc  def", 7) == "abc def"
    assert one_line("abc  def", 6) == "abc d…"


@FAST
@given(texts, texts)
def test_json_is_the_same_and_breaks_no_line_where_it_is_escaped(key: str, value: str):
    written = escaped(json.dumps({key: [value]}, ensure_ascii=False))
    assert json.loads(written) == {key: [value]}
    assert len(written.splitlines()) == 1
    assert harmless(written)


hexadecimal = st.text("0123456789abcdef", min_size=32, max_size=32)


@FAST
@given(st.lists(st.one_of(hexadecimal, hexadecimal.map(lambda one: "0" * 9 + one[9:]))))
def test_each_id_is_shown_by_a_beginning_that_no_other_one_has(ids: list[str]):
    shown = short_ids(ids)
    assert shown.keys() == set(ids)
    for one, beginning in shown.items():
        assert len(beginning) >= SHOWN_ID
        assert [other for other in shown if other.startswith(beginning)] == [one]


def test_an_id_that_was_not_made_here_is_shown_whole_and_on_one_line():
    assert short_ids(["urn:memory:12345"]) == {"urn:memory:12345": "urn:memory:12345"}
    assert short_ids(["x\nrecall_id: y"]) == {"x\nrecall_id: y": "x recall_id: y"}


def test_the_flag_of_a_part_of_a_country_is_shown_and_hidden_letters_are_not():
    letters = "".join(chr(0xE0000 + ord(letter)) for letter in "gbeng")
    england = f"\U0001f3f4{letters}\U000e007f"
    assert fenced(f"{england} plays{letters}") == f"{england} plays"
    assert one_line(f"{england}{letters}") == england
