"""Row filters: which rows a call may see, as conditions of the store's filter language."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mem_mcp.api.arguments import moment, names
from mem_mcp.api.models import GLOBAL_USER, RECALLABLE, WAITING_REASONS, Memory, Scope
from mem_mcp.api.outcome_text import LESSON
from mem_mcp.api.recall import Recall
from mem_mcp.errors import InvalidInput
from mem_mcp.store import Filters, check_filters, fields_of

_NO_MOMENT = datetime.min.replace(tzinfo=UTC)
Test = Callable[[Memory], bool]
_ABOUT_OUTCOMES = frozenset({"kind", "outcome_type", "task_type", "tool_name", "severity"})
_TEACHES: dict[str, Any] = {"OR": [{"kind": {"ne": "outcome"}}, {"text": {"contains": LESSON}}]}


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows a question may see."""

    conditions: Filters
    """At the moment of the question."""
    key: str
    """Cache key: these conditions without the current time."""
    users: frozenset[str]
    """Whose memories."""
    kinds: frozenset[str]
    """Of which kinds; empty for all."""
    now: datetime
    """The moment of the question."""
    holds: Test | None
    """The same conditions, for one row in hand; None where only the store can tell."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a question, which can be tested by itself."""

    asked: str
    """What the caller wrote."""
    filters: Filters


def recall_conditions(request: Recall) -> list[Condition]:
    """Return what a caller of recall asks of a memory, its kinds apart.

    Raises:
        InvalidInput: the filters do not compile, or since is after until.
    """
    since, until = moment(request.since), moment(request.until)
    if since and until and since > until:
        raise InvalidInput("since", f"{since.isoformat()} is after until, {until.isoformat()}")
    filters = request.filters or {}
    if filters:
        check_filters(filters)
    tags = names(request.tags)
    given = [
        Condition(f"filters {_json({name: value})}", {name: value})
        for name, value in filters.items()
    ]
    times = [
        Condition(f"{name} {time.isoformat()}", {"occurred_at": {operator: time}})
        for name, operator, time in (("since", "gte", since), ("until", "lte", until))
        if time
    ]
    labels = [Condition(f"tags {', '.join(tags)}", {"tags": {"in": tags}})] if tags else []
    records = "kinds: an outcome without a lesson is shown where kinds or filters ask for outcomes"
    taught = [] if wants_records(request) else [Condition(records, _TEACHES)]
    return [*labels, *given, *times, *taught]


def wants_records(request: Recall) -> bool:
    """Return whether a caller of recall asks for outcomes without a lesson, too.

    Such a record says that something was tried, in the words of later questions, and answers none.
    """
    return bool(names(request.kinds)) or not _ABOUT_OUTCOMES.isdisjoint(
        fields_of(request.filters or {})
    )


def recall_rows(
    request: Recall, scope: Scope, now: datetime, as_of: datetime | None = None
) -> RowFilter:
    """Return which rows a caller of recall asks for.

    Args:
        request: its arguments.
        scope: whose memories.
        now: the moment of the question.
        as_of: what was believed then; None for what is believed now.

    Raises:
        InvalidInput: the filters do not compile, or since is after until.
    """
    conditions = recall_conditions(request)
    only_taught = [condition.filters for condition in conditions] == [_TEACHES]
    return view(
        scope,
        now,
        every(*(condition.filters for condition in conditions)),
        further_holds=_teaches if only_taught else None,
        include_global=request.include_global,
        as_of=as_of,
        kinds=names(request.kinds),
    )


def _teaches(memory: Memory) -> bool:
    return memory.kind != "outcome" or LESSON in memory.text


def view(
    scope: Scope,
    now: datetime,
    further: Filters | None = None,
    *,
    further_holds: Test | None = None,
    include_global: bool = True,
    as_of: datetime | None = None,
    kinds: Collection[str] = (),
) -> RowFilter:
    """Return what a question of a scope may see: what recall may return.

    Args:
        scope: whose memories.
        now: the moment of the question.
        further: conditions beside these.
        further_holds: these conditions as a test.
        include_global: also what all users share.
        as_of: what was believed then.
        kinds: only these; empty for all.
    """
    chosen_kinds = {"kind": {"in": sorted(kinds)}} if kinds else {}
    whose = owned(scope, include_global=include_global)
    users = frozenset(whose["user_id"]["in"])
    conditions, key = (
        every(whose, recallable(moment, as_of), chosen_kinds, further or {})
        for moment in (now, _NO_MOMENT)
    )

    def holds(memory: Memory) -> bool:
        return (
            memory.user_id in users
            and scope.agent_id in (None, memory.agent_id)
            and scope.run_id in (None, memory.run_id)
            and (not kinds or memory.kind in kinds)
            and memory.superseded_at is None
            and (
                memory.status in RECALLABLE
                or (memory.status == "pending" and memory.reason in WAITING_REASONS)
            )
            and (memory.expires_at is None or memory.expires_at > now)
            and (further_holds is None or further_holds(memory))
        )

    told = as_of is None and (not further or further_holds is not None)
    return RowFilter(conditions, repr(key), users, frozenset(kinds), now, holds if told else None)


def owned(scope: Scope, *, include_global: bool = False) -> dict[str, Any]:
    """Rows of a scope; an absent agent or run means any."""
    users = {scope.user_id, GLOBAL_USER} if include_global else {scope.user_id}
    conditions: dict[str, Any] = {"user_id": {"in": sorted(users)}}
    if scope.agent_id is not None:
        conditions["agent_id"] = scope.agent_id
    if scope.run_id is not None:
        conditions["run_id"] = scope.run_id
    return conditions


def current(as_of: datetime | None = None) -> dict[str, Any]:
    """Rows that are believed now, or were at a past moment."""
    if as_of is None:
        return {"superseded_at": {"exists": False}}
    return {
        "recorded_at": {"lte": as_of},
        "OR": [{"superseded_at": {"exists": False}}, {"superseded_at": {"gt": as_of}}],
    }


def recallable(moment: datetime, as_of: datetime | None = None) -> dict[str, Any]:
    """Current rows that recall may return at a moment."""
    return every(
        current(as_of),
        {
            "OR": [
                {"status": {"in": [*RECALLABLE]}},
                {"status": "pending", "reason": {"in": [*WAITING_REASONS]}},
            ]
        },
        {"OR": [{"expires_at": {"exists": False}}, {"expires_at": {"gt": as_of or moment}}]},
    )


def listable(filters: Filters) -> dict[str, Any]:
    """Current rows that were not forgotten, unless the caller's filters ask about that."""
    asked = fields_of(filters)
    conditions = {} if "superseded_at" in asked else current()
    if "status" not in asked:
        conditions["status"] = {"ne": "deleted"}
    return conditions


def chosen(
    filters: Filters | None,
    kinds: Collection[str] = (),
    tags: Collection[str] = (),
) -> dict[str, Any]:
    """Rows that the caller's own conditions allow.

    Raises:
        InvalidInput: the filters do not compile.
    """
    if filters:
        check_filters(filters)
    return every(
        filters or {},
        {"kind": {"in": list(kinds)}} if kinds else {},
        {"tags": {"in": list(tags)}} if tags else {},
    )


def every(*conditions: Filters) -> dict[str, Any]:
    """All of several conditions."""
    present = [condition for condition in conditions if condition]
    return {"AND": present} if present else {}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
