"""The attempts again, as outcomes: is each shown as it went when the next ones recall it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mem_mcp.api.models import Outcome
from mem_mcp.evaluation.datasets.dataset import Item
from mem_mcp.evaluation.datasets.github_issues import OUTCOME
from mem_mcp.evaluation.harness import Bench
from mem_mcp.evaluation.page import Page
from mem_mcp.evaluation.report import Row
from mem_mcp.evaluation.retrieval.evidence import find
from mem_mcp.evaluation.retrieval.evidence_report import FoundReport

LIMIT = 10
"""Successes, and failures, asked for by each recall."""


class Tried(Row):
    """One attempt, made with those before it in mind; a failed one recalled nothing."""

    recalled: int = 0
    """Earlier attempts that it was shown."""
    shown_right: int = 0
    """Those of them that were shown with their own outcome."""


class LessonsReport(FoundReport):
    """What is found among earlier issues, and how their outcomes are shown."""

    attempts: Sequence[Tried]

    @property
    def shown_right(self) -> float:
        """Percent of the recalled attempts whose outcome was shown as it is; 100 if none was."""
        recalled = sum(each.recalled for each in self.attempts)
        right = sum(each.shown_right for each in self.attempts)
        return 100 * right / recalled if recalled else 100.0

    def page(self) -> Page:
        """Return what is shown of it."""
        page = super().page()
        recalled = sum(each.recalled for each in self.attempts)
        table = [
            ["as outcomes", "attempts", "recalled", "outcome shown right"],
            ["all", f"{len(self.attempts):,}", f"{recalled:,}", f"{self.shown_right:.1f}"],
        ]
        failed = [f"failed: {each.case}: {each.error}" for each in self.attempts if each.error]
        return Page(page.title, [*page.tables, table], [*page.notes, *failed])


async def find_and_try(bench: Bench, metrics: Sequence[str], **ran: Any) -> LessonsReport:  # noqa: ANN401 - a report's fields
    """Ask every question, then record each attempt in file order, recalling before it is made.

    Args:
        bench: what to ask; its issues say in their metadata how the attempts went.
        metrics: names of the metrics.
        ran: what the report says of the run.
    """
    found = await find(bench, metrics, **ran)
    bench.steps = bench.done + len(bench.dataset.items)
    truth: dict[str, Outcome] = {}
    attempts = [await _try(bench, item, truth) for item in bench.dataset.items]
    return LessonsReport(**dict(found), attempts=attempts)


async def _try(bench: Bench, item: Item, truth: dict[str, Outcome]) -> Tried:
    """Recall the attempts before one, and record it; `truth` is by memory id."""
    of = item.arguments
    try:
        shown = await _shown(bench, of)
        stored = await bench.memory.record_outcome(
            of["content"],
            of["metadata"][OUTCOME],
            task_type=of["user_id"],
            occurred_at=of["occurred_at"],
            user_id=of["user_id"],
        )
    except Exception as error:  # noqa: BLE001 - whatever one attempt breaks is a finding
        return Tried(case=item.keys[0], error=f"{type(error).__name__}: {error}")
    finally:
        bench.advance()
    truth[stored.memory_id] = of["metadata"][OUTCOME]
    return Tried(
        case=item.keys[0],
        recalled=len(shown),
        shown_right=sum(truth[memory_id] == outcome for memory_id, outcome in shown),
    )


async def _shown(bench: Bench, of: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each recalled attempt with the outcome that its place and its field agree on."""
    found = await bench.memory.recall_lessons(
        of["content"], task_type=of["user_id"], limit=LIMIT, user_id=of["user_id"]
    )
    lists = (("success", found.successes), ("failure", found.failures))
    return [
        (one.memory_id, name if one.outcome == name else f"{one.outcome} among {name}")
        for name, some in lists
        for one in some
    ]
