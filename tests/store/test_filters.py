"""The filter language against a real table, with plain Python as the judge."""

from __future__ import annotations

import json
import operator as op
import random
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp import AsyncMemory, Settings
from mem_mcp.api.models import Memory, Relation
from mem_mcp.errors import InvalidInput
from mem_mcp.store import Maintenance, Store, Version, check_filters, open_store
from mem_mcp.store.filters import compile_filters

STRINGS = (
    "", "a", "A", "ab", "a b", "a!", "b", "O'Brien", "x' OR '1'='1", "'; DROP TABLE memories; --",
    "back\\slash", "\\", 'quo"te', "line\nbreak", "tab\there", "nbreak", "%", "_", "100%", "naïve",
    "NAÏVE", "日本語", "😀 👩‍👩‍👧", "ΣΑΣ", "\x07\x7f", "\u2028", "null", "true", "5", "[1]", "{}",
)  # fmt: skip
WORDS = tuple(text for text in STRINGS if text)
ODD_KEY = 'it\'s "odd".\\ 😀\n$[0]'
NUMBERS = (-3, 0, 1, 5, 5.0, 2.5, 0.1, 1e20, -(2**31), 2**40)
SCALARS = (*NUMBERS, *STRINGS, True, False)
MIXED = (*SCALARS, ["a", "O'Brien", 5], [2.5, True, "5"], [], {"a": 1}, {"eq": "a"}, [["a"]])
MOMENTS = (
    datetime(1066, 10, 14, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)
RELATIONS = (
    Relation(source="Ann", relation="knows", target="O'Brien"),
    Relation(source="a", relation="\\", target='"'),
)
TEXTS = ("text", "agent_id", "run_id", "actor_id", "task_type", "reason")
LISTS = ("tags", "entities", "evidence")
TIMES = ("occurred_at", "valid_until", "superseded_at", "expires_at")
CHOICES = {
    "kind": ("fact", "message", "procedure", "outcome", "lesson"),
    "status": ("active", "pending", "probation", "hidden", "archived", "deleted"),
    "outcome_type": ("success", "failure", "partial", "unknown"),
    "severity": ("minor", "major", "critical"),
}


def row(index: int, **fields: Any) -> Version:
    base: dict[str, Any] = {
        "version_id": f"m{index}.1",
        "memory_id": f"m{index}",
        "version": 1,
        "event": "ADD",
        "text": f"text {index}",
        "kind": "fact",
        "user_id": "u",
        "content_hash": str(index),
        "occurred_at": MOMENTS[2],
        "recorded_at": MOMENTS[2] + timedelta(seconds=index),
    }
    return Version(Memory(**{**base, **fields}), None)


def varied_rows(count: int) -> list[Version]:
    dice = random.Random(20261120)

    def maybe(pool: Any) -> Any:
        return dice.choice([None, *dice.choices(list(pool), k=3)])

    def some(pool: Any) -> list[Any]:
        return dice.sample(list(pool), dice.choice((0, 0, 1, 2)))

    def metadata() -> dict[str, Any]:
        fields = {
            "mixed": dice.choice(MIXED),
            "number": dice.choice(NUMBERS),
            "text": dice.choice(STRINGS),
            ODD_KEY: dice.choice(SCALARS),
            "empty": None,
        }
        return {key: value for key, value in fields.items() if dice.random() < 0.75}

    rows = []
    for index in range(count):
        fields: dict[str, Any] = {name: maybe(STRINGS) for name in TEXTS}
        fields |= {name: maybe(MOMENTS) for name in TIMES}
        fields |= {name: some(WORDS) for name in LISTS}
        fields |= {name: maybe(words) for name, words in CHOICES.items()}
        fields |= {
            "text": STRINGS[index % len(STRINGS)],
            "occurred_at": dice.choice(MOMENTS),
            "kind": dice.choice(CHOICES["kind"]),
            "status": dice.choice(CHOICES["status"]),
            "position": maybe(range(5)),
            "confidence": maybe((0.0, 0.1, 0.5, 1.0)),
            "relations": some(RELATIONS),
            "metadata": metadata(),
        }
        rows.append(row(index, **fields))
    return rows


# What the language means, said once more in Python.

ORDER = ("gt", "gte", "lt", "lte")
IN = ("contains", "icontains")
POSITIVE = {"ne": "eq", "nin": "in"}


def holds(memory: Memory, filters: Mapping[str, Any]) -> bool:
    return all(entry_holds(memory, key, value) for key, value in filters.items())


def entry_holds(memory: Memory, key: str, value: Any) -> bool:
    if key == "AND":
        return all(holds(memory, part) for part in value)
    if key == "OR":
        return any(holds(memory, part) for part in value)
    if key == "NOT":
        return not holds(memory, value)
    conditions = value if isinstance(value, Mapping) else {"eq": value}
    return all(compares(memory, key, word, operand) for word, operand in conditions.items())


def compares(memory: Memory, field: str, operator: str, operand: Any) -> bool:
    if operator in POSITIVE:
        return not compares(memory, field, POSITIVE[operator], operand)
    if operator == "in":
        return any(compares(memory, field, "eq", value) for value in operand)
    if field.startswith("metadata."):
        return metadata_compares(
            memory.metadata, field.removeprefix("metadata."), operator, operand
        )
    return column_compares(getattr(memory, field), operator, operand)


def column_compares(value: Any, operator: str, operand: Any) -> bool:
    if operator == "exists":
        return (value not in (None, [], {})) is operand
    if isinstance(value, list):
        return list_compares(value, operator, operand)
    if value is None:
        return False
    if isinstance(value, datetime):
        operand = datetime.fromisoformat(operand) if isinstance(operand, str) else operand
    return scalar_compares(value, operator, operand)


def metadata_compares(metadata: dict[str, Any], key: str, operator: str, operand: Any) -> bool:
    value = metadata.get(key)
    if operator == "exists":
        return (key in metadata) is operand
    if operator == "contains" and isinstance(value, list):
        return any(same(item, operand) for item in value)
    if type_name(value) != type_name(operand) or value is None:
        return False
    return scalar_compares(value, operator, operand)


def list_compares(value: list[Any], operator: str, operand: Any) -> bool:
    if operator == "icontains":
        return any(operand.lower() in item.lower() for item in value)
    if isinstance(operand, Mapping):
        operand = Relation(**operand)
    return operand in value


def scalar_compares(value: Any, operator: str, operand: Any) -> bool:
    if operator in IN:
        fold = str if operator == "contains" else str.lower
        return isinstance(value, str) and fold(operand) in fold(value)
    compare: dict[str, Callable[[Any, Any], Any]] = {
        "eq": op.eq, "gt": op.gt, "gte": op.ge, "lt": op.lt, "lte": op.le,
    }  # fmt: skip
    return bool(compare[operator](value, operand))


def same(left: Any, right: Any) -> bool:
    return type_name(left) == type_name(right) and bool(left == right)


def type_name(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


# Conditions by chance.


def operators(values: st.SearchStrategy[Any], *more: str) -> st.SearchStrategy[Any]:
    some = st.lists(values, max_size=3)
    one = {"eq": values, "ne": values, "in": some, "nin": some, "exists": st.booleans()}
    one |= dict.fromkeys(more, values)
    single = st.sampled_from(sorted(one)).flatmap(lambda word: st.tuples(st.just(word), one[word]))
    return values | st.lists(single, min_size=1, max_size=2).map(dict)


strings = st.sampled_from(STRINGS) | st.text(
    st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=3
)
moments = st.sampled_from(MOMENTS) | st.sampled_from(
    ["2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00Z", "1969-12-31T18:59:59.999999-05:00"]
)
conditions = st.one_of(
    st.tuples(st.sampled_from(TEXTS), operators(strings, *ORDER, *IN)),
    st.tuples(st.sampled_from(LISTS), operators(strings, *IN)),
    st.tuples(st.sampled_from(TIMES), operators(moments, *ORDER)),
    st.tuples(st.just("position"), operators(st.integers(-1, 5), *ORDER)),
    st.tuples(st.just("confidence"), operators(st.sampled_from([0, 0.1, 0.5, 1]), *ORDER)),
    st.sampled_from(sorted(CHOICES)).flatmap(
        lambda name: st.tuples(st.just(name), operators(st.sampled_from(CHOICES[name])))
    ),
    st.tuples(
        st.just("relations"),
        st.builds(lambda edge: {"contains": edge.model_dump()}, st.sampled_from(RELATIONS))
        | st.builds(lambda there: {"exists": there}, st.booleans()),
    ),
    st.tuples(st.just("metadata"), st.builds(lambda there: {"exists": there}, st.booleans())),
    st.tuples(
        st.sampled_from(["metadata.mixed", f"metadata.{ODD_KEY}", "metadata.empty"]),
        # Whether a stored null is there is left open.
        st.sampled_from(SCALARS)
        | st.builds(lambda value: {"ne": value}, st.sampled_from(SCALARS))
        | st.builds(lambda values: {"in": values}, st.lists(st.sampled_from(SCALARS), max_size=3))
        | st.builds(lambda value: {"contains": value}, st.sampled_from(SCALARS)),
    ),
    st.tuples(st.just("metadata.mixed"), operators(st.sampled_from(NUMBERS), *ORDER)),
    st.tuples(st.just("metadata.mixed"), operators(strings, *ORDER)),
    st.tuples(st.just("metadata.number"), operators(st.sampled_from(NUMBERS), *ORDER)),
    st.tuples(st.just("metadata.text"), operators(strings, *ORDER, *IN)),
    st.tuples(st.just("metadata.never"), operators(strings, *ORDER, *IN)),
)
flat = st.lists(conditions, max_size=2).map(dict)


def nested(deeper: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(deeper, min_size=1, max_size=3)
    return (
        st.builds(lambda parts: {"AND": parts}, several)
        | st.builds(lambda parts: {"OR": parts}, several)
        | st.builds(lambda part: {"NOT": part}, deeper)
        | st.builds(lambda one, part: {**one, "NOT": part}, flat, deeper)
    )


one_deep = flat | nested(flat)
two_deep = one_deep | nested(one_deep)
four_deep = one_deep | two_deep | nested(nested(two_deep))

PROPERTY = hypothesis_settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def store(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Store]:
    folder = tmp_path_factory.mktemp("filters")
    async with open_store(folder, dimension=4, embedder="test", durable=False) as opened:
        assert await opened.apply(varied_rows(40))
        yield opened


async def found(store: Store, filters: Mapping[str, Any]) -> list[str]:
    rows = await store.read(filters, columns=["version_id"], order=[("recorded_at", True)])
    return [version.memory.version_id for version in rows]


async def expected(store: Store, filters: Mapping[str, Any]) -> list[str]:
    rows = await store.read({}, order=[("recorded_at", True)])
    return [v.memory.version_id for v in rows if holds(v.memory, filters)]


@PROPERTY
@given(filters=four_deep)
@example(filters={"text": {"contains": "\\"}})
@example(filters={"NOT": {"metadata.mixed": {"gt": 1}}, "metadata.mixed": {"ne": "a"}})
@pytest.mark.anyio
async def test_a_filter_matches_the_rows_that_python_would_choose(
    store: Store, filters: dict[str, Any]
):
    check_filters(filters)
    matching = await expected(store, filters)
    assert await found(store, filters) == matching
    assert await store.count(filters) == len(matching)


@PROPERTY
@given(condition=conditions)
@pytest.mark.anyio
async def test_a_condition_and_its_negation_share_all_rows(
    store: Store, condition: tuple[str, Any]
):
    filters = dict([condition])
    matching, others = await found(store, filters), await found(store, {"NOT": filters})
    assert not set(matching) & set(others)
    assert len(matching) + len(others) == len(await found(store, {}))


@pytest.fixture
async def few(tmp_path: Path) -> AsyncIterator[Store]:
    folder = tmp_path / "few"
    async with open_store(folder, dimension=4, embedder="test", durable=False) as opened:
        yield opened


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["Ann Lee", "Ann!", "Ann\x07", "Ann"])
async def test_texts_in_metadata_are_ordered_as_texts_are(few: Store, text: str):
    await few.apply([row(0, metadata={"name": text}, task_type=text)])
    for operator in ORDER:
        for field in ("task_type", "metadata.name"):
            filters = {field: {operator: "Ann"}}
            assert bool(await found(few, filters)) == scalar_compares(text, operator, "Ann"), field


@pytest.mark.anyio
@pytest.mark.parametrize("operator", IN)
async def test_a_part_of_a_metadata_text_is_not_found_in_how_json_writes_it(
    few: Store, operator: str
):
    texts = ["line\nbreak", "tab\there", "bell\x07", "back\\nslash"]
    await few.apply([row(i, metadata={"note": text}) for i, text in enumerate(texts)])
    assert await found(few, {"metadata.note": {operator: "nbreak"}}) == []
    assert await found(few, {"metadata.note": {operator: "u00"}}) == []
    assert await found(few, {"metadata.note": {operator: "\\"}}) == ["m3.1"]
    assert await found(few, {"metadata.note": {operator: "\n"}}) == ["m0.1"]
    assert await found(few, {"metadata.note": {operator: "nslash"}}) == ["m3.1"]


@pytest.mark.anyio
async def test_a_list_without_elements_has_no_part(few: Store):
    await few.apply([row(0), row(1, tags=["tag"])])
    for part in ("", "t", "TAG"):
        assert await found(few, {"tags": {"icontains": part}}) == ["m1.1"], part
        assert await found(few, {"NOT": {"tags": {"icontains": part}}}) == ["m0.1"], part


@pytest.mark.anyio
async def test_large_whole_numbers_in_metadata_are_told_apart(few: Store):
    ids = [2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
    await few.apply([row(i, metadata={"id": number}) for i, number in enumerate(ids)])
    for index, number in enumerate(ids):
        assert await found(few, {"metadata.id": number}) == [f"m{index}.1"]
        assert await found(few, {"metadata.id": {"in": [number]}}) == [f"m{index}.1"]
    assert await found(few, {"metadata.id": {"gt": 2**53}}) == ["m1.1", "m2.1"]


@pytest.mark.anyio
@pytest.mark.parametrize("field", ["position", "version", "confidence"])
@pytest.mark.parametrize("number", [1.0, 0.5, 1.5, 2**31, -(2**40), 2**63 - 1, 1e300])
async def test_any_finite_number_is_compared_or_refused_with_a_clear_error(
    store: Store, field: str, number: float
):
    for operand in (number, {"ne": number}, {"in": [1, number]}, *({w: number} for w in ORDER)):
        filters = {field: operand}
        try:
            matching = await found(store, filters)
        except InvalidInput as error:
            assert field in str(error)  # noqa: PT017 - either is right
        else:
            assert matching == await expected(store, filters), filters


@pytest.mark.anyio
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "0999-12-31T00:00:00Z"])
async def test_a_time_of_the_first_millennium_is_a_time(few: Store, moment: str):
    stored = datetime.fromisoformat(moment)
    await few.apply([row(0), row(1, occurred_at=stored)])
    assert await found(few, {"occurred_at": moment}) == ["m1.1"]
    assert await found(few, {"occurred_at": {"gt": moment}}) == ["m0.1"]
    assert await found(few, {"occurred_at": {"lte": stored}}) == ["m1.1"]


@pytest.mark.anyio
async def test_an_empty_list_of_values_matches_nothing_and_its_negation_everything(store: Store):
    every = await found(store, {})
    for field in ("text", "tags", "position", "occurred_at", "metadata.mixed", "metadata.never"):
        assert await found(store, {field: {"in": []}}) == []
        assert await found(store, {field: {"nin": []}}) == every
        assert await found(store, {"NOT": {field: {"in": []}}}) == every


@pytest.mark.anyio
async def test_no_condition_matches_everything(store: Store):
    assert len(await found(store, {})) == 40
    assert len(await found(store, {"AND": [{}]})) == 40
    assert await found(store, {"NOT": {}}) == []


@pytest.mark.parametrize("name", ["vector", "source", "nonsense", "", "metadata.", "and", "1=1"])
def test_an_unknown_field_is_refused_and_the_known_ones_are_named(name: str):
    with pytest.raises(InvalidInput) as caught:
        check_filters({"NOT": {"AND": [{name: "x"}]}})
    assert repr(name) in str(caught.value)
    for known in ("memory_id", "tags", "occurred_at", "metadata.<key>", "AND"):
        assert known in str(caught.value)


@pytest.mark.parametrize(
    ("field", "operator", "allowed"),
    [
        ("text", "like", "icontains"),
        ("text", "$ne", "ne"),
        ("text", "", "eq"),
        ("position", "contains", "gte"),
        ("occurred_at", "icontains", "lte"),
        ("tags", "gt", "contains"),
        ("relations", "eq", "contains"),
        ("metadata", "eq", "exists"),
        ("metadata.key", "starts", "icontains"),
    ],
)
def test_an_unknown_operator_is_refused_and_the_known_ones_are_named(
    field: str, operator: str, allowed: str
):
    with pytest.raises(InvalidInput) as caught:
        check_filters({field: {operator: "x"}})
    assert field in str(caught.value)
    assert repr(operator) in str(caught.value)
    assert allowed in str(caught.value)


@pytest.mark.parametrize(
    "filters",
    [
        {"text": 5},
        {"text": True},
        {"text": ["a"]},
        {"text": None},
        {"text": {"eq": None}},
        {"text": {"in": "a"}},
        {"text": {"in": ["a", None]}},
        {"text": {"in": ["a", 5]}},
        {"text": {"in": {"a": 1}}},
        {"text": {"contains": 5}},
        {"text": {"exists": "yes"}},
        {"text": {"exists": 1}},
        {"text": "nul \x00"},
        {"text": "surrogate \ud800"},
        {"text": {"in": ["surrogate \ud800"]}},
        {"kind": "song"},
        {"kind": {"in": ["fact", "song"]}},
        {"status": {"ne": "gone"}},
        {"position": "5"},
        {"position": True},
        {"position": {"gt": "5"}},
        {"position": {"in": [1, "2"]}},
        {"confidence": float("nan")},
        {"confidence": {"lt": float("inf")}},
        {"position": 2**63},
        {"occurred_at": 5},
        {"occurred_at": {"gte": "yesterday"}},
        {"occurred_at": {"gte": "2026-01-32"}},
        {"occurred_at": {"gte": "2026-02-30T12:00:00Z"}},
        {"occurred_at": {"lt": 1_769_860_800}},
        {"occurred_at": {"in": ["2026-01-31T12:00:00Z", 5]}},
        {"tags": 5},
        {"tags": {"contains": ["a"]}},
        {"tags": {"icontains": 5}},
        {"relations": {"contains": "Ann"}},
        {"relations": {"contains": {"source": "Ann"}}},
        {"relations": {"contains": {"source": "a", "relation": "b", "target": 5}}},
        {"metadata": {"exists": "true"}},
        {"metadata.key": {"gt": True}},
        {"metadata.key": {"eq": [1]}},
        {"metadata.key": {"contains": {"a": 1}}},
        {"metadata.key": {"icontains": 5}},
        {"metadata.key": float("nan")},
        {"metadata.key": {"gt": float("-inf")}},
        {"metadata.key": "surrogate \ud800"},
        {"metadata.\ud800": "x"},
        {"metadata.key\x00": "x"},
    ],
    ids=repr,
)
def test_a_value_of_the_wrong_type_is_refused_and_the_field_is_named(filters: dict[str, Any]):
    (field,) = filters
    with pytest.raises(InvalidInput, match=field.split(".")[0]):
        check_filters(filters)


@pytest.mark.parametrize(
    "filters",
    [
        "text = 'a'",
        5,
        ["text"],
        {"AND": []},
        {"OR": []},
        {"AND": {}},
        {"OR": "x"},
        {"AND": ["text = 'a'"]},
        {"OR": [None]},
        {"NOT": []},
        {"NOT": "x"},
        {"NOT": None},
        {"text": {}},
        {"metadata.key": {}},
    ],
    ids=repr,
)
def test_what_is_no_condition_is_refused(filters: Any):
    with pytest.raises(InvalidInput, match="filters"):
        check_filters(filters)


def wrapped(times: int, wrap: str) -> dict[str, Any]:
    filters: dict[str, Any] = {"text": "a"}
    for _ in range(times):
        filters = {wrap: filters if wrap == "NOT" else [filters]}
    return filters


@pytest.mark.anyio
@pytest.mark.parametrize("wrap", ["AND", "OR", "NOT"])
async def test_conditions_ten_deep_work(store: Store, wrap: str):
    check_filters(wrapped(10, wrap))
    assert await found(store, wrapped(10, wrap)) == await found(store, {"text": "a"})


@pytest.mark.parametrize("wrap", ["AND", "OR", "NOT"])
@pytest.mark.parametrize("times", [11, 12, 1_000, 10_000])
def test_conditions_nested_deeper_are_an_error_and_no_crash(times: int, wrap: str):
    with pytest.raises(InvalidInput, match="10 deep"):
        check_filters(wrapped(times, wrap))


@pytest.mark.anyio
@pytest.mark.parametrize("wrap", ["AND", "OR", "NOT"])
async def test_ten_is_what_the_verbs_allow_too(memory: AsyncMemory, wrap: str):
    stored = (await memory.remember("a")).results[0].memory_id
    ten, eleven = wrapped(10, wrap), wrapped(11, wrap)
    assert [m.memory_id for m in (await memory.recall("a", filters=ten)).memories] == [stored]
    listed = await memory.list_memories(filters=ten)
    assert [m.memory_id for m in listed.memories] == [stored]
    assert (await memory.forget(filters=ten)).memory_ids == [stored]
    for deep in (eleven, wrapped(10_000, wrap)):
        with pytest.raises(InvalidInput, match="10 deep"):
            await memory.recall("a", filters=deep)
        with pytest.raises(InvalidInput, match="10 deep"):
            await memory.list_memories(filters=deep)
        with pytest.raises(InvalidInput, match="10 deep"):
            await memory.forget(filters=deep, confirm=True)


INJECTIONS = (
    "x' OR '1'='1",
    "'; DROP TABLE memories; --",
    "') OR true --",
    "\\' OR 1=1 --",
    "'']) OR array_length(tags) >= 0 --",
    '"] OR true --',
    "' || text || '",
)


@pytest.mark.anyio
@pytest.mark.parametrize("text", INJECTIONS)
async def test_sql_in_a_value_or_a_key_is_only_a_text(few: Store, text: str):
    edge = Relation(source=text, relation=text, target=text)
    own = row(
        1,
        text=text,
        tags=[text],
        agent_id=text,
        metadata={text: text, "key": text, "list": [text]},
        relations=[edge],
    )
    await few.apply([row(0, tags=["t"], agent_id="a", metadata={"key": "v"}), own])
    assert await found(few, {"user_id": text}) == []
    for filters in (
        {"text": text},
        {"agent_id": {"in": ["other", text]}},
        {"tags": text},
        {"tags": {"in": ["other", text]}},
        {"tags": {"icontains": text}},
        {"text": {"icontains": text}},
        {"metadata.key": text},
        {f"metadata.{text}": text},
        {f"metadata.{text}": {"exists": True}},
        {"metadata.key": {"contains": text}},
        {"metadata.list": {"contains": text}},
        {"relations": {"contains": edge.model_dump()}},
        {"NOT": {"text": {"ne": text}}},
    ):
        assert await found(few, filters) == ["m1.1"], filters
        assert await found(few, {"NOT": filters}) == ["m0.1"], filters


WIDE = """
import asyncio, json, sys
from datetime import UTC, datetime
from pathlib import Path
from mem_mcp.api.models import Memory
from mem_mcp.store import Version, open_store

async def main():
    now = datetime.now(UTC)
    rows = [
        Version(Memory(
            version_id=f"m{i}.1", memory_id=f"m{i}", version=1, event="ADD", kind="fact",
            user_id="u", content_hash="", occurred_at=now, recorded_at=now,
            text=f"t{i}", tags=[f"t{i}"], metadata={"n": i},
        ), None)
        for i in range(3)
    ]
    folder, wide = Path(sys.argv[1]), json.loads(sys.stdin.read())
    async with open_store(folder, dimension=4, embedder="test", durable=False) as store:
        await store.apply(rows)
        print(await store.count(wide))

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("filters", "matching"),
    [
        ({"text": {"nin": [f"t{i}" for i in range(1, 5_000)]}}, 1),
        ({"tags": {"nin": [f"t{i}" for i in range(1, 5_000)]}}, 1),
        ({"OR": [{"text": f"t{i}"} for i in range(1, 5_000)]}, 2),
        ({"metadata.n": {"in": list(range(1, 5_000))}}, 2),
        ({"metadata.n": {"nin": list(range(1, 5_000))}}, 1),
        ({"NOT": {"metadata.n": {"in": list(range(1, 5_000))}}}, 1),
    ],
    ids=["nin", "tags nin", "OR", "metadata in", "metadata nin", "NOT metadata in"],
)
def test_thousands_of_values_do_not_kill_the_process(
    tmp_path: Path, filters: dict[str, Any], matching: int
):
    done = subprocess.run(
        [sys.executable, "-c", WIDE, str(tmp_path / "wide")],
        input=json.dumps(filters),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
    assert int(done.stdout) == matching


@pytest.mark.anyio
async def test_a_filter_is_answered_by_an_index_and_reads_few_rows(tmp_path: Path):
    folder = tmp_path / "many"
    async with open_store(folder, dimension=4, embedder="test", durable=False) as store:
        dice = np.random.default_rng(1)
        rows = [
            Version(
                row(i, user_id=f"user {i % 100}", tags=[f"tag {i % 50}"]).memory,
                dice.normal(size=4).astype(np.float32),
            )
            for i in range(3_000)
        ]
        assert await store.apply(rows)
        await Maintenance(store, 50).run()
        own = {"user_id": "user 7", "superseded_at": {"exists": False}}
        for filters in (own, {**own, "tags": {"in": ["tag 7"]}}, {"AND": [own, {"kind": "fact"}]}):
            query = store.table.query().where(compile_filters(filters)).select(["version_id"])
            near = store.table.query().nearest_to(np.ones(4, np.float32)).bypass_vector_index()
            near = near.where(compile_filters(filters)).select(["version_id"]).limit(5)
            for plan in (query, near):
                assert "ScalarIndexQuery" in await plan.explain_plan()
                scanned = re.findall(r"rows_scanned=([\d.]+)( [KM])?", await plan.analyze_plan())
                assert scanned
                assert sum(float(n) * (1_000 if unit else 1) for n, unit in scanned) <= 60
            assert await store.count(filters) == 30


@pytest.mark.anyio
async def test_another_users_rows_do_not_count_before_the_limit(few: Store):
    near, far = np.float32([1, 0, 0, 0]), np.float32([0.1, 1, 0, 0])
    others = [Version(row(i, user_id="other").memory, near) for i in range(300)]
    own = [Version(row(300 + i, user_id="own").memory, far) for i in range(20)]
    assert await few.apply([*others, *own])
    (rows,) = await few.nearest(np.stack([near]), {"user_id": "own"}, ["memory_id"], limit=20)
    assert {r["memory_id"] for r in rows} == {f"m{300 + i}" for i in range(20)}


@pytest.mark.anyio
async def test_settings_do_not_change_what_a_filter_means(settings: Settings):
    async with AsyncMemory.open(settings) as memory:
        await memory.remember("red", metadata={"team": "a"}, tags=["x"])
        await memory.remember("blue", metadata={"team": None}, tags=["y"])
        await memory.remember("green")
        listed = await memory.list_memories(filters={"metadata.team": {"ne": "a"}})
        assert sorted(m.text for m in listed.memories) == ["blue", "green"]
        listed = await memory.list_memories(filters={"NOT": {"tags": "x"}})
        assert sorted(m.text for m in listed.memories) == ["blue", "green"]
        found = await memory.recall("colour", filters={"metadata.team": "a"})
        assert [m.text for m in found.memories] == ["red"]
