"""Take secrets and hidden characters out of what a caller gives, and say so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from mem_mcp.errors import InvalidInput
from mem_mcp.intake.hidden_characters import cleaned
from mem_mcp.intake.secret_masks import masked

Secrets = Literal["mask", "refuse", "off"]
A = TypeVar("A")

_OPAQUE = frozenset(
    {"user_id", "agent_id", "run_id", "memory_id", "memory_ids", "version_id", "recall_id",
     "used_memory_ids", "used", "idempotency_key", "request_key", "content_hash", "owner",
     "embedder", "cursor", "filters"}
)  # fmt: skip
"""Ids, which name what is there and would name nothing otherwise, and what only finds."""
_SHORTEST = 12
"""Characters from which on a text may have a secret of a known form."""
_LONG = 50_000
"""Characters of a request whose reading takes some 20 ms, and with them others' turn."""


def take_in(request: A, secrets: Secrets) -> tuple[A, list[str]]:
    """Return a request without hidden characters and secrets in its texts.

    Args:
        request: the arguments of an operation, a dataclass.
        secrets: what is done with secrets.

    Returns:
        The request, and a sentence for `degraded` about each argument that had some.

    Raises:
        InvalidInput: an argument has a secret, and secrets are refused; or only hidden characters.
    """
    given = {field.name: getattr(request, field.name) for field in fields(request)}  # type: ignore[arg-type]
    changed, notes = take_in_fields(given, secrets)
    # Most requests have neither: theirs are not made anew.
    return (replace(request, **changed), notes) if notes else (request, [])  # type: ignore[type-var]


async def taken_in(request: A, secrets: Secrets) -> tuple[A, list[str]]:
    """Do as `take_in` does; a long request in a thread, so that others are served meanwhile."""
    names = [field.name for field in fields(request) if field.name not in _OPAQUE]  # type: ignore[arg-type]
    if _length([getattr(request, name) for name in names]) < _LONG:
        return take_in(request, secrets)
    return await asyncio.to_thread(take_in, request, secrets)


def take_in_fields(given: Mapping[str, Any], secrets: Secrets) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of a JSON object likewise; see `take_in`."""
    changed, notes = dict(given), []
    for name, value in given.items():
        if name in _OPAQUE or isinstance(value, bool | int | float | None):
            continue
        taking = _Taking(name, secrets)
        taken = taking.value(value)
        if taken == "" and value:
            raise InvalidInput(name, "holds only characters that nobody sees; say something in it")
        if found := taking.notes():
            changed[name] = taken
            notes += found
    return changed, notes


class _Taking:
    """What is taken out of one argument."""

    def __init__(self, argument: str, secrets: Secrets) -> None:
        self._argument = argument
        self._secrets = secrets
        self._hidden = 0
        self._kinds: Counter[str] = Counter()

    def value(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a value without what is taken out of its texts."""
        match value:
            case str():
                return self._text(value)
            case Mapping() if _is_picture(value):
                return value
            case Mapping():
                return {
                    self._text(key) if isinstance(key, str) else key: part
                    if key in _OPAQUE and self._argument in ("items", "feedback", "trace")
                    else self.value(part)
                    for key, part in value.items()
                }
            case list() | tuple():
                taken = [(self.value(part), part) for part in value]
                return [part for part, given in taken if part != "" or given == ""]
            case BaseModel():
                return value.model_copy(update=self.value(dict(value)))
        return value

    def notes(self) -> list[str]:
        """Return sentences about what was taken out."""
        notes = []
        if count := self._kinds.total():
            named = ", ".join(f"{kind} ×{n}" if n > 1 else kind for kind, n in self._kinds.items())  # noqa: RUF001
            what = "a secret was" if count == 1 else f"{count} secrets were"
            notes.append(f"{self._argument}: {what} masked ({named}); a memory keeps none")
        if count := self._hidden:
            what = "character was" if count == 1 else "characters were"
            notes.append(f"{self._argument}: {count:,} hidden or control {what} taken out")
        return notes

    def _text(self, text: str) -> str:
        text, count = cleaned(text)
        self._hidden += count
        if self._secrets == "off" or len(text) < _SHORTEST:
            return text
        text, kinds = masked(text)
        if kinds and self._secrets == "refuse":
            raise InvalidInput(
                self._argument,
                f"holds a secret ({kinds[0]}), and the setting secrets refuses them; leave it out, "
                "or say where it is kept",
            )
        self._kinds.update(kinds)
        return text


def _length(value: Any) -> int:  # noqa: ANN401 - JSON
    """Return how many characters of text a value has."""
    waiting, length = [value], 0
    while waiting:
        match waiting.pop():
            case str(text):
                length += len(text)
            case Mapping() as some:
                waiting.extend(some.values())
            case list() | tuple() as some:
                waiting.extend(some)
    return length


def _is_picture(part: Mapping[Any, Any]) -> bool:
    """Whether a part of a message is a picture, whose data and address stay as they are."""
    return part.get("type") in ("image", "image_url")
