"""The common form of all data sets: memories to store, and questions with what answers them.

Each data set has a function that reads it:

    load(path, first, seed)

`path` names the file in its original format; `first` takes only so many conversations, issues,
messages or questions (None: all, or the usual number); `seed` draws samples and orders. It raises
InvalidInput if the file is missing, cut off, of another format, or has nothing to ask about.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mem_mcp.errors import InvalidInput

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RememberCall:
    """One call of `remember`."""

    keys: tuple[str, ...]
    """The data set's own name for each memory that the call makes, in order."""
    arguments: Mapping[str, Any]
    """Arguments of `remember`; user_id is among them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question."""

    name: str
    category: str
    arguments: Mapping[str, Any]
    """Arguments of `recall`: the query, and whose memories or which time it is about."""
    relevant: frozenset[str]
    """Keys of the memories that answer it."""
    among: Sequence[str]
    """Keys of the memories that it may find, the relevant ones included."""
    right: str = ""
    """The right answer; empty where the file does not give it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data file as calls of `remember` and questions."""

    calls: tuple[RememberCall, ...]
    cases: tuple[Case, ...]
    skipped: int = 0
    """Questions that cannot be scored, because the file names nothing that answers them."""

    @property
    def memories(self) -> int:
        """How many memories the calls make."""
        return sum(len(call.keys) for call in self.calls)


def read_text(path: Path) -> str:
    """Read a UTF-8 file without its byte order mark; raises as a data set's `load` does."""
    try:
        return _read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("data", f"{path} is not UTF-8 text") from error


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read a JSON file; raises as a data set's `load` does."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(
            "data", f"{path} is not JSON, or is cut off ({error.msg} at {where})"
        ) from error
    except RecursionError as error:
        raise InvalidInput("data", f"{path} is nested too deep to be a data set") from error


def read_lines(path: Path, row: type[T], key: Callable[[T], str]) -> list[T]:
    """Read JSON Lines, a `row` on each line that is not blank; raises as `load` does.

    No two rows may have the same key.
    """
    rows = []
    for number, line in enumerate(_read(path).split(b"\n"), start=1):
        if line.strip():
            try:
                rows.append(row.model_validate_json(line))
            except ValidationError as error:
                problem = f"is of another format or cut off in line {number} ({first_of(error)})"
                raise InvalidInput("data", f"{path} {problem}") from error
    refuse_twice(path, list(map(key, rows)))
    return rows


def refuse_twice(path: Path, keys: Sequence[str]) -> None:
    """Raise InvalidInput if the keys of a file have one twice."""
    key, count = max(Counter(keys).items(), key=lambda item: item[1], default=("", 0))
    if count > 1:
        raise InvalidInput("data", f"{path} has {key!r} twice")


def first_of(error: ValidationError) -> str:
    """Say where a file first departs from its format, and how."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput("data", f"cannot read {path} ({error.strerror})") from error
