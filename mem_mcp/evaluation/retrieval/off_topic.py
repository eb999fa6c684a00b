"""Off-topic questions: does `score` tell them, and what does each `min_score` cost?

Each question of a conversation is asked of its own and of one other, drawn by the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mem_mcp.api.models import Model
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets import locomo
from mem_mcp.evaluation.datasets.dataset import Case, Dataset
from mem_mcp.evaluation.harness import Answer, Bench
from mem_mcp.evaluation.metrics import auc, best_threshold
from mem_mcp.evaluation.page import Page, Table
from mem_mcp.evaluation.report import Report, Row

LIMIT = 10
"""Memories asked for by each recall."""
MIN_SCORES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


class Asked(Row):
    """One question; None where nothing came back."""

    other: str
    """The conversation that it was asked of beside its own."""
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


class AbstainReport(Report):
    """How well `score` tells questions off the topic."""

    failed: int
    """Count as not answered in their own conversation, and as answered with full score in the
    other."""
    auc: float
    threshold: float
    """The score that tells best, chosen on these questions."""
    balanced_accuracy: float
    """In percent, with that threshold."""
    levels: list[Level]
    rows: Sequence[Asked]

    def page(self) -> Page:
        """Return what is shown of it."""
        return Page(self.title, [self._table()], list(self._notes()))

    def _table(self) -> Table:
        return [
            ["min_score", "own answered", "evidence in the first ten", "foreign rejected"],
            *(
                [
                    f"{each.min_score:.1f}",
                    f"{each.answered:.1f}",
                    f"{each.evidence:.1f}",
                    f"{each.rejected:.1f}",
                ]
                for each in self.levels
            ),
        ]

    def _notes(self) -> Iterator[str]:
        yield "own: asked of their own conversation; foreign: the same questions asked of another"
        yield (
            f"score: AUC {self.auc:.3f}, best threshold {self.threshold:.2f} with a balanced "
            f"accuracy of {self.balanced_accuracy:.1f} %"
        )
        yield from self.origin()


def load(path: Path, first: int | None, seed: int) -> Dataset:
    """Read LoCoMo's format.

    Args:
        path: the data set's JSON file.
        first: only so many conversations; None for all.
        seed: of the pairs, which are drawn later.

    Raises:
        InvalidInput: the file cannot be used, or only one conversation would be.
    """
    dataset = locomo.load(path, first, seed)
    if len(_conversations(dataset)) == 1:
        raise InvalidInput("data", f"abstain needs two conversations, and {path} gives one")
    return dataset


async def abstain(bench: Bench, **ran: Any) -> AbstainReport:  # noqa: ANN401 - a report's fields
    """Ask every question of its own conversation and of another.

    Args:
        bench: what to ask; a user a conversation.
        ran: what the report says of the run.
    """
    conversations = _conversations(bench.dataset)
    draw = np.random.default_rng(bench.seed)
    rows = []
    for case in bench.dataset.cases:
        others = [one for one in conversations if one != case.arguments["user_id"]]
        rows.append(await _ask(bench, case, others[draw.integers(len(others))]))
    return _summed_up(rows, ran)


def _summed_up(rows: Sequence[Asked], ran: dict[str, Any]) -> AbstainReport:
    own = [row.own_score or 0.0 for row in rows]
    others = [_other(row) or 0.0 for row in rows]
    threshold, accuracy = best_threshold(own, others)
    return AbstainReport(
        **ran,
        rows=rows,
        failed=sum(row.error is not None for row in rows),
        auc=round(auc(own, others), 4),
        threshold=round(threshold, 4),
        balanced_accuracy=round(100 * accuracy, 2),
        levels=[_level(rows, each) for each in MIN_SCORES],
    )


def _conversations(dataset: Dataset) -> list[str]:
    return sorted({item.arguments["user_id"] for item in dataset.items})


async def _ask(bench: Bench, case: Case, other: str) -> Asked:
    own = await bench.ask(case, limit=LIMIT)
    foreign = await bench.ask(case, limit=LIMIT, user_id=other)
    error = own.error or foreign.error
    if error:
        return Asked(case=case.name, other=other, error=error)
    return Asked(
        case=case.name,
        other=other,
        own_score=_score(own, 1),
        evidence_score=_score(own, min(own.ranks, default=0)),
        other_score=_score(foreign, 1),
    )


def _score(answer: Answer, rank: int) -> float | None:
    return answer.found[rank - 1].score if 0 < rank <= len(answer.found) else None


def _other(row: Asked) -> float | None:
    return 1.0 if row.error else row.other_score


def _level(rows: Sequence[Asked], min_score: float) -> Level:
    """Count what would be left: `min_score` cuts a list off where scores fall below it."""

    def share(scores: Sequence[float | None]) -> float:
        return 100 * sum(each is not None and each >= min_score for each in scores) / len(scores)

    return Level(
        min_score=min_score,
        answered=round(share([row.own_score for row in rows]), 1),
        evidence=round(share([row.evidence_score for row in rows]), 1),
        rejected=round(100 - share([_other(row) for row in rows]), 1),
    )
