"""Changed minds: what a new statement may replace, measured on pairs in six languages."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mem_mcp import AsyncMemory
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.ranking.changed_minds import LEAST_LIKENESS, likeness, newer_first

DATA = Path(__file__).parents[1] / "data" / "changed_minds.jsonl"
PAIRS: list[dict[str, Any]] = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
LANGUAGES = ("en", "de", "fr", "es", "ru", "zh")


def test_the_pairs_are_many_and_halved():
    assert len(PAIRS) >= 120
    assert {pair["language"] for pair in PAIRS} == {*LANGUAGES}
    halves = [pair["half"] for pair in PAIRS]
    assert halves.count("choose") == halves.count("measure") == len(PAIRS) / 2


@pytest.mark.anyio
@pytest.mark.parametrize("half", ["choose", "measure"])
async def test_what_may_be_replaced_is_told_from_what_has_nothing_to_do_with_it(half: str):
    texts = sorted({pair[side] for pair in PAIRS for side in ("old", "new")})
    embedder = BundledEmbedder()
    vectors = dict(zip(texts, await embedder.embed(texts), strict=True))
    embedder.close()

    def is_named(old: str, new: str) -> bool:
        cosine = float(vectors[old] @ vectors[new])
        return float(likeness(new, [old], np.array([cosine]))[0]) >= LEAST_LIKENESS

    pairs = [pair for pair in PAIRS if pair["half"] == half]
    replaced = [pair for pair in pairs if pair["replaces"]]
    found = [is_named(pair["old"], pair["new"]) for pair in replaced]
    others = [is_named(pair["old"], pair["new"]) for pair in pairs if not pair["replaces"]]
    strangers = [
        is_named(one["old"], other["new"])
        for one, other in permutations(replaced, 2)
        if one["language"] == other["language"]
    ]
    assert np.mean(found) >= 10 / 12
    assert np.mean(strangers) <= 1 / 20
    assert np.mean(others) <= 1 / 20


def test_nothing_is_like_nothing():
    assert likeness("x", [], np.zeros(0)).size == 0


def raised(question: str, *texts: str) -> list[bool]:
    """Return which of statements, each newer and less fitting than the one before, gain."""
    times = np.arange(len(texts), dtype=np.float64)
    score = np.linspace(0.9, 0.5, len(texts))
    vectors = np.tile(np.array([1.0, 0.0], np.float32), (len(texts), 1))
    return (newer_first(question, texts, vectors, times, score) > score).tolist()


REPLACED = [
    ("Where does the CI run?", "The CI runs on Jenkins.", "The CI was moved to GitHub Actions."),
    ("When is the stand-up?", "The stand-up is at 9:30.", "The stand-up is at 10:15."),
    ("Где я живу?", "Я живу в Казани.", "Я переехал в Томск."),
]
KEPT = [
    ("Where did the CI run before?", "The CI runs on Jenkins.", "The CI was moved to GitLab."),
    ("Is invoice 1001 paid?", "Invoice 1001 is paid.", "Invoice 1010 is paid now."),
    ("Where does Tom live?", "Tom lives in Rome.", "Anna lives in Oslo now."),
    ("where does tom live?", "Tom lives in Rome.", "Anna lives in Oslo."),
    ("Which service uses Redis?", "Service a uses Redis.", "Service b does not use Redis."),
    ("Who waters the plants?", "Tom waters the plants.", "The plants are green now. " * 20),
]


@pytest.mark.parametrize(("question", "older", "newer"), REPLACED)
def test_what_replaces_an_older_statement_is_not_behind_it(question: str, older: str, newer: str):
    assert raised(question, older, newer) == [False, True]
    assert raised(question, older) == [False]


@pytest.mark.parametrize(("question", "older", "newer"), KEPT)
def test_what_is_about_something_else_or_the_past_stays_where_it_is(
    question: str, older: str, newer: str
):
    assert raised(question, older, newer) == [False, False]


@pytest.mark.anyio
async def test_questions_about_now_get_the_newer_statement_before_the_older_one(
    memory: AsyncMemory,
):
    replaced = [pair for pair in PAIRS if pair["replaces"]]
    items = [
        {"content": text, "user_id": f"u{number}", "occurred_at": when}
        for number, pair in enumerate(replaced)
        for text, when in ((pair["old"], "2026-01-10"), (pair["new"], "2026-10-20"))
    ]
    await memory.remember_many(items)
    newer = []
    for number, pair in enumerate(replaced):
        answer = await memory.recall(pair["question"], user_id=f"u{number}")
        newer.append(answer.memories[0].text == pair["new"])
    assert len(newer) == 72
    assert np.mean(newer) >= 9 / 12
