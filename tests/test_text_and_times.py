"""Texts that may be stored and are the same, and points in time."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp.errors import InvalidInput, MemError
from mem_mcp.text import check_text, content_hash, digest, normalised
from mem_mcp.times import optional_time, parse_time, utc_now

FAST = hypothesis_settings(deadline=None, max_examples=60)
storable = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))

# Texts.


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
    assert content_hash(unicodedata.normalize("NFD", text)) == content_hash(text)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Ann likes tea", "Ann likes tea."),
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
    assert content_hash("Ann  likes TEA") == digest("ann likes tea")
    assert len(digest()) == 32
    assert set(digest("x")) <= set("0123456789abcdef")


# Times.


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (" 2026-01-31T12:00:00Z\n", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00:00+00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+01:00", datetime(2026, 1, 31, 11, tzinfo=UTC)),
        ("2026-01-31T12:00:00-05:30", datetime(2026, 1, 31, 17, 30, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5Z", datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("20260131T120000Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_with_its_zone_is_read_in_utc(given: str, meant: datetime):
    read = parse_time(given, "since")
    assert read == meant
    assert read.utcoffset() == timedelta(0)
    assert optional_time(given, "since") == meant


@FAST
@given(st.datetimes(timezones=st.timezones()))
def test_an_aware_time_is_the_same_moment_or_refused(moment: datetime):
    try:
        read = parse_time(moment, "since")
    except InvalidInput:
        assert moment.year in (1, 9999)
    else:
        assert read.timestamp() == moment.timestamp()
        assert read.tzinfo is UTC
        assert parse_time(read.isoformat(), "since") == read


@pytest.mark.parametrize(
    "naive",
    [
        "2026-01-31T12:00:00",
        "2026-01-31 12:00",
        "2026-01-31",
        "20260131",
        datetime(2026, 1, 31),  # noqa: DTZ001 - naive on purpose
        datetime.max,  # noqa: DTZ901
    ],
)
def test_a_time_without_a_zone_is_refused_and_shown_how(naive: Any):
    with pytest.raises(InvalidInput, match=r"since: .*time zone.*2026-01-31T12:00:00Z") as caught:
        parse_time(naive, "since")
    assert caught.value.argument == "since"


class Undecided(tzinfo):
    def utcoffset(self, _: datetime | None) -> None:
        return None


def test_a_zone_that_knows_no_offset_is_none():
    with pytest.raises(InvalidInput, match="time zone"):
        parse_time(datetime(2026, 1, 31, tzinfo=Undecided()), "since")


@pytest.mark.parametrize(
    "impossible",
    [
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-31T25:00:00Z",
        "2026-01-31T12:61:00Z",
        "2026-01-31T12:00:00+25:00",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "yesterday",
        "now",
        "1769860800",
        "T12:00:00Z",
        "Z",
        " ",
        "\x00",
        "' OR '1'='1",
    ],
)
def test_what_is_no_time_is_refused(impossible: str):
    with pytest.raises(InvalidInput, match="until"):
        parse_time(impossible, "until")


@pytest.mark.parametrize(
    "beyond",
    [
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
    ],
)
def test_a_time_that_utc_cannot_write_is_refused(beyond: Any):
    with pytest.raises(InvalidInput, match="as_of"):
        parse_time(beyond, "as_of")


@pytest.mark.parametrize("value", [5, 1_769_860_800, 2.5, True, ["2026"], {"a": 1}, b"2026"])
def test_what_is_neither_text_nor_time_is_refused(value: Any):
    for read in (parse_time, optional_time):
        with pytest.raises(InvalidInput, match="since"):
            read(value, "since")


def test_a_time_may_be_absent():
    assert optional_time(None, "since") is None
    assert optional_time("", "since") is None


def test_now_is_aware_and_in_utc():
    assert utc_now().utcoffset() == timedelta(0)
