"""The filter language: nested conditions, compiled to one LanceDB prefilter.

    {"task_type": "sql_debug", "metadata.team": {"in": ["a", "b"]}, "NOT": {"tags": "x"}}

A field without a value meets no comparison and every negated one: `ne`, `nin` and NOT are exact
complements of `eq`, `in` and their condition.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, get_args

from mem_mcp.api import models
from mem_mcp.errors import InvalidInput
from mem_mcp.text import check_text
from mem_mcp.times import parse_time

MAX_DEPTH = 10
# Levels that operations add around a caller's conditions.
_OWN_DEPTH = 5
MAX_VALUES = 10_000
_SHOWN = 80
METADATA = "metadata."

OPERATORS = (
    "eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "icontains", "exists",
)  # fmt: skip
_SYMBOLS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_POSITIVE = {"ne": "eq", "nin": "in"}
_ORDERED = frozenset({"ne", "in", "nin", "exists", *_SYMBOLS})
_ALLOWED = {
    "text": frozenset(OPERATORS),
    "number": _ORDERED,
    "time": _ORDERED,
    "list": frozenset({"eq", "ne", "in", "nin", "contains", "icontains", "exists"}),
    "relations": frozenset({"contains", "exists"}),
    "any": frozenset({"exists"}),
    "metadata": frozenset(OPERATORS),
}
_KINDS = {
    **dict.fromkeys(("version", "position", "confidence"), "number"),
    **dict.fromkeys(("tags", "entities", "used", "evidence"), "list"),
    **dict.fromkeys(
        ("occurred_at", "valid_until", "recorded_at", "superseded_at", "expires_at"), "time"
    ),
    "relations": "relations",
    "metadata": "any",
}
_WORDS = {
    "kind": get_args(models.Kind),
    "event": ("ADD", "UPDATE", "DELETE"),
    "status": get_args(models.Status),
    "outcome_type": get_args(models.Outcome),
    "severity": get_args(models.Severity),
}
FIELDS = {name: _KINDS.get(name, "text") for name in models.Memory.model_fields if name != "source"}
"""Field to its kind."""
Filters = Mapping[str, Any]


def compile_filters(filters: Filters) -> str:
    """Return the text of a prefilter for conditions, all of which must hold.

    Args:
        filters: field to value or to {operator: value}; AND and OR to a list, NOT to one of these.

    Raises:
        InvalidInput: an unknown field or operator, a value of the wrong type, or too deep.
    """
    return _all(filters, MAX_DEPTH + _OWN_DEPTH, negated=False)


def check_filters(filters: Filters) -> None:
    """Check that a caller's conditions compile and are nested MAX_DEPTH deep at most.

    Raises:
        InvalidInput: see `compile_filters`.
    """
    _all(filters, MAX_DEPTH, negated=False)


def fields_of(filters: Filters) -> set[str]:
    """Return the fields in valid conditions, at any depth."""
    names: set[str] = set()
    for key, value in filters.items():
        if key in ("AND", "OR"):
            names = names.union(*(fields_of(part) for part in value))
        elif key == "NOT":
            names |= fields_of(value)
        else:
            names.add(key)
    return names


def quote(text: str) -> str:
    """Return a text as an SQL literal; a doubled quote is the only escape that LanceDB knows."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class _Comparison:
    field: str
    operator: str
    value: Any

    def wrong(self, expected: str) -> InvalidInput:
        return InvalidInput(
            "filters", f"{self.field} {self.operator} takes {expected}, not {_show(self.value)}"
        )

    @property
    def values(self) -> list[Any]:
        """The values of `in`."""
        if not isinstance(self.value, list | tuple):
            raise self.wrong("a list")
        if len(self.value) > MAX_VALUES:
            raise InvalidInput("filters", f"{self.field}: at most {MAX_VALUES} values")
        if any(value is None for value in self.value):
            raise self.wrong("a list without nulls")
        return list(self.value)


def _all(filters: object, room: int, *, negated: bool) -> str:
    if room < 0:
        raise InvalidInput("filters", f"AND, OR and NOT may be nested {MAX_DEPTH} deep at most")
    if not isinstance(filters, Mapping):
        raise InvalidInput(
            "filters", f"conditions are an object of field: value, not {_show(filters)}"
        )
    parts = [_entry(str(key), value, room, negated=negated) for key, value in filters.items()]
    return _join(parts, "OR" if negated else "AND")


