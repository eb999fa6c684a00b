"""Ids in the question: to name a memory by its id is to look it up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mem_mcp.display import SHORTEST_ID
from mem_mcp.ranking.candidates import Candidates, Ranking

_WORD = re.compile(r"[^\s,;:!?'\"`()\[\]{}<>]+")
# A decade or a facade is a word.
_BEGINNING = re.compile(rf"(?=.*\d)[0-9a-f]{{{SHORTEST_ID},32}}")
_MOST = 16
"""Ids that one question may name."""


def ids_in(question: str) -> list[str]:
    """Return the words of a question that may be the beginning of one of our ids."""
    words = dict.fromkeys(word.rstrip(".").lower() for word in _WORD.findall(question))
    return [word for word in words if _BEGINNING.fullmatch(word)][:_MOST]


def named_first(question: str, candidates: Candidates, ranking: Ranking) -> Ranking:
    """Put memories first whose ids the question names, with the score 1.

    Args:
        question: what is asked; it names a memory by its whole id, or by the first `SHORTEST_ID`
            or more characters of one of our ids, if they are those of no other candidate.
        candidates: the memories that the caller may see.
        ranking: of these; what is gained is the part `id`.
    """
    words = {word.rstrip(".") for word in _WORD.findall(question)} | {question.strip()}
    rows = [candidates.row_of[word] for word in words if word in candidates.row_of]
    for beginning in ids_in(question):
        meant = [row for id_, row in candidates.row_of.items() if id_.startswith(beginning)]
        rows += meant if len(meant) == 1 else []
    return _first(rows, ranking) if rows else ranking


def _first(rows: Sequence[int], ranking: Ranking) -> Ranking:
    score = ranking.score.copy()
    score[list(rows)] = 1.0
    is_named = np.zeros(score.size, np.bool_)
    is_named[list(rows)] = True
    order = ranking.order[np.argsort(~is_named[ranking.order], kind="stable")]
    parts = {**ranking.parts, "id": score - ranking.score}
    return replace(ranking, order=order, score=score, parts=parts)
