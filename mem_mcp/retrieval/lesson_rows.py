"""Which rows recall_lessons shows, and in which of its lists."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from mem_mcp.api.arguments import moment, names
from mem_mcp.api.models import Memory, Outcome, Scope
from mem_mcp.api.outcomes import RecallLessons
from mem_mcp.retrieval.row_filters import Condition, RowFilter, every, view
from mem_mcp.store import Filters

KINDS = ("outcome", "lesson")
"""What recall_lessons looks at."""
LISTS: Mapping[str, tuple[Outcome, ...]] = {
    "lessons": (),
    "successes": ("success",),
    "failures": ("failure", "partial"),
}
"""The lists of an answer, with the outcomes that each shows; lessons are in the first."""


def list_of(kind: str, outcome: str | None, asked: Collection[str]) -> str | None:
    """Name the list that shows such a memory; None where none does.

    Args:
        kind: of the memory.
        outcome: its outcome_type.
        asked: the `outcomes` of the call; unknown ones are shown only where they are asked for.
    """
    if outcome == "unknown":
        return "lessons" if "unknown" in asked else None
    if kind == "lesson":
        return "lessons"
    return next((name for name, outcomes in LISTS.items() if outcome in outcomes), None)


def lesson_conditions(request: RecallLessons) -> list[Condition]:
    """Return what a caller of recall_lessons asks of a memory."""
    since, outcomes = moment(request.since), names(request.outcomes)
    conditions = [Condition(f"{name} {value!r}", {name: value}) for name, value in _equal(request)]
    if outcomes:
        wanted = {"outcome_type": {"in": outcomes}}
        conditions.append(Condition(f"outcomes {', '.join(outcomes)}", wanted))
    if since:
        conditions.append(Condition(f"since {since.isoformat()}", {"occurred_at": {"gte": since}}))
    return conditions


def lesson_rows(
    request: RecallLessons,
    scope: Scope,
    now: datetime,
    shown_in: Sequence[str] = tuple(LISTS),
    as_of: datetime | None = None,
) -> RowFilter:
    """Return which rows a caller of recall_lessons asks for.

    Args:
        request: its arguments.
        scope: whose memories.
        now: the moment of the question.
        shown_in: only what these lists show.
        as_of: what was believed then; None for what is believed now.
    """
    outcomes, since, equal = names(request.outcomes), moment(request.since), _equal(request)

    def holds(memory: Memory) -> bool:
        return (
            all(getattr(memory, name) == value for name, value in equal)
            and (since is None or memory.occurred_at >= since)
            and (not outcomes or memory.outcome_type in outcomes)
            and list_of(memory.kind, memory.outcome_type, outcomes) in shown_in
        )

    return view(
        scope,
        now,
        every(
            *(condition.filters for condition in lesson_conditions(request)),
            {"OR": [_shown(name, outcomes) for name in shown_in]},
        ),
        further_holds=holds,
        include_global=request.include_global,
        as_of=as_of,
        kinds=KINDS,
    )


def _equal(request: RecallLessons) -> list[tuple[str, str]]:
    columns = ("task_type", "tool_name", "agent_version", "severity")
    return [(name, getattr(request, name)) for name in columns if getattr(request, name)]


def _shown(name: str, outcomes: Collection[str]) -> Filters:
    """Return which rows a list shows."""
    if LISTS[name]:
        return {"kind": "outcome", "outcome_type": {"in": [*LISTS[name]]}}
    known: dict[str, Any] = {
        "kind": "lesson",
        "OR": [{"outcome_type": {"exists": False}}, {"outcome_type": {"ne": "unknown"}}],
    }
    if "unknown" not in outcomes:
        return known
    return {"OR": [{"kind": "lesson"}, {"kind": "outcome", "outcome_type": "unknown"}]}
