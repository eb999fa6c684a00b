"""Words, numbers and lists as agents write them: what each is read as, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp.api import words
from mem_mcp.api.checks import literal
from mem_mcp.api.models import (
    Feedback,
    Infer,
    Kind,
    Order,
    Outcome,
    Severity,
    Status,
    UserScope,
)
from mem_mcp.api.words import boolean, fields, is_absent, items, number, whole, word
from mem_mcp.errors import InvalidInput

FAST = hypothesis_settings(deadline=None, max_examples=60)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
VOCABULARIES: dict[str, tuple[Any, words.Synonyms]] = {
    "outcome": (Outcome, words.OUTCOMES),
    "severity": (Severity, words.SEVERITIES),
    "feedback": (Feedback, words.FEEDBACKS),
    "kind": (Kind, words.KINDS),
    "infer": (Infer, words.INFERS),
    "order": (Order, words.ORDERS),
    "status": (Status, words.STATUSES),
    "user_scope": (UserScope, words.USER_SCOPES),
}


def read(value: object, argument: str) -> str:
    kind, synonyms = VOCABULARIES[argument]
    return word(value, argument, literal(kind), synonyms)


# Words.


@pytest.mark.parametrize("argument", VOCABULARIES)
def test_our_words_are_read_in_any_case_and_with_any_separator(argument: str):
    for ours in literal(VOCABULARIES[argument][0]):
        for form in (ours, ours.upper(), ours.lower(), ours.title(), f"  {ours}\n", f'"{ours}"'):
            assert read(form, argument) == ours
            assert read(form.replace("_", " "), argument) == ours
            assert read(form.replace("_", "-"), argument) == ours


@pytest.mark.parametrize("argument", VOCABULARIES)
def test_every_synonym_is_reached_and_means_a_word_there_is(argument: str):
    kind, synonyms = VOCABULARIES[argument]
    for theirs, ours in synonyms.items():
        assert ours in literal(kind)
        for form in (theirs, theirs.upper(), f" {theirs} ", theirs.replace(" ", "_")):
            assert read(form, argument) == ours


@pytest.mark.parametrize(
    ("argument", "given", "meant"),
    [
        ("outcome", "Succeeded", "success"),
        ("outcome", "OK", "success"),
        ("outcome", "done", "success"),
        ("outcome", "FAILED", "failure"),
        ("outcome", "error", "failure"),
        ("outcome", "didn\u2019t work", "failure"),
        ("outcome", "Partial Success", "partial"),
        ("outcome", "partially-successful", "partial"),
        ("outcome", "N/A", "unknown"),
        ("severity", "High", "major"),
        ("severity", "low", "minor"),
        ("severity", "Blocker", "critical"),
        ("feedback", "like", "POSITIVE"),
        ("feedback", "+1", "POSITIVE"),
        ("feedback", "👍", "POSITIVE"),
        ("feedback", "👍🏽", "POSITIVE"),
        ("feedback", "👎\ufe0f", "NEGATIVE"),
        ("feedback", "thumbs_down", "NEGATIVE"),
        ("feedback", "-1", "NEGATIVE"),
        ("feedback", -1, "NEGATIVE"),
        ("feedback", "very negative", "VERY_NEGATIVE"),
        ("feedback", "very-negative", "VERY_NEGATIVE"),
        ("feedback", "harmful", "VERY_NEGATIVE"),
        ("kind", "Facts", "fact"),
        ("kind", "lessons", "lesson"),
        ("infer", True, "always"),
        ("infer", False, "never"),
        ("infer", "False", "never"),
        ("order", "DESC", "newest"),
        ("order", "oldest first", "oldest"),
        ("status", "Archive", "archived"),
        ("user_scope", "everyone", "global"),
        ("user_scope", "Private", "user"),
    ],
)
def test_a_plain_synonym_is_read_as_our_word(argument: str, given: Any, meant: str):
    assert read(given, argument) == meant


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("outcome", "finished"),
        ("outcome", "timeout"),
        ("outcome", "pending"),
        ("outcome", "cancelled"),
        ("outcome", True),
        ("outcome", 1),
        ("outcome", None),
        ("outcome", ["success"]),
        ("outcome", ""),
        ("severity", "medium"),
        ("severity", "severe"),
        ("severity", "urgent"),
        ("severity", 3),
        ("feedback", "wrong"),
        ("feedback", "outdated"),
        ("feedback", 1),
        ("feedback", "5"),
        ("feedback", "meh"),
        ("feedback", 0.5),
        ("kind", "memory"),
        ("infer", "maybe"),
        ("order", "relevance"),
        ("order", "up"),
        ("user_scope", "team"),
    ],
)
def test_a_word_with_no_clear_meaning_is_refused_with_those_allowed(argument: str, given: Any):
    with pytest.raises(InvalidInput) as caught:
        read(given, argument)
    allowed = ", ".join(literal(VOCABULARIES[argument][0]))
    assert str(caught.value) == f"{argument}: {given!r} is not one of {allowed}"
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("argument", "given", "near"),
    [
        ("outcome", "succes", "success"),
        ("outcome", "failurre", "failure"),
        ("outcome", "sucessful", "success"),
        ("severity", "critcal", "critical"),
        ("feedback", "possitive", "POSITIVE"),
        ("kind", "procedur", "procedure"),
        ("order", "newst", "newest"),
    ],
)
def test_a_word_that_is_near_one_of_ours_is_refused_with_a_guess(
    argument: str, given: str, near: str
):
    with pytest.raises(InvalidInput) as caught:
        read(given, argument)
    assert str(caught.value).endswith(f"; did you mean {near}?")


def test_a_synonym_of_a_word_that_is_not_allowed_here_is_refused():
    with pytest.raises(InvalidInput, match=r"'delete' is not one of active, archived$"):
        word("delete", "status", ("active", "archived"), words.STATUSES)
    assert word("archive", "status", ("active", "archived"), words.STATUSES) == "archived"


def test_an_empty_word_is_read_where_it_is_allowed_and_is_not_listed():
    assert word(" ", "outcome", ("", "success"), words.OUTCOMES) == ""
    with pytest.raises(InvalidInput, match=r"is not one of success$"):
        word(None, "outcome", ("", "success"), words.OUTCOMES)


def test_a_long_text_for_a_word_is_not_repeated_whole():
    with pytest.raises(InvalidInput) as caught:
        read("x" * 10_000, "outcome")
    assert len(str(caught.value)) < 200


@FAST
@given(json_values, st.sampled_from(sorted(VOCABULARIES)))
def test_any_value_is_one_of_our_words_or_refused(value: Any, argument: str):
    with suppress(InvalidInput):
        assert read(value, argument) in literal(VOCABULARIES[argument][0])


@pytest.mark.parametrize("value", [None, "", " ", "null", "None", "NULL ", "none"])
def test_nothing_is_written_in_these_ways(value: Any):
    assert is_absent(value)


@pytest.mark.parametrize("value", [0, False, [], {}, "0", "nil", "no", "...", "nothing"])
def test_what_is_something_is_not_absent(value: Any):
    assert not is_absent(value)


# Booleans and numbers.


@pytest.mark.parametrize("value", [True, 1, 1.0, "true", "TRUE", " Yes", "y", "on", "1", '"true"'])
def test_true_is_written_in_these_ways(value: Any):
    assert boolean(value, "confirm") is True


@pytest.mark.parametrize("value", [False, 0, 0.0, "false", "False", "no", "N", "off", "0"])
def test_false_is_written_in_these_ways(value: Any):
    assert boolean(value, "confirm") is False


@pytest.mark.parametrize("value", [None, "", 2, -1, 0.5, "maybe", "2", [], {}, [True]])
def test_what_is_neither_true_nor_false_is_refused(value: Any):
    with pytest.raises(InvalidInput) as caught:
        boolean(value, "confirm")
    assert str(caught.value) == f"confirm: {value!r} is not one of true, false"


@pytest.mark.parametrize(
    ("given", "meant"),
    [("10", 10), (" 10 ", 10), ("+10", 10), ("-3", -3), ("10.0", 10), ("1e2", 100), (10.0, 10)],
)
def test_a_whole_number_may_be_written_as_text_or_with_a_fraction_of_nothing(
    given: Any, meant: int
):
    assert whole(given) == meant
    assert type(whole(given)) is int


@pytest.mark.parametrize(
    ("given", "meant"),
    [("0.5", 0.5), (".5", 0.5), ("1", 1), ("1.", 1.0), ("5e-1", 0.5), (0.5, 0.5)],
)
def test_a_number_may_be_written_as_text(given: Any, meant: float):
    assert number(given) == meant


@pytest.mark.parametrize(
    "value",
    ["ten", "", "1,000", "1_000", "50%", "0x10", "nan", "inf", "--1", "1.2.3", "9" * 5_000, None],
)
def test_what_is_no_number_stays_as_it_is_for_the_next_check_to_refuse(value: Any):
    assert number(value) is value
    assert whole(value) is value


@pytest.mark.parametrize("value", ["10.5", 10.5, float("inf"), float("nan"), "1e300", True])
def test_a_number_that_is_not_whole_stays_as_it_is(value: Any):
    assert whole(value) is value


# Lists and objects.


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("work", ["work"]),
        ("a, b", ["a, b"]),
        ('["a", "b"]', ["a", "b"]),
        (" ['a', 'b'] ", ["a", "b"]),
        ("[]", []),
        ("[draft]", ["[draft]"]),
        (["a"], ["a"]),
        ({"source": "a"}, [{"source": "a"}]),
        ('{"source": "a"}', [{"source": "a"}]),
    ],
)
def test_a_list_may_be_its_only_item_or_json(given: Any, meant: list[Any]):
    assert items(given) == meant


@pytest.mark.parametrize("value", [None, 5, True, ("a",), 0.5])
def test_what_is_no_list_stays_as_it_is(value: Any):
    assert items(value) is value


@pytest.mark.parametrize(
    ("given", "meant"),
    [('{"a": [1, null]}', {"a": [1, None]}), ("{'a': 'b'}", {"a": "b"}), ({"a": 1}, {"a": 1})],
)
def test_an_object_may_be_json(given: Any, meant: dict[str, Any]):
    assert fields(given) == meant


@pytest.mark.parametrize("value", ["a", "{a: 1}", '["a"]', "[" * 100_000, None, 5, "{'it's': 1}"])
def test_what_is_no_object_stays_as_it_is(value: Any):
    assert fields(value) is value


@FAST
@given(json_values)
def test_json_text_is_read_as_what_it_says(value: Any):
    if isinstance(value, dict):
        assert str(fields(json.dumps(value))) == str(value)
    if isinstance(value, list):
        assert str(items(json.dumps(value))) == str(value)


@FAST
@given(json_values | st.text("[]{}'\",:0e. ", max_size=12))
def test_reading_never_fails(value: Any):
    for reading in (number, whole, items, fields, is_absent):
        reading(value)
    with suppress(InvalidInput):
        assert boolean(value, "confirm") in (True, False)
