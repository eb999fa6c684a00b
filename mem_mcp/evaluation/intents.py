"""Banking77: messages of customers, and what each wants; which others want the same?

A seeded sample of the file's messages are the memories, a seeded sample of test.csv beside it the
questions.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.dataset import Case, Dataset, Item, read

MEMORIES = 3_000
QUESTIONS = 1_000
_COLUMNS = ["text", "category"]
_USER = "bank"


class _Message(NamedTuple):
    key: str
    text: str
    intent: str


def load(path: Path, first: int | None = None, seed: int = 0) -> Dataset:
    """Read a file, and test.csv beside it.

    Args:
        path: train.csv, with the columns text and category.
        first: how many questions; None for 1,000.
        seed: of the two samples.

    Raises:
        InvalidInput: a file is missing, cut off, or of another format.
    """
    train, test = _messages(path), _messages(path.with_name("test.csv"))
    pick = random.Random(seed)  # noqa: S311 - a sample, not a secret
    kept = pick.sample(train, min(MEMORIES, len(train)))
    asked = pick.sample(test, min(first or QUESTIONS, len(test)))
    same: dict[str, set[str]] = defaultdict(set)
    for one in kept:
        same[one.intent].add(one.key)
    among = tuple(one.key for one in kept)
    cases = tuple(
        Case(
            name=one.key,
            category="any",  # of 77 intents each has too few questions for figures of its own
            arguments={"query": one.text, "user_id": _USER},
            relevant=frozenset(same[one.intent]),
            among=among,
        )
        for one in asked
        if one.intent in same
    )
    items = (Item((one.key,), {"content": one.text, "user_id": _USER}) for one in kept)
    return Dataset(tuple(items), cases, skipped=len(asked) - len(cases))


def _messages(path: Path) -> list[_Message]:
    """Read a file whole; what cannot be a full row of it is refused rather than guessed at."""
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
            found.append(_Message(f"{path.name} line {rows.line_num}", *row))
    except csv.Error as error:
        where = f"line {rows.line_num}: {error}"
        raise InvalidInput("data", f"{path} is not CSV, or is cut off ({where})") from error
    if not content.endswith("\n"):
        raise InvalidInput("data", f"{path} is cut off: its last line does not end")
    if not found:
        raise InvalidInput("data", f"{path} holds no message")
    return found
