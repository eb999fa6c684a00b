"""Read the fields of an answer leniently: keep what can be stored. Nothing here raises."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mem_mcp.api.models import Relation
from mem_mcp.errors import InvalidInput
from mem_mcp.extraction.secrets import secrets
from mem_mcp.prompts.extract import Edge, Operation
from mem_mcp.text import check_text
from mem_mcp.times import parse_time

_MAX_REASON = 500
_SHOWN = 60
_EVER = datetime.min.replace(tzinfo=UTC)
_PERIOD = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?")


def text_of(value: str | None, most: int) -> str | None:
    """Return the trimmed text; None if it is empty, longer than `most`, or cannot be stored."""
    try:
        found = check_text((value or "").strip(), "", most)
    except InvalidInput:
        return None
    return found or None


def fraction_of(value: float | None) -> float | None:
    """Return a number in 0..1, or None."""
    return float(value) if value is not None and 0 <= value <= 1 else None


def moment_of(value: str, *, dated: bool) -> datetime | None:
    """Return a point in time, in UTC, or None.

    Args:
        value: ISO 8601; a year or a month means its first day.
        dated: whether the quoted message has a time. Without one a model cannot know the day. It
            never knows the time zone: a time without one counts as its date if dated, else not.
    """
    text = value.strip()
    if period := _PERIOD.fullmatch(text):
        text = f"{period[1]}-{period[2] or '01'}-01"
    try:
        found = datetime.fromisoformat(text)
        if found.utcoffset() is not None:
            return parse_time(found, "")
    except (ValueError, InvalidInput):
        return None
    if not dated:
        return None
    return datetime(found.year, found.month, found.day, tzinfo=UTC)


def names_of(values: Sequence[str], most: int, most_characters: int) -> list[str]:
    """Return the names that can be stored, each once, at most `most`."""
    found = [text_of(value, most_characters) for value in values]
    return list(dict.fromkeys(name for name in found if name))[:most]


def relations_of(edges: Sequence[Edge], most: int, most_characters: int) -> list[Relation]:
    """Return the relations whose three parts can be stored, at most `most`."""
    found = []
    for edge in edges:
        source, relation, target = (
            text_of(part, most_characters) for part in (edge.source, edge.relation, edge.target)
        )
        if source and relation and target:
            found.append(Relation(source=source, relation=relation, target=target))
    return found[:most]


def details(
    operation: Operation, *, dated: bool, most: int, most_characters: int
) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of an operation beside its text, and which of them cannot be used.

    Args:
        operation: of an answer.
        dated: whether the quoted message has a time.
        most: most entries of a list.
        most_characters: longest entry.

    Returns:
        Fields of a memory; times are absent where there are none.
    """
    fields: dict[str, Any] = {
        "tags": names_of(operation.tags, most, most_characters),
        "entities": names_of(operation.entities, most, most_characters),
        "relations": relations_of(operation.relations, most, most_characters),
        "confidence": fraction_of(operation.confidence),
    }
    unused = [
        f"{len(given) - len(fields[name])} of its {name}"
        for name, given in (
            ("tags", {tag.strip() for tag in operation.tags} - {""}),
            ("entities", {entity.strip() for entity in operation.entities} - {""}),
            ("relations", operation.relations),
        )
        if len(given) > len(fields[name])
    ]
    if operation.confidence is not None and fields["confidence"] is None:
        unused.append("its confidence, which is not in 0..1")
    for name, value in (
        ("occurred_at", operation.occurred_at),
        ("valid_until", operation.valid_until),
    ):
        if value and value.strip():
            if (moment := moment_of(value, dated=dated)) is not None:
                fields[name] = moment
            else:
                why = "no date" if moment_of(value, dated=True) is None else "a guess"
                unused.append(f"its {name}, which is {why}")
    if "valid_until" in fields and fields["valid_until"] <= fields.get("occurred_at", _EVER):
        del fields["valid_until"]
        unused.append("its valid_until, which is not after its occurred_at")
    return fields, unused


def reason_of(operation: Operation) -> str | None:
    """Return the reason a model gave for an operation, shortened."""
    return text_of((operation.reason or "")[:_MAX_REASON], _MAX_REASON)


def shortened(text: str) -> str:
    """Return a text for use in a note: in quotes, on one line, short, without secrets."""
    if any(secrets(text)):
        return "(not shown)"
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…")