def _entry(key: str, value: Any, room: int, *, negated: bool) -> str:  # noqa: ANN401 - JSON
    if key in ("AND", "OR"):
        if not isinstance(value, list | tuple) or not value:
            raise InvalidInput("filters", f"{key} takes a list of one or more conditions")
        parts = [_all(part, room - 1, negated=negated) for part in value]
        return _join(parts, "AND" if (key == "AND") is not negated else "OR")
    if key == "NOT":
        return _all(value, room - 1, negated=not negated)
    given = value if isinstance(value, Mapping) else {"eq": value}
    if not given:
        raise InvalidInput("filters", f"{key} has no condition; operators: {', '.join(OPERATORS)}")
    parts = [
        _compiled(_Comparison(key, str(operator), operand), negated=negated)
        for operator, operand in given.items()
    ]
    return _join(parts, "OR" if negated else "AND")


def _join(parts: Iterable[str], word: str) -> str:
    present = list(parts)
    if not present:
        return "true" if word == "AND" else "false"
    return present[0] if len(present) == 1 else "(" + f" {word} ".join(present) + ")"


def _compiled(comparison: _Comparison, *, negated: bool) -> str:
    field, operator = comparison.field, comparison.operator
    in_metadata = field.startswith(METADATA) and len(field) > len(METADATA)
    kind = "metadata" if in_metadata else FIELDS.get(field)
    if kind is None:
        raise InvalidInput(
            "filters",
            f"no field {field!r}; allowed: {', '.join(FIELDS)}, metadata.<key>, AND, OR, NOT",
        )
    if operator not in _ALLOWED[kind]:
        allowed = ", ".join(name for name in OPERATORS if name in _ALLOWED[kind])
        raise InvalidInput("filters", f"{field} has no operator {operator!r}; allowed: {allowed}")
    if comparison.value is None:
        raise comparison.wrong("a value (for a field that is not there use {'exists': false})")
    if operator == "exists":
        return _exists(comparison, kind, negated=negated)
    if operator in _POSITIVE:
        comparison, negated = replace(comparison, operator=_POSITIVE[operator]), not negated
    test = _COMPILERS[kind](comparison)
    if not negated:
        return test
    if kind in ("list", "relations"):  # stored as an empty list, never as null
        return f"NOT {test}"
    if kind == "metadata":  # null also where the value is of another type
        return f"NOT coalesce({test}, false)"
    return f"({field} IS NULL OR NOT {test})"


def _exists(comparison: _Comparison, kind: str, *, negated: bool) -> str:
    field = comparison.field
    if not isinstance(comparison.value, bool):
        raise comparison.wrong("true or false")
    wanted = comparison.value is not negated
    if kind in ("list", "relations"):
        return _is_filled(field) if wanted else f"NOT {_is_filled(field)}"
    if kind == "any":
        return f"json_extract(metadata, '$') {'!=' if wanted else '='} '{{}}'"
    column = _extract(field) if kind == "metadata" else field
    return f"{column} IS {'NOT ' if wanted else ''}NULL"


def _is_filled(field: str) -> str:
    return f"(coalesce(array_length({field}), 0) > 0)"


def _compare(
    comparison: _Comparison, column: str, literal: Callable[[_Comparison, object], str]
) -> str:
    if comparison.operator == "in":
        return _one_of(column, [literal(comparison, value) for value in comparison.values])
    return f"{column} {_SYMBOLS[comparison.operator]} {literal(comparison, comparison.value)}"


def _one_of(column: str, literals: list[str]) -> str:
    return f"{column} IN ({', '.join(literals)})" if literals else "false"


def _text(comparison: _Comparison) -> str:
    if comparison.operator in ("contains", "icontains"):
        field, word = comparison.field, _word(comparison, comparison.value)
        lower = comparison.operator == "icontains"
        return f"contains(lower({field}), lower({word}))" if lower else f"contains({field}, {word})"
    return _compare(comparison, comparison.field, _word)


def _word(comparison: _Comparison, value: object) -> str:
    if not isinstance(value, str):
        raise comparison.wrong("text")
    words = _WORDS.get(comparison.field)
    if words and comparison.operator in ("eq", "in") and value not in words:
        raise comparison.wrong(f"one of {', '.join(words)}")
    return quote(check_text(value, f"filters: {comparison.field}"))


def _double(comparison: _Comparison, value: object) -> str:
    return repr(float(_numeral(comparison, value)))


