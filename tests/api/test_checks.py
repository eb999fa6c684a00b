"""Callers' arguments: what passes unchanged, and what is refused by which name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp.api import checks
from mem_mcp.api.models import Kind, Relation, Scope
from mem_mcp.errors import InvalidInput

FAST = hypothesis_settings(deadline=None, max_examples=60)
storable = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(-1e18, 1e18)
    | storable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(storable, inner, max_size=3),
    max_leaves=8,
)
NO_TEXTS: list[Any] = [5, 2.5, True, ["a"], {"a": 1}, b"bytes"]


# Scopes and names.


def test_an_empty_user_is_the_settings_user_and_an_empty_agent_or_run_is_absent():
    assert checks.scope("ann", "", "", "") == Scope(user_id="ann", agent_id=None, run_id=None)
    given = checks.scope("ann", "bob", "a", "r")
    assert given == Scope(user_id="bob", agent_id="a", run_id="r")


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("wrong", [*NO_TEXTS, "\x00", "\ud800", "x" * 513])
def test_a_wrong_part_of_a_scope_is_named(place: int, wrong: Any):
    parts: list[Any] = ["", "", ""]
    parts[place] = wrong
    with pytest.raises(InvalidInput) as caught:
        checks.scope("ann", *parts)
    assert caught.value.argument == ("user_id", "agent_id", "run_id")[place]


@FAST
@given(storable)
def test_an_id_is_opaque(text: str):
    assert checks.name(text, "user_id") == (text or None)


def test_a_name_may_be_absent_but_not_endless():
    assert checks.name(None, "role") is None
    assert checks.name("", "role") is None
    assert checks.name("x" * 512, "role") == "x" * 512
    with pytest.raises(InvalidInput, match=r"role: .*513.*512"):
        checks.name("x" * 513, "role")


# Texts.


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u3000\u2003", "\x1f"])
def test_a_text_must_say_something(blank: str):
    with pytest.raises(InvalidInput, match=r"content: .*empty"):
        checks.required_text(blank, "content", 10)


def test_a_text_is_kept_with_its_edges():
    assert checks.required_text("  a \n", "content", 10) == "  a \n"
    with pytest.raises(InvalidInput, match=r"content: .*11.*10"):
        checks.required_text("x" * 11, "content", 10)
    for wrong in (None, *NO_TEXTS):
        with pytest.raises(InvalidInput, match="content"):
            checks.required_text(wrong, "content", 10)


# Words.


def test_words_are_each_checked_and_counted_once():
    kinds = checks.literal(Kind)
    assert checks.words_of(["lesson", "fact", "lesson"], "kinds", kinds) == ["lesson", "fact"]
    assert checks.words_of(None, "kinds", kinds) == []
    with pytest.raises(InvalidInput, match=r"kinds: 'song'.*fact"):
        checks.words_of(["fact", "song"], "kinds", kinds)
    assert checks.words_of("fact", "kinds", kinds) == ["fact"]


@FAST
@given(st.lists(storable.filter(str.strip), max_size=6))
def test_names_keep_their_order_and_count_once(given: list[str]):
    checked = checks.names(given, "tags")
    assert checked == list(dict.fromkeys(given))
    assert checks.names(tuple(given), "tags") == checked


@pytest.mark.parametrize(
    "wrong",
    [5, {"a": 1}, {"a"}, [""], [" "], [None], [5], ["a", "\x00"], ["x" * 513], ["x"] * 101],
    ids=lambda wrong: repr(wrong)[:20],
)
def test_a_wrong_list_of_names_is_refused(wrong: Any):
    with pytest.raises(InvalidInput, match="tags"):
        checks.names(wrong, "tags")


def test_a_list_of_names_may_be_absent_or_full():
    assert checks.names(None, "tags") == []
    assert checks.names([], "tags") == []
    assert len(checks.names([f"t{n}" for n in range(100)], "tags")) == 100


# Relations.


def test_relations_are_read_from_objects():
    edge = {"source": "Ann", "relation": "knows", "target": "Bob"}
    assert checks.relations([edge]) == [Relation(**edge)]
    assert checks.relations([Relation(**edge)]) == [Relation(**edge)]
    assert checks.relations(None) == checks.relations([]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "Ann knows Bob",
        [5],
        [None],
        ["Ann knows Bob"],
        [["a", "b", "c"]],
        [{}],
        [{"source": "a", "relation": "b"}],
        [{"source": "a", "relation": "b", "target": 5}],
        [{"source": "a", "relation": "b", "target": None}],
        [{"source": "a", "relation": "b", "target": " "}],
        [{"source": "a", "relation": "b", "target": "c", "weight": 1}],
        [{"source": "a", "relation": "b", "target": "\x00"}],
        [{"source": "a", "relation": "b", "target": "x" * 513}],
        [{"source": "a", "relation": "b", "target": "c"}] * 101,
    ],
    ids=lambda wrong: repr(wrong)[:60],
)
def test_wrong_relations_are_refused(wrong: Any):
    with pytest.raises(InvalidInput, match="relations"):
        checks.relations(wrong)


# Metadata.


@FAST
@given(st.dictionaries(storable.filter(str.strip), json_values, max_size=4))
def test_any_json_object_passes_unchanged(value: dict[str, Any]):
    assert checks.metadata(value) == value


def test_metadata_may_be_absent_and_is_copied():
    assert checks.metadata(None) == checks.metadata({}) == {}
    value = {"a": 1}
    assert checks.metadata(value) is not value


class NoJson:
    pass


@pytest.mark.parametrize(
    "wrong",
    [
        "text",
        [1],
        5,
        {"": 1},
        {" ": 1},
        {5: 1},
        {"x" * 513: 1},
        {"\x00": 1},
        {"a": "\x00"},
        {"a": ["\ud800"]},
        {"a": {"\ud800": 1}},
        {"a": {5: 1}},
        {"a": {None: 1}},
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": [float("-inf")]},
        {"a": 2**63},
        {"a": -(2**63) - 1},
        {"a": 10**400},
        {"a": NoJson()},
        {"a": {1, 2}},
        {"a": b"bytes"},
        {"a": datetime(2026, 1, 31, tzinfo=UTC)},
        {"a": "x" * 100_001},
        {f"k{n}": "x" * 100 for n in range(1_000)},
    ],
    ids=lambda wrong: repr(wrong)[:30],
)
def test_what_is_no_json_to_store_is_refused(wrong: Any):
    with pytest.raises(InvalidInput, match="metadata") as caught:
        checks.metadata(wrong)
    assert len(str(caught.value)) < 2_000


@pytest.mark.parametrize("depth", [21, 30, 1_000, 100_000])
@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner}, lambda inner: [inner]])
def test_metadata_nested_too_deep_is_refused_and_no_crash(depth: int, wrap: Any):
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    with pytest.raises(InvalidInput, match=r"metadata: .*20"):
        checks.metadata({"deep": value})


def test_metadata_twenty_deep_passes():
    value: Any = 1
    for _ in range(19):
        value = {"a": value}
    assert checks.metadata({"deep": value}) == {"deep": value}
    assert json.dumps(value)


@pytest.mark.parametrize("number", [9e18, -9e18, 5e-324, -0.0, 0.1])
def test_a_float_passes_unchanged(number: float):
    assert checks.metadata({"n": number}) == {"n": number}


# Numbers.


@pytest.mark.parametrize("good", [1, 10, 200])
def test_a_whole_number_in_its_range_passes(good: int):
    assert checks.whole(good, "limit", 1, 200) == good


@pytest.mark.parametrize("wrong", [0, 201, -1, 10**30, 2.5, True, "ten", None, [1]])
def test_any_other_number_is_refused(wrong: Any):
    with pytest.raises(InvalidInput, match=r"limit: .*1\.\.200"):
        checks.whole(wrong, "limit", 1, 200)


def test_a_fraction_is_from_0_to_1():
    for good in (0, 0.0, 0.5, 1, 1.0):
        assert checks.fraction(good, "min_score") == good
        assert isinstance(checks.fraction(good, "min_score"), float)
    for wrong in (-0.1, 1.1, float("nan"), float("inf"), True, "half", None, 10**400):
        with pytest.raises(InvalidInput, match=r"min_score: .*0\.\.1"):
            checks.fraction(wrong, "min_score")


def test_a_count_is_whole_and_not_negative():
    for good in (0, 1, 10**9):
        assert checks.count(good, "max_tokens") == good
    for wrong in (-1, 1.5, True, "five", None):
        with pytest.raises(InvalidInput, match="max_tokens"):
            checks.count(wrong, "max_tokens")
