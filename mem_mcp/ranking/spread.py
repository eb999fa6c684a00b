"""Spread: a question for many is answered from several conversations, not from one."""
# ruff: noqa: RUF001 - letters of other alphabets look like Latin ones

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np

from mem_mcp.ranking.candidates import Candidates, Ranking
from mem_mcp.ranking.constants import SPREAD_LOSS

_ASKS_FOR_MANY = re.compile(
    r"\bboth\b|\b(?:kinds|types|sorts|which ones) of\b"
    r"|^(?:in |on |at |from )?(?:what|which) (?:\w+ ){0,2}?\w+(?<![sui'])s "
    r"(?:has|have|did|do|does|are|were|can|could|would)\b|^what (?:are|were) (?!the name)"
    r"|^(?:what|where|who) (?:has|have) \w+ \w+ed\b"
    r"|\b(?:beide[nr]?|was für|cuáles|ambos|ambas|quels|quelles|les deux|quali|entramb\w+|quais"
    r"|какие|каких|оба|обе)\b|哪些|都有什么|どんな|อะไรบ้าง|ใครบ้าง|ที่ไหนบ้าง",
    re.IGNORECASE,
)
_CHOSEN = 60
"""Best memories that are spread."""


def spread(question: str, candidates: Candidates, ranking: Ranking) -> Ranking:
    """Let memories lose a little by each better one of the same run, where many are asked for.

    Args:
        question: what is asked.
        candidates: the memories that may answer it.
        ranking: of these; what is lost is the part `spread`.
    """
    if not _ASKS_FOR_MANY.search(question.strip()):
        return ranking
    runs, step = candidates.run_ids, SPREAD_LOSS * float(ranking.score.max(initial=0.0))
    before, lost = Counter[str | None](), np.zeros(ranking.score.size)
    rest, chosen = ranking.order[:_CHOSEN].tolist(), list[int]()

    def left(row: int) -> float:
        return float(ranking.score[row]) - step * before[runs[row]]

    while rest:
        row = max(rest, key=left)
        rest.remove(row)
        chosen.append(row)
        lost[row] = step * before[runs[row]]
        before[runs[row]] += runs[row] is not None
    for row in ranking.order[_CHOSEN:].tolist():
        lost[row] = step * before[runs[row]]
    score = np.maximum(ranking.score - lost, 0.0)
    if not (score - ranking.score).any():
        return ranking
    rows = np.array([*chosen, *ranking.order[_CHOSEN:].tolist()])
    order = rows[np.argsort(-score[rows], kind="stable")]
    parts = {**ranking.parts, "spread": score - ranking.score}
    return replace(ranking, order=order, score=score, parts=parts)
