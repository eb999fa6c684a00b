"""What an earlier question asked for, read back from its trace."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mem_mcp.api import arguments
from mem_mcp.api.models import Scope
from mem_mcp.logs.recalls import Trace
from mem_mcp.retrieval.row_filters import RowFilter, every, view
from mem_mcp.store import Filters
from mem_mcp.times import optional_time

LESSONS = ("outcome", "lesson")
"""Kinds that `recall_lessons` looks at."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a question, to be tested by itself."""

    asked: str
    """What the caller wrote."""
    filters: Filters


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as it was asked."""

    scope: Scope
    moment: datetime
    """The moment it was about."""
    conditions: Sequence[Condition]
    include_global: bool
    kinds: Sequence[str] = ()
    limit: int
    max_tokens: int
    min_score: float = 0.0
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Where the answer has several lists: the outcomes each shows.

    Lessons are in the first, those of unknown outcome only if it shows unknown outcomes.
    """

    @classmethod
    def of(cls, trace: Trace) -> Asked:
        """Read a trace."""
        asked = trace.arguments
        moment = optional_time(asked.get("as_of"), "as_of") or trace.created_at
        scope = Scope(
            user_id=trace.user_id,
            agent_id=asked.get("agent_id") or None,
            run_id=asked.get("run_id") or None,
        )
        lessons = trace.tool == "recall_lessons"
        return cls(
            scope=scope,
            moment=moment,
            conditions=[
                *_scoped(scope, include_global=asked["include_global"]),
                *(_of_lessons(asked) if lessons else _of_recall(asked)),
            ],
            include_global=asked["include_global"],
            kinds=LESSONS if lessons else asked.get("kinds") or (),
            limit=asked["limit"],
            max_tokens=asked["max_tokens"],
            min_score=asked.get("min_score", 0.0),
            lists=_lists(asked.get("outcomes") or ()) if lessons else {},
        )

    def list_of(self, kind: str, outcome: str | None) -> str | None:
        """Name the list that shows such a memory; None where none does."""
        first = next(iter(self.lists), None)
        if kind == "lesson" and outcome != "unknown":
            return first
        return next((name for name, words in self.lists.items() if outcome in words), None)

    def view(self, shown_in: str | None = None) -> RowFilter:
        """Return what the question could see.

        Args:
            shown_in: only what this list shows; None for all lists.
        """
        shown = [self._shown(name) for name in ([shown_in] if shown_in else self.lists)]
        return view(
            self.scope,
            self.moment,
            every(*(one.filters for one in self.conditions), {"OR": shown} if shown else {}),
            include_global=self.include_global,
            as_of=self.moment,
            kinds=self.kinds,
        )

    def _shown(self, name: str) -> Filters:
        wanted = {"kind": "outcome", "outcome_type": {"in": [*self.lists[name]]}}
        if name != next(iter(self.lists)):
            return wanted
        known = {"OR": [{"outcome_type": {"exists": False}}, {"outcome_type": {"ne": "unknown"}}]}
        lessons = every({"kind": "lesson"}, {} if "unknown" in self.lists[name] else known)
        return {"OR": [lessons, wanted]}


def _scoped(scope: Scope, *, include_global: bool) -> list[Condition]:
    found = [] if include_global else [Condition("include_global false", _equal(scope, "user_id"))]
    return found + [
        Condition(f"{name} {getattr(scope, name)!r}", _equal(scope, name))
        for name in ("agent_id", "run_id")
        if getattr(scope, name) is not None
    ]


def _equal(scope: Scope, name: str) -> Filters:
    return {name: getattr(scope, name)}


def _of_recall(asked: Mapping[str, Any]) -> list[Condition]:
    since, until = arguments.window(asked.get("since"), asked.get("until"))
    words = [
        Condition(f"{name} {', '.join(asked[name])}", {column: {"in": [*asked[name]]}})
        for name, column in (("kinds", "kind"), ("tags", "tags"))
        if asked.get(name)
    ]
    times = [
        Condition(f"{name} {time.isoformat()}", {"occurred_at": {word: time}})
        for name, word, time in (("since", "gte", since), ("until", "lte", until))
        if time
    ]
    filters = [
        Condition(f"filters {_json({key: value})}", {key: value})
        for key, value in (asked.get("filters") or {}).items()
    ]
    return [*words, *filters, *times]


def _of_lessons(asked: Mapping[str, Any]) -> list[Condition]:
    since = optional_time(asked.get("since"), "since")
    outcomes = asked.get("outcomes") or ()
    wanted: dict[str, Any] = {
        name: asked[name]
        for name in ("task_type", "tool_name", "agent_version", "severity")
        if asked.get(name)
    }
    found = [
        Condition("recall_lessons, which shows outcomes and lessons", {"kind": {"in": [*LESSONS]}})
    ]
    found += [Condition(f"{name} {value!r}", {name: value}) for name, value in wanted.items()]
    if outcomes:
        found.append(
            Condition(f"outcomes {', '.join(outcomes)}", {"outcome_type": {"in": [*outcomes]}})
        )
    if since:
        found.append(Condition(f"since {since.isoformat()}", {"occurred_at": {"gte": since}}))
    return found


def _lists(outcomes: Sequence[str]) -> dict[str, Sequence[str]]:
    unknown = ("unknown",) if "unknown" in outcomes else ()
    return {"lessons": unknown, "successes": ("success",), "failures": ("failure", "partial")}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
