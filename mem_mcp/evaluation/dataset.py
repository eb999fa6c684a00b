"""What every suite makes of its data: memories to store, and questions with what answers them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mem_mcp.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Item:
    """One call of `remember`."""

    keys: tuple[str, ...]
    """The data set's own name for each memory that the call makes, in order."""
    arguments: Mapping[str, Any]
    """Arguments of `remember`; user_id among them."""


@dataclass(frozen=True, slots=True)
class Case:
    """One question."""

    name: str
    category: str
    arguments: Mapping[str, Any]
    """Arguments of `recall`: the query, and whose memories or which time it is about."""
    relevant: frozenset[str]
    """Keys of the memories that answer it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data file as items and cases."""

    items: tuple[Item, ...]
    cases: tuple[Case, ...]
    skipped: int = 0
    """Questions that cannot be scored, because the file names nothing that answers them."""

    @property
    def memories(self) -> int:
        """How many memories the items make."""
        return sum(len(item.keys) for item in self.items)


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read a JSON file.

    Raises:
        InvalidInput: it is missing, cannot be read, or is not (or not all) JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidInput("data", f"cannot read {path} ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InvalidInput("data", f"{path} is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(
            "data", f"{path} is not JSON, or is cut off ({error.msg} at {where})"
        ) from error
    except RecursionError as error:
        raise InvalidInput("data", f"{path} is nested too deep to be a data set") from error
