"""Changed minds: what a new statement may replace, measured on pairs in six languages."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mem_mcp.embedding import BundledEmbedder
from mem_mcp.ranking.changed_minds import LEAST_LIKENESS, likeness

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
    vectors = dict(zip(texts, await embedder.embed(texts, "passage"), strict=True))
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
