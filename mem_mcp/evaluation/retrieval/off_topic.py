"""Off-topic questions: does `score` tell them apart, and what does each `min_score` cost?

Each question of a conversation is asked of its own and of one other conversation, which the seed
draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mem_mcp.api.models import Model
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets import locomo
from mem_mcp.evaluation.datasets.dataset import Case, Dataset
from mem_mcp.evaluation.harness import Bench, RecallAnswer
from mem_mcp.evaluation.metrics import auc, best_threshold
from mem_mcp.evaluation.report import Column, Report, Row, Table, table

LIMIT = 10
"""Memories that each recall asks for."""
MIN_SCORES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


class QuestionScores(Row):
    """The best scores of one question; None where nothing came back."""

    other: str
    """The other conversation that it was asked of."""
    own_score: float | None = None
    """The best score in its own conversation."""
    evidence_score: float | None = None
    """The best score of its evidence there, if that is among the first ten."""
    other_score: float | None = None
    """The best score in the other conversation."""


class Level(Model):
    """What a value of `min_score` does, in percent."""

    min_score: float
    answered: float
    """Own questions that still get any memory."""
    evidence: float
    """Own questions whose evidence is still among the first ten."""
    rejected: float
    """Questions of another conversation that get none."""


_COLUMNS: Sequence[Column[Level]] = (
    Column("own answered", lambda level: level.answered, ".1f"),
    Column("evidence in the first ten", lambda level: level.evidence, ".1f"),
    Column("foreign rejected", lambda level: level.rejected, ".1f"),
)


class AbstainReport(Report):
    """How well `score` tells off-topic questions apart."""

    failed: int
    """Count as not answered in their own conversation, and as answered with full score in the
    other."""
    auc: float
    threshold: float
    """The score that separates best, chosen on these questions."""
    balanced_accuracy: float
    """In percent, with that threshold."""
    levels: list[Level]
    rows: Sequence[QuestionScores]

    def _tables(self) -> list[Table]:
        levels = ((f"{level.min_score:.1f}", level) for level in self.levels)
        return [table("min_score", levels, _COLUMNS)]

    def _legend(self) -> Iterator[str]:
        yield "own: asked of their own conversation; foreign: the same questions asked of another"
        yield (
            f"score: AUC {self.auc:.3f}, best threshold {self.threshold:.2f} with a balanced "
            f"accuracy of {self.balanced_accuracy:.1f} %"
        )


def load(path: Path, first: int | None, seed: int) -> Dataset:
    """Read LoCoMo's format; a file of which only one conversation would be used is refused."""
    dataset = locomo.load(path, first, seed)
    if len(_conversations(dataset)) == 1:
        raise InvalidInput("data", f"abstain needs two conversations, and {path} gives one")
    return dataset


async def abstain(bench: Bench) -> AbstainReport:
    """Ask every question of its own conversation and of another; each is a user of the bench."""
    conversations = _conversations(bench.dataset)
    draw = np.random.default_rng(bench.seed)
    rows = []
    for case in bench.dataset.cases:
        others = [each for each in conversations if each != case.arguments["user_id"]]
        rows.append(await _ask(bench, case, others[draw.integers(len(others))]))
    own = [row.own_score or 0.0 for row in rows]
    foreign = [_foreign_score(row) or 0.0 for row in rows]
    threshold, accuracy = best_threshold(own, foreign)
    return AbstainReport(
        **bench.ran,
        rows=rows,
        failed=sum(row.error is not None for row in rows),
        auc=round(auc(own, foreign), 4),
        threshold=round(threshold, 4),
        balanced_accuracy=round(100 * accuracy, 2),
        levels=[_level(rows, min_score) for min_score in MIN_SCORES],
    )


def _conversations(dataset: Dataset) -> list[str]:
    return sorted({call.arguments["user_id"] for call in dataset.calls})


async def _ask(bench: Bench, case: Case, other: str) -> QuestionScores:
    own = await bench.ask(case, limit=LIMIT)
    foreign = await bench.ask(case, limit=LIMIT, user_id=other)
    error = own.error or foreign.error
    if error:
        return QuestionScores(case=case.name, other=other, error=error)
    return QuestionScores(
        case=case.name,
        other=other,
        own_score=_score(own, 1),
        evidence_score=_score(own, min(own.ranks, default=0)),
        other_score=_score(foreign, 1),
    )


def _score(answer: RecallAnswer, rank: int) -> float | None:
    return answer.memories[rank - 1].score if 0 < rank <= len(answer.memories) else None


def _foreign_score(row: QuestionScores) -> float | None:
    return 1.0 if row.error else row.other_score


def _level(rows: Sequence[QuestionScores], min_score: float) -> Level:
    """Count what would be left: `min_score` cuts a list off where scores fall below it."""

    def share(scores: Sequence[float | None]) -> float:
        return 100 * sum(each is not None and each >= min_score for each in scores) / len(scores)

    return Level(
        min_score=min_score,
        answered=round(share([row.own_score for row in rows]), 1),
        evidence=round(share([row.evidence_score for row in rows]), 1),
        rejected=round(100 - share([_foreign_score(row) for row in rows]), 1),
    )
