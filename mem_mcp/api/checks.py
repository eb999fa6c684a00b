"""What callers gave, checked and made into the types that operations work with."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from mem_mcp.api import words
from mem_mcp.api.models import Relation, Scope
from mem_mcp.api.words import Synonyms, word
from mem_mcp.errors import InvalidInput, quoted
from mem_mcp.text import check_text
from mem_mcp.times import Day, is_day, parse_time

MAX_LIMIT = 200
MAX_COUNT = 2**31 - 1
MAX_ITEMS = 100
MAX_NAME = 512
MAX_METADATA = 100_000
MAX_NESTING = 20
_TIMES = ("occurred_at", "valid_until", "recorded_at", "superseded_at", "expires_at")
# Characters of a refused value that are shown back.
_LONGEST_SHOWN = 80
_quoted = partial(quoted, longest=_LONGEST_SHOWN)
_Word = TypeVar("_Word", bound=str)


def scope(default_user: str, user_id: str, agent_id: str, run_id: str) -> Scope:
    """Name whose memory a call is about; an empty user is `default_user`."""
    return Scope(
        user_id=name(user_id, "user_id") or default_user,
        agent_id=name(agent_id, "agent_id"),
        run_id=name(run_id, "run_id"),
    )


def name(value: object, argument: str) -> str | None:
    """Check an opaque id or a short name; empty is absent."""
    if value is None or value == "":
        return None
    return check_text(value, argument, MAX_NAME)


def required_text(value: object, argument: str, limit: int | None) -> str:
    """Check a text that must say something."""
    text = check_text(value, argument, limit)
    if not text.strip():
        raise InvalidInput(argument, "is empty; say what it is about")
    return text


def words_of(
    values: object, argument: str, allowed: Iterable[_Word], synonyms: Synonyms | None = None
) -> list[_Word]:
    """Check a list of words against those allowed, or their synonyms."""
    given = names(values, argument)
    return list(dict.fromkeys(word(value, argument, tuple(allowed), synonyms) for value in given))


def literal(kind: object) -> tuple[str, ...]:
    """Return the words of a Literal type."""
    return get_args(kind)


def listed(values: object, argument: str, most: int, kind: str = "texts") -> Sequence[Any]:
    """Check a list; a single text or object is a list of one, and it may come as JSON text.

    Args:
        values: what was given.
        argument: what to name in an error.
        most: entries that are allowed.
        kind: what they are, for an error.
    """
    values = words.items(values)
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise InvalidInput(argument, f"must be a list of {kind}, not {_quoted(values)}")
    if len(values) > most:
        raise InvalidInput(argument, f"has {len(values):,} entries; at most {most:,} are allowed")
    return values


def names(values: object, argument: str, most: int = MAX_ITEMS) -> list[str]:
    """Check a list of short names; repeated ones count once."""
    if values is None:
        return []
    checked = [required_text(value, argument, MAX_NAME) for value in listed(values, argument, most)]
    return list(dict.fromkeys(checked))


def object_of(given: object, argument: str) -> Mapping[str, Any]:
    """Check a JSON object; it may come as JSON text."""
    value = words.fields(given)
    if isinstance(value, str) and value.lstrip().startswith("{"):
        raise InvalidInput(argument, f"is not JSON: {_quoted(value)}")
    if not isinstance(value, Mapping):
        raise InvalidInput(argument, f"must be an object of key: value, not {_quoted(value)}")
    return value


def filters(given: object, argument: str, zone: tzinfo, depth: int = 0) -> dict[str, Any]:
    """Check the outer form of filters, and read their times; the store checks the rest.

    Args:
        given: an object, or its JSON.
        argument: what to name in an error.
        zone: of times that name no zone. A date alone is its first moment for gte and lt, its last
            for gt and lte, and the whole day where it is the value itself.
        depth: of these filters in others; below MAX_NESTING they stay as they are.
    """
    conditions = object_of(given, argument)
    if depth > MAX_NESTING:
        return dict(conditions)

    def inner(value: object) -> object:
        is_filters = isinstance(value, Mapping)
        return filters(value, argument, zone, depth + 1) if is_filters else value

    return {
        name: [inner(one) for one in value]
        if name in ("AND", "OR") and isinstance(value, list | tuple)
        else inner(value)
        if name == "NOT"
        else _condition(name, value, zone)
        for name, value in conditions.items()
    }


def _condition(name: str, value: Any, zone: tzinfo) -> Any:  # noqa: ANN401 - JSON
    if name not in _TIMES:
        return value
    if isinstance(value, Mapping):
        return {
            operator: _time(bound, zone, "end" if operator in ("gt", "lte") else "start")
            for operator, bound in value.items()
        }
    if is_day(value):
        return {"gte": _time(value, zone, "start"), "lte": _time(value, zone, "end")}
    return _time(value, zone, "start")


def _time(value: object, zone: tzinfo, day: Day) -> object:
    """Return the moment that a value names; what names none is refused with the whole filter."""
    try:
        return parse_time(value, "filters", zone, day)
    except InvalidInput:
        return value


def relations(given: object, argument: str = "relations") -> list[Relation]:
    """Check a list of {source, relation, target}."""
    if given is None:
        return []
    values = listed(given, argument, MAX_ITEMS, "{source, relation, target}")
    try:
        checked = [Relation.model_validate(value, strict=True) for value in values]
    except ValidationError as error:
        raise InvalidInput(argument, "each is {source, relation, target}, all texts") from error
    for relation in checked:
        for field, text in relation.model_dump().items():
            required_text(text, f"{argument}.{field}", MAX_NAME)
    return checked


def metadata(given: object, argument: str = "metadata") -> dict[str, Any]:
    """Check a caller's own fields: JSON that can be stored and read back unchanged."""
    if given is None:
        return {}
    value = object_of(given, argument)
    for key in value:
        required_text(key, argument, MAX_NAME)
    _check_json(value, argument, depth=0)
    if len(json.dumps(value, ensure_ascii=False)) > MAX_METADATA:
        raise InvalidInput(argument, f"at most {MAX_METADATA:,} characters of JSON are allowed")
    return dict(value)


def whole(value: object, argument: str, least: int = 0, most: int = MAX_COUNT) -> int:
    """Check a whole number in a range; it may come as text."""
    number = words.whole(value)
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise InvalidInput(
            argument, f"must be a whole number in {least}..{most}, not {_quoted(value)}"
        )
    return number


def fraction(value: object, argument: str) -> float:
    """Check a number in 0..1; it may come as text."""
    number = words.number(value)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= 1:
        raise InvalidInput(argument, f"must be a number in 0..1, not {_quoted(value)}")
    return float(number)


def count(value: object, argument: str) -> int:
    """Check a whole number that is not negative."""
    return whole(value, argument)


def _check_number(value: float, argument: str) -> None:
    fits = -(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value)
    if not fits:
        raise InvalidInput(argument, f"{value} is no number of 64 bits; store it as text")


def _check_json(value: object, argument: str, depth: int) -> None:
    if depth > MAX_NESTING:
        raise InvalidInput(argument, f"is nested deeper than {MAX_NESTING}")
    match value:
        case None | bool():
            return
        case str():
            check_text(value, argument)
        case int() | float():
            _check_number(value, argument)
        case Mapping():
            for key, part in value.items():
                check_text(key, argument)
                _check_json(part, argument, depth + 1)
        case list() | tuple():
            for part in value:
                _check_json(part, argument, depth + 1)
        case _:
            raise InvalidInput(argument, f"a {type(value).__name__} cannot be stored as JSON")
