"""Callers' arguments: checked, and made into the types the verbs work with."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from mem_mcp.api.models import Relation, Scope
from mem_mcp.errors import InvalidInput
from mem_mcp.text import check_text
from mem_mcp.times import optional_time

MAX_LIMIT = 200
MAX_COUNT = 2**31 - 1
MAX_ITEMS = 100
MAX_NAME = 512
MAX_METADATA = 100_000
MAX_NESTING = 20
Time = str | datetime | None
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


def required_text(value: object, argument: str, limit: int) -> str:
    """Check a text that must say something."""
    text = check_text(value, argument, limit)
    if not text.strip():
        raise InvalidInput(argument, "is empty; say what it is about")
    return text


def one_of(value: str, argument: str, words: Iterable[_Word]) -> _Word:
    """Check a word against those allowed."""
    allowed = tuple(words)
    for word in allowed:
        if word == value:
            return word
    raise InvalidInput(argument, f"{value!r} is not one of {', '.join(allowed)}")


def words_of(values: Sequence[str] | None, argument: str, words: Iterable[_Word]) -> list[_Word]:
    """Check a list of words against those allowed."""
    allowed = tuple(words)
    return [one_of(value, argument, allowed) for value in names(values, argument)]


def literal(kind: object) -> tuple[str, ...]:
    """Return the words of a Literal type."""
    return get_args(kind)


def names(values: Sequence[str] | None, argument: str) -> list[str]:
    """Check a list of short names; repeated ones count once."""
    if values is None:
        return []
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvalidInput(argument, "must be a list of texts")
    if len(values) > MAX_ITEMS:
        raise InvalidInput(argument, f"has {len(values)} entries; at most {MAX_ITEMS} are allowed")
    checked = [required_text(value, argument, MAX_NAME) for value in values]
    return list(dict.fromkeys(checked))


def relations(values: Sequence[Mapping[str, str] | Relation] | None) -> list[Relation]:
    """Check a list of {source, relation, target}."""
    if values is None:
        return []
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) > MAX_ITEMS:
        raise InvalidInput("relations", f"must be a list of at most {MAX_ITEMS}")
    try:
        checked = [Relation.model_validate(value, strict=True) for value in values]
    except ValidationError as error:
        raise InvalidInput("relations", "each is {source, relation, target}, all texts") from error
    for relation in checked:
        for field, text in relation.model_dump().items():
            required_text(text, f"relations.{field}", MAX_NAME)
    return checked


def metadata(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check a caller's own fields: JSON that can be stored and read back unchanged."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput("metadata", "must be an object of key: value")
    for key in value:
        required_text(key, "metadata", MAX_NAME)
    _check_json(value, "metadata", depth=0)
    if len(json.dumps(value, ensure_ascii=False)) > MAX_METADATA:
        raise InvalidInput("metadata", f"at most {MAX_METADATA:,} characters of JSON are allowed")
    return dict(value)


def limit(value: int) -> int:
    """Check how many results are wanted."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_LIMIT:
        raise InvalidInput("limit", f"must be a whole number in 1..{MAX_LIMIT}, not {value!r}")
    return value


def fraction(value: float, argument: str) -> float:
    """Check a number in 0..1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(argument, f"must be a number in 0..1, not {value!r}")
    return float(value)


def count(value: int, argument: str) -> int:
    """Check a whole number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        raise InvalidInput(argument, f"must be a whole number in 0..{MAX_COUNT}, not {value!r}")
    return value


def window(since: Time, until: Time) -> tuple[datetime | None, datetime | None]:
    """Check the bounds of a period; either may be absent."""
    start, end = optional_time(since, "since"), optional_time(until, "until")
    if start and end and start > end:
        raise InvalidInput("since", f"{start.isoformat()} is after until, {end.isoformat()}")
    return start, end


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
