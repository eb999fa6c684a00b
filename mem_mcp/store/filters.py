"""The filter language: nested conditions compiled to one LanceDB prefilter.

    {"task_type": "sql_debug", "metadata.team": {"in": ["a", "b"]}, "NOT": {"tags": "x"}}

A field without a value matches no comparison, and every negated one: `ne`, `nin` and NOT are exact
complements of `eq`, `in` and their condition.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from mem_mcp.api import models
from mem_mcp.errors import InvalidInput
from mem_mcp.text import check_text
from mem_mcp.times import parse_time

MAX_DEPTH = 10
# What operations wrap around a caller's conditions.
_OWN_DEPTH = 5
MAX_VALUES = 10_000
_SHOWN = 80
METADATA = "metadata."

OPERATORS = (
    "eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "contains", "icontains", "exists",
)  # fmt: skip
_SYMBOLS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
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
    "version": "number",
    "position": "number",
    "confidence": "number",
    "tags": "list",
    "entities": "list",
    "used": "list",
    "evidence": "list",
    "relations": "relations",
    "metadata": "any",
    "occurred_at": "time",
    "valid_until": "time",
    "recorded_at": "time",
    "superseded_at": "time",
    "expires_at": "time",
}
_WORDS = {
    "kind": get_args(models.Kind),
    "event": ("ADD", "UPDATE", "DELETE"),
    "status": get_args(models.Status),
    "outcome_type": get_args(models.Outcome),
    "severity": get_args(models.Severity),
}
FIELDS = {name: _KINDS.get(name, "text") for name in models.Memory.model_fields if name != "source"}
Filters = Mapping[str, Any]


def compile_filters(filters: Filters) -> str:
    """Compile conditions, all of which must hold, to the text of a prefilter.

    Args:
        filters: field to value or to {operator: value}, and AND / OR (lists) and NOT (one).

    Raises:
        InvalidInput: an unknown field or operator, a value of the wrong type, or too deep.
    """
    return _all(filters, MAX_DEPTH + _OWN_DEPTH, negated=False)


def check_filters(filters: Filters) -> None:
    """Refuse a caller's conditions that do not compile or are nested more than MAX_DEPTH deep.

    Raises:
        InvalidInput: as `compile_filters`.
    """
    _all(filters, MAX_DEPTH, negated=False)


def fields_of(filters: Filters) -> set[str]:
    """Name the fields that valid conditions ask about, at any depth."""
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
    """Write a text as an SQL literal; a doubled quote is the only escape that LanceDB knows."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class _Condition:
    field: str
    operator: str
    value: Any

    def wrong(self, expected: str) -> InvalidInput:
        return InvalidInput(
            "filters", f"{self.field} {self.operator} takes {expected}, not {_show(self.value)}"
        )


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
    if not isinstance(value, Mapping):
        return _condition(_Condition(key, "eq", value), negated=negated)
    if not value:
        raise InvalidInput("filters", f"{key} has no condition; operators: {', '.join(OPERATORS)}")
    parts = [
        _condition(_Condition(key, str(operator), operand), negated=negated)
        for operator, operand in value.items()
    ]
    return _join(parts, "OR" if negated else "AND")


def _join(parts: Iterable[str], word: str) -> str:
    present = list(parts)
    if not present:
        return "true" if word == "AND" else "false"
    return present[0] if len(present) == 1 else "(" + f" {word} ".join(present) + ")"


def _condition(condition: _Condition, *, negated: bool) -> str:
    kind = _kind(condition.field)
    if condition.operator not in _ALLOWED[kind]:
        raise InvalidInput(
            "filters",
            f"{condition.field} has no operator {condition.operator!r}; allowed: "
            + ", ".join(name for name in OPERATORS if name in _ALLOWED[kind]),
        )
    if condition.value is None:
        raise condition.wrong("a value (for a field that is not there use {'exists': false})")
    if condition.operator in ("ne", "nin"):
        positive = {"ne": "eq", "nin": "in"}[condition.operator]
        condition = _Condition(condition.field, positive, condition.value)
        negated = not negated
    if condition.operator == "exists":
        return _exists(condition, kind, negated=negated)
    return _missing_or_not(condition, kind) if negated else _COMPILERS[kind](condition)


