"""Banking77: messages of customers, and what each wants; which others want the same?

A seeded sample of the file's messages are the memories, a seeded sample of test.csv beside it the
questions.
"""

from __future__ import annotations

import random
from collections import defaultdict
from pathlib import Path

from mem_mcp.evaluation.datasets.banking77_messages import read_messages
from mem_mcp.evaluation.datasets.dataset import Case, Dataset, Item

MEMORIES = 3_000
QUESTIONS = 1_000
_USER = "bank"


def load(path: Path, first: int | None = None, seed: int = 0) -> Dataset:
    """Read a file, and test.csv beside it.

    Args:
        path: train.csv, with the columns text and category.
        first: how many questions; None for 1,000.
        seed: of the two samples.

    Raises:
        InvalidInput: a file is missing, cut off, or of another format.
    """
    train, test = read_messages(path), read_messages(path.with_name("test.csv"))
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
