"""Banking77: messages of customers, and what each wants; which others want the same?

A seeded sample of the file's messages are the memories, and a seeded sample of test.csv beside it
are the questions.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import Case, Dataset, RememberCall, read_text

MEMORIES = 3_000
QUESTIONS = 1_000
_USER = "bank"
_COLUMNS = ["text", "category"]


class BankMessage(NamedTuple):
    """One line of a file."""

    key: str
    text: str
    intent: str


def load(path: Path, first: int | None = None, seed: int = 0) -> Dataset:
    """Read train.csv, and test.csv beside it; a quick run asks the first questions."""
    train, test = read_messages(path), read_messages(path.with_name("test.csv"))
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    stored = draw.sample(train, min(MEMORIES, len(train)))
    questions = draw.sample(test, min(first or QUESTIONS, len(test)))
    same_intent: dict[str, set[str]] = defaultdict(set)
    for message in stored:
        same_intent[message.intent].add(message.key)
    among = tuple(message.key for message in stored)
    cases = tuple(
        Case(
            name=message.key,
            category="any",  # of 77 intents each has too few questions for figures of its own
            arguments={"query": message.text, "user_id": _USER},
            relevant=frozenset(same_intent[message.intent]),
            among=among,
        )
        for message in questions
        if message.intent in same_intent
    )
    calls = (
        RememberCall((message.key,), {"content": message.text, "user_id": _USER})
        for message in stored
    )
    return Dataset(tuple(calls), cases, skipped=len(questions) - len(cases))


def read_messages(path: Path) -> list[BankMessage]:
    """Read a whole CSV file with the columns text and category; raises as `load` does.

    A line that is not a full row is refused rather than guessed at.
    """
    content = read_text(path)
    rows = csv.reader(StringIO(content, newline=""), strict=True)
    messages = []
    try:
        if next(rows, None) != _COLUMNS:
            raise InvalidInput("data", f"{path} does not begin with the line text,category")
        for row in rows:
            if len(row) != len(_COLUMNS) or not all(map(str.strip, row)):
                raise InvalidInput(
                    "data", f"{path} has no text and category in line {rows.line_num}"
                )
            messages.append(BankMessage(f"{path.name} line {rows.line_num}", *row))
    except csv.Error as error:
        where = f"line {rows.line_num}: {error}"
        raise InvalidInput("data", f"{path} is not CSV, or is cut off ({where})") from error
    if not content.endswith("\n"):
        raise InvalidInput("data", f"{path} is cut off: its last line does not end")
    if not messages:
        raise InvalidInput("data", f"{path} holds no message")
    return messages