def _numeral(comparison: _Comparison, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise comparison.wrong("a number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise comparison.wrong("a number of at most 64 bits")
    return value


def _instant(comparison: _Comparison, value: object) -> str:
    if not isinstance(value, str | datetime):
        raise comparison.wrong("a time such as 2026-01-31T12:00:00Z")
    moment = parse_time(value, f"filters: {comparison.field}")
    return f"timestamp '{moment.isoformat(timespec='microseconds')}'"


def _list(comparison: _Comparison) -> str:
    field, value = comparison.field, comparison.value
    if comparison.operator == "icontains":
        # The separator keeps a match from reaching across two elements.
        joined = f"lower(array_to_string({field}, '\x1f'))"
        return f"({_is_filled(field)} AND contains({joined}, lower({_word(comparison, value)})))"
    values = comparison.values if comparison.operator == "in" else [value]
    literals = ", ".join(_word(comparison, each) for each in values)
    return f"array_has_any({field}, [{literals}])" if literals else "false"


def _relation(comparison: _Comparison) -> str:
    value, parts = comparison.value, ("source", "relation", "target")
    if not isinstance(value, Mapping) or set(value) != set(parts):
        raise comparison.wrong("{source, relation, target}")
    struct = ", ".join(f"'{part}', {_word(comparison, value[part])}" for part in parts)
    return f"array_has({comparison.field}, named_struct({struct}))"


def _metadata(comparison: _Comparison) -> str:
    field, operator, value = comparison.field, comparison.operator, comparison.value
    if operator == "in":
        return _metadata_in(comparison)
    if operator in ("contains", "icontains"):
        return _metadata_contains(comparison)
    if operator == "eq" and isinstance(value, bool | str):
        return f"{_extract(field)} = {quote(_json(value))}"
    if isinstance(value, str):
        return f"{_words(field)} {_SYMBOLS[operator]} {quote(_checked(value))}"
    if isinstance(value, bool):
        raise comparison.wrong("a number or a text")
    numeral, symbol = _numeral(comparison, value), _SYMBOLS[operator]
    number = f"try_cast({_extract(field)} AS double) {symbol} {float(numeral)!r}"
    if isinstance(numeral, float):
        return number
    # Whole numbers first: floats cannot tell large ones apart.
    return f"coalesce(try_cast({_extract(field)} AS bigint) {symbol} {numeral}, {number})"


def _metadata_in(comparison: _Comparison) -> str:
    literals, numbers = [], []
    for value in comparison.values:
        if isinstance(value, bool | str):
            literals.append(quote(_json(value)))
        elif abs(_numeral(comparison, value)) >= 2**53 and isinstance(value, int):
            literals.append(quote(str(value)))
        else:
            numbers.append(repr(float(value)))
    column = _extract(comparison.field)
    tests = [_one_of(column, literals), _one_of(f"try_cast({column} AS double)", numbers)]
    return _join([test for test in tests if test != "false"], "OR")


def _metadata_contains(comparison: _Comparison) -> str:
    field, value = comparison.field, comparison.value
    if comparison.operator == "icontains":
        if not isinstance(value, str):
            raise comparison.wrong("text")
        return f"contains(lower({_words(field)}), lower({quote(_checked(value))}))"
    if not isinstance(value, str | int | float):
        raise comparison.wrong("a text, a number, true or false")
    element = f"json_array_contains(metadata, {_path(field)}, {quote(_json(value))})"
    if not isinstance(value, str):
        return f"({element} OR false)"
    return f"({element} OR contains({_words(field)}, {quote(_checked(value))}))"


def _words(field: str) -> str:
    """Return SQL for the text under a metadata key; null where the value is no text."""
    key = quote(field.removeprefix(METADATA))
    is_text = f"starts_with({_extract(field)}, '\"')"
    # LanceDB takes CASE only as an argument of a function.
    return f"coalesce(CASE WHEN {is_text} THEN json_get_string(metadata, {key}) END, NULL)"


def _extract(field: str) -> str:
    # json_extract returns JSON text. Unlike json_get_int and the like it does not fail on rows
    # whose value is of another type.
    return f"json_extract(metadata, {_path(field)})"


def _path(field: str) -> str:
    return quote("$." + _json(field.removeprefix(METADATA)))


def _json(value: object) -> str:
    return json.dumps(_checked(value) if isinstance(value, str) else value, ensure_ascii=False)


def _checked(text: str) -> str:
    return check_text(text, "filters: metadata")


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


_COMPILERS: Mapping[str, Callable[[_Comparison], str]] = {
    "text": _text,
    # As floats: a column of whole numbers cannot be compared with other numbers.
    "number": lambda each: _compare(each, f"CAST({each.field} AS double)", _double),
    "time": lambda each: _compare(each, each.field, _instant),
    "list": _list,
    "relations": _relation,
    "metadata": _metadata,
}
