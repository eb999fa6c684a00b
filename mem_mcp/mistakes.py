"""What is wrong with a setting, in one line: its name, what was written, and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

_LONGEST = 80
_UNTOLD = "auth."
_KEYS = ("api_key", "apikey", "key", "token")

_KEY_HINT = "a key belongs in the provider's own variable, such as OPENAI_API_KEY"

_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string": "text; write it in quotes",
    "list": "a list of names",
    "dict": "names and their values",
    "model": "a section; write its settings below it, indented",
}
"""By the first word of pydantic's name for a value of the wrong type."""
_OF_TYPE = ("type", "parsing", "float", "number", "size")
"""The last word of such a name."""


def explain(error: ValidationError, known: Collection[str]) -> str:
    """Say what is wrong first.

    Args:
        error: what the settings raised.
        known: every setting there is, as `section.name`.
    """
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if first["type"] == "extra_forbidden":
        message = _no_such(name, known)
    elif first["type"] == "string_pattern_mismatch":
        wanted = "an http:// or https:// address" if name.endswith("api_base") else "one name"
        message = f"{first['input']!r} is not {wanted}, without spaces"
    elif wanted := _wanted(first["type"]):
        message = f"must be {wanted}" if name.startswith(_UNTOLD) else _not(first["input"], wanted)
    elif first["type"] == "literal_error":
        message = f"{first['input']!r} is not one of {first['ctx']['expected']}".replace(
            " or ", ", "
        )
    return f"{name}: {message}"


def unknown_variable(name: str, known: Collection[str]) -> str:
    """Say that no setting has this variable, and which may be meant."""
    last = name.rpartition("__")[2]
    hint = _KEY_HINT if last.lower() in _KEYS else nearest(name, known)
    return f"{name}: no such setting; {hint or 'allowed: ' + ', '.join(sorted(known))}"


def nearest(name: str, known: Collection[str]) -> str:
    """Ask whether the known name most like another one was meant; empty where none is like it."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else ""


def _no_such(name: str, known: Collection[str]) -> str:
    section, _, last = name.rpartition(".")
    if name in known:
        return f"no setting of that form; write {last} below {section}:, indented"
    if last.lower() in _KEYS:
        return f"no such setting; {_KEY_HINT}"
    level = [other for other in known if other.startswith(f"{section}.")] if section else known
    hint = nearest(name, level) or nearest(name, known)
    return " ".join(("no such setting;", *filter(None, [hint]), f"allowed: {', '.join(level)}"))


def _wanted(kind: str) -> str:
    first, _, rest = kind.partition("_")
    return _WANTED.get(first, "") if rest.rpartition("_")[2] in _OF_TYPE else ""


def _not(given: Any, wanted: str) -> str:  # noqa: ANN401 - whatever was written
    if given is None:
        return f"nothing is written, and it must be {wanted}; leave the line out for the default"
    shown = repr(given)
    return f"{shown if len(shown) <= _LONGEST else shown[:_LONGEST] + '…'} is not {wanted}"