def _kind(field: str) -> str:
    if field.startswith(METADATA) and len(field) > len(METADATA):
        return "metadata"
    if field not in FIELDS:
        raise InvalidInput(
            "filters",
            f"no field {field!r}; allowed: {', '.join(FIELDS)}, metadata.<key>, AND, OR, NOT",
        )
    return FIELDS[field]


def _missing_or_not(condition: _Condition, kind: str) -> str:
    test = _COMPILERS[kind](condition)
    if kind in ("list", "relations"):  # stored as an empty list, never as null
        return f"NOT {test}"
    if kind == "metadata":  # null also where the value is of another type
        return f"NOT coalesce({test}, false)"
    return f"({condition.field} IS NULL OR NOT {test})"


def _exists(condition: _Condition, kind: str, *, negated: bool) -> str:
    if not isinstance(condition.value, bool):
        raise condition.wrong("true or false")
    wanted = condition.value is not negated
    if kind in ("list", "relations"):
        return _is_filled(condition.field) if wanted else f"NOT {_is_filled(condition.field)}"
    if kind == "any":
        return f"json_extract(metadata, '$') {'!=' if wanted else '='} '{{}}'"
    column = _extract(condition.field) if kind == "metadata" else condition.field
    return f"{column} IS {'NOT ' if wanted else ''}NULL"


def _is_filled(field: str) -> str:
    return f"(coalesce(array_length({field}), 0) > 0)"


def _text(condition: _Condition) -> str:
    field, operator = condition.field, condition.operator
    if operator == "in":
        return _one_of(field, [_word(condition, value) for value in _values(condition)])
    value = _word(condition, condition.value, check=operator == "eq")
    if operator == "contains":
        return f"contains({field}, {value})"
    if operator == "icontains":
        return f"contains(lower({field}), lower({value}))"
    return f"{field} {_SYMBOLS[operator]} {value}"


def _word(condition: _Condition, value: object, *, check: bool = True) -> str:
    if not isinstance(value, str):
        raise condition.wrong("text")
    words = _WORDS.get(condition.field)
    if check and words and value not in words:
        raise condition.wrong(f"one of {', '.join(words)}")
    return quote(check_text(value, f"filters: {condition.field}"))


def _number(condition: _Condition) -> str:
    # As floats: a whole-number column refuses to be compared with any other kind of number.
    column = f"CAST({condition.field} AS double)"
    if condition.operator == "in":
        numbers = [float(_numeral(condition, value)) for value in _values(condition)]
        return _one_of(column, [repr(number) for number in numbers])
    number = float(_numeral(condition, condition.value))
    return f"{column} {_SYMBOLS[condition.operator]} {number!r}"


