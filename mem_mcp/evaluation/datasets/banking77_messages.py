"""Banking77's files: messages of customers, and what each wants."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import read

_COLUMNS = ["text", "category"]


class Message(NamedTuple):
    """One line of a file."""

    key: str
    text: str
    intent: str


def read_messages(path: Path) -> list[Message]:
    """Read a file whole; what cannot be a full row of it is refused rather than guessed at.

    Args:
        path: with the columns text and category.

    Raises:
        InvalidInput: it is missing, cut off, of another format, or empty.
    """
    try:
        content = read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("data", f"{path} is not UTF-8 text") from error
    rows = csv.reader(StringIO(content, newline=""), strict=True)
    found = []
    try:
        if next(rows, None) != _COLUMNS:
            raise InvalidInput("data", f"{path} does not begin with the line text,category")
        for row in rows:
            if len(row) != len(_COLUMNS) or not all(map(str.strip, row)):
                raise InvalidInput(
                    "data", f"{path} has no text and category in line {rows.line_num}"
                )
            found.append(Message(f"{path.name} line {rows.line_num}", *row))
    except csv.Error as error:
        where = f"line {rows.line_num}: {error}"
        raise InvalidInput("data", f"{path} is not CSV, or is cut off ({where})") from error
    if not content.endswith("\n"):
        raise InvalidInput("data", f"{path} is cut off: its last line does not end")
    if not found:
        raise InvalidInput("data", f"{path} holds no message")
    return found
