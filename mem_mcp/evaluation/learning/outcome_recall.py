"""The attempts of `lessons` again, as outcomes: does recall show each with its own outcome?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mem_mcp.api.models import Outcome
from mem_mcp.evaluation.datasets.dataset import RememberCall
from mem_mcp.evaluation.datasets.github_issues import OUTCOME
from mem_mcp.evaluation.harness import Bench, described
from mem_mcp.evaluation.report import Row, Table, failures
from mem_mcp.evaluation.retrieval.evidence import EvidenceReport, find_evidence

LIMIT = 10
"""Successes, and failures, that each recall asks for."""


class RecordedAttempt(Row):
    """One attempt, recorded after the earlier ones were recalled; a failed one recalled nothing."""

    recalled: int = 0
    """Earlier attempts that were recalled for it."""
    shown_right: int = 0
    """Recalled attempts that were shown with their own outcome."""


class LessonsReport(EvidenceReport):
    """How well earlier issues are found, and how their outcomes are shown."""

    attempts: Sequence[RecordedAttempt]

    @property
    def shown_right(self) -> float:
        """Percent of the recalled attempts that show their own outcome; 100 if there is none."""
        right = sum(attempt.shown_right for attempt in self.attempts)
        return 100 * right / self._recalled if self._recalled else 100.0

    @property
    def _recalled(self) -> int:
        return sum(attempt.recalled for attempt in self.attempts)

    def _tables(self) -> list[Table]:
        outcomes = [
            ["as outcomes", "attempts", "recalled", "outcome shown right"],
            ["all", f"{len(self.attempts):,}", f"{self._recalled:,}", f"{self.shown_right:.1f}"],
        ]
        return [*super()._tables(), outcomes]

    def _failures(self) -> Iterator[str]:
        yield from failures([*self.rows, *self.attempts])


async def find_and_record(bench: Bench, metrics: Sequence[str]) -> LessonsReport:
    """Ask every question; then go through the attempts, recall the earlier ones and record each.

    Args:
        bench: what to ask; the metadata of its issues says how the attempts went.
        metrics: names of the metrics.
    """
    evidence = await find_evidence(bench, metrics)
    bench.steps = bench.done + len(bench.dataset.calls)
    truth: dict[str, Outcome] = {}
    attempts = [await _record(bench, call, truth) for call in bench.dataset.calls]
    return LessonsReport(**dict(evidence), attempts=attempts)


async def _record(bench: Bench, call: RememberCall, truth: dict[str, Outcome]) -> RecordedAttempt:
    """Recall the attempts before one, and record it; `truth` has the outcomes by memory id."""
    issue, name = call.arguments, call.keys[0]
    try:
        outcomes = await _recalled_outcomes(bench, issue)
        stored = await bench.memory.record_outcome(
            issue["content"],
            issue["metadata"][OUTCOME],
            task_type=issue["user_id"],
            occurred_at=issue["occurred_at"],
            user_id=issue["user_id"],
        )
    except Exception as error:  # noqa: BLE001 - whatever an attempt breaks is a result
        return RecordedAttempt(case=name, error=described(error))
    finally:
        bench.advance()
    truth[stored.memory_id] = issue["metadata"][OUTCOME]
    right = sum(truth[memory_id] == outcome for memory_id, outcome in outcomes)
    return RecordedAttempt(case=name, recalled=len(outcomes), shown_right=right)


async def _recalled_outcomes(bench: Bench, issue: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return each recalled attempt with its outcome, if its list and its field agree on that."""
    result = await bench.memory.recall_lessons(
        issue["content"], task_type=issue["user_id"], limit=LIMIT, user_id=issue["user_id"]
    )
    lists = (("success", result.successes), ("failure", result.failures))
    return [
        (each.memory_id, name if each.outcome == name else f"{each.outcome} among {name}")
        for name, outcomes in lists
        for each in outcomes
    ]