def _numeral(condition: _Condition, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise condition.wrong("a number")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise condition.wrong("a number of at most 64 bits")
    return value


def _time(condition: _Condition) -> str:
    if condition.operator == "in":
        return _one_of(condition.field, [_instant(condition, v) for v in _values(condition)])
    moment = _instant(condition, condition.value)
    return f"{condition.field} {_SYMBOLS[condition.operator]} {moment}"


def _instant(condition: _Condition, value: object) -> str:
    if not isinstance(value, str | datetime):
        raise condition.wrong("a time such as 2026-01-31T12:00:00Z")
    moment = parse_time(value, f"filters: {condition.field}")
    return f"timestamp '{moment.isoformat(timespec='microseconds')}'"


def _list(condition: _Condition) -> str:
    if condition.operator == "icontains":
        # A separator keeps a match from reaching across two elements.
        joined = f"lower(array_to_string({condition.field}, '\x1f'))"
        part = f"contains({joined}, lower({_word(condition, condition.value)}))"
        return f"({_is_filled(condition.field)} AND {part})"
    values = _values(condition) if condition.operator == "in" else [condition.value]
    literals = ", ".join(_word(condition, value) for value in values)
    return f"array_has_any({condition.field}, [{literals}])" if literals else "false"


def _relation(condition: _Condition) -> str:
    value = condition.value
    parts = ("source", "relation", "target")
    if not isinstance(value, Mapping) or set(value) != set(parts):
        raise condition.wrong("{source, relation, target}")
    struct = ", ".join(f"'{part}', {_word(condition, value[part])}" for part in parts)
    return f"array_has({condition.field}, named_struct({struct}))"


def _metadata(condition: _Condition) -> str:
    operator, value = condition.operator, condition.value
    if operator == "in":
        return _metadata_in(condition)
    if operator == "contains":
        return f"({_metadata_element(condition)} OR {_metadata_part(condition)})"
    if operator == "icontains":
        return _metadata_part(condition)
    if operator == "eq" and isinstance(value, bool | str):
        return f"{_extract(condition.field)} = {quote(_json(value))}"
    if isinstance(value, str):
        return f"{_words(condition.field)} {_SYMBOLS[operator]} {quote(_checked(value))}"
    if isinstance(value, bool):
        raise condition.wrong("a number or a text")
    return _metadata_number(condition, _numeral(condition, value))


def _metadata_number(condition: _Condition, value: float) -> str:
    symbol = _SYMBOLS[condition.operator]
    number = f"try_cast({_extract(condition.field)} AS double) {symbol} {float(value)!r}"
    if isinstance(value, float):
        return number
    # Whole numbers first: floats cannot tell large ones apart.
    whole = f"try_cast({_extract(condition.field)} AS bigint) {symbol} {value}"
    return f"coalesce({whole}, {number})"


def _metadata_in(condition: _Condition) -> str:
    literals, numbers = [], []
    for value in _values(condition):
        if isinstance(value, bool | str):
            literals.append(quote(_json(value)))
        elif abs(_numeral(condition, value)) >= 2**53 and isinstance(value, int):
            literals.append(quote(str(value)))
        else:
            numbers.append(repr(float(value)))
    number = f"try_cast({_extract(condition.field)} AS double)"
    tests = [_one_of(_extract(condition.field), literals), _one_of(number, numbers)]
    return _join([test for test in tests if test != "false"], "OR")


def _metadata_element(condition: _Condition) -> str:
    if not isinstance(condition.value, str | int | float):
        raise condition.wrong("a text, a number, true or false")
    element = quote(_json(condition.value))
    return f"json_array_contains(metadata, {_path(condition.field)}, {element})"


def _metadata_part(condition: _Condition) -> str:
    if not isinstance(condition.value, str):
        if condition.operator == "contains":
            return "false"
        raise condition.wrong("text")
    part, whole = quote(_checked(condition.value)), _words(condition.field)
    if condition.operator == "icontains":
        part, whole = f"lower({part})", f"lower({whole})"
    return f"contains({whole}, {part})"


def _words(field: str) -> str:
    """Return the text under a metadata key, null where the value is no text."""
    key = quote(field.removeprefix(METADATA))
    is_text = f"starts_with({_extract(field)}, '\"')"
    # LanceDB reads CASE only as an argument of a function.
    return f"coalesce(CASE WHEN {is_text} THEN json_get_string(metadata, {key}) END, NULL)"


def _extract(field: str) -> str:
    # json_extract gives JSON text: unlike json_get_int and its kin it does not fail on rows whose
    # value is of another type.
    return f"json_extract(metadata, {_path(field)})"


def _path(field: str) -> str:
    return quote("$." + _json(field.removeprefix(METADATA)))


def _json(value: object) -> str:
    return json.dumps(_checked(value) if isinstance(value, str) else value, ensure_ascii=False)


def _checked(text: str) -> str:
    return check_text(text, "filters: metadata")


def _values(condition: _Condition) -> list[Any]:
    if not isinstance(condition.value, list | tuple):
        raise condition.wrong("a list")
    if len(condition.value) > MAX_VALUES:
        raise InvalidInput("filters", f"{condition.field}: at most {MAX_VALUES} values")
    if any(value is None for value in condition.value):
        raise condition.wrong("a list without nulls")
    return list(condition.value)


def _one_of(field: str, literals: list[str]) -> str:
    return f"{field} IN ({', '.join(literals)})" if literals else "false"


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


_COMPILERS: Mapping[str, Callable[[_Condition], str]] = {
    "text": _text,
    "number": _number,
    "time": _time,
    "list": _list,
    "relations": _relation,
    "metadata": _metadata,
}
