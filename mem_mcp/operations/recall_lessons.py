"""recall_lessons: what earlier tasks of this kind teach."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from mem_mcp.api import arguments
from mem_mcp.api.arguments import Time
from mem_mcp.api.models import Lesson, LessonsResult, Memory, Outcome, Scope, Severity
from mem_mcp.learning.briefing import briefing
from mem_mcp.learning.tool_stats import tool_stats
from mem_mcp.logs.recalls import Trace, new_recall_id
from mem_mcp.ranking import select
from mem_mcp.retrieval.results import recalled
from mem_mcp.retrieval.row_filters import RowFilter, every, view
from mem_mcp.retrieval.search import SearchResult, search
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters
from mem_mcp.text import count_tokens, normalised
from mem_mcp.times import optional_time, utc_now

MAX_TASK = 50_000
LISTS: Mapping[str, tuple[Outcome, ...]] = {
    "successes": ("success",),
    "failures": ("failure", "partial"),
}
"""Outcomes by the list that shows them; everything else is shown among the lessons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of `recall_lessons`, as the caller gave them."""

    task: str
    task_type: str = ""
    tool_name: str = ""
    outcomes: Sequence[str] | None = None
    severity: str = ""
    agent_version: str = ""
    since: Time = None
    limit: int = 5
    max_tokens: int = 0
    include_global: bool = True
    user_id: str = ""
    agent_id: str = ""
    run_id: str = ""


async def recall_lessons(runtime: Runtime, request: Request) -> LessonsResult:
    """Find lessons, successes and failures for a task, each list by itself.

    Raises:
        InvalidInput: an argument was refused.
    """
    task = arguments.required_text(request.task, "task", MAX_TASK)
    limit = arguments.limit(request.limit)
    max_tokens = arguments.count(request.max_tokens, "max_tokens")
    scope = arguments.scope(
        runtime.settings.user_id, request.user_id, request.agent_id, request.run_id
    )
    views = _views(request, scope)
    founds = await _searched(runtime, task, scope, views)
    lists = {name: _best(found, name, limit) for name, found in founds.items()}
    lists = _within(lists, max_tokens)
    tools = await tool_stats(runtime, views["all"], founds, known=bool(request.task_type))
    degraded = next(iter(founds.values())).degraded
    result = LessonsResult(
        recall_id=new_recall_id(),
        **lists,
        tool_stats=tools,
        briefing=briefing(lists, tools, max_tokens),
        degraded=degraded,
    )
    shown = [one.memory_id for some in lists.values() for one in some]
    runtime.traces.add(
        Trace(
            recall_id=result.recall_id,
            tool="recall_lessons",
            user_id=scope.user_id,
            agent_id=scope.agent_id,
            query=task,
            vector=next(iter(founds.values())).vector,
            memory_ids=shown,
            arguments=asdict(request),
            created_at=views["all"].now,
        )
    )
    return result


def _views(request: Request, scope: Scope) -> dict[str, RowFilter]:
    """Return what each list, and all of them together, may see."""
    now = utc_now()
    severity = request.severity and arguments.one_of(
        request.severity, "severity", arguments.literal(Severity)
    )
    outcomes = arguments.words_of(request.outcomes, "outcomes", arguments.literal(Outcome))
    since = optional_time(request.since, "since")
    named = {
        "task_type": arguments.name(request.task_type, "task_type"),
        "tool_name": arguments.name(request.tool_name, "tool_name"),
        "agent_version": arguments.name(request.agent_version, "agent_version"),
        "severity": severity or None,
    }
    equal = {name: value for name, value in named.items() if value is not None}
    asked = every(
        equal,
        {"occurred_at": {"gte": since}} if since else {},
        {"outcome_type": {"in": outcomes}} if outcomes else {},
    )
    shown = {name: _shown(name, outcomes) for name in ("lessons", *LISTS)}

    def seen(condition: Filters, names: Collection[str]) -> RowFilter:
        def holds(memory: Memory) -> bool:
            return (
                all(getattr(memory, name) == value for name, value in equal.items())
                and (since is None or memory.occurred_at >= since)
                and (not outcomes or memory.outcome_type in outcomes)
                and _list_of(memory.kind, memory.outcome_type) in names
                and (memory.outcome_type != "unknown" or "unknown" in outcomes)
                and (memory.kind == "lesson" or memory.outcome_type is not None)
            )

        return view(
            scope,
            now,
            every(asked, condition),
            further_holds=holds,
            include_global=request.include_global,
            kinds=("outcome", "lesson"),
        )

    views = {name: seen(condition, [name]) for name, condition in shown.items()}
    return {"all": seen({"OR": [*shown.values()]}, shown), **views}


def _shown(name: str, outcomes: Collection[str]) -> dict[str, Any]:
    """Return which rows a list shows; unknown outcomes only where they are asked for."""
    if name in LISTS:
        return {"kind": "outcome", "outcome_type": {"in": [*LISTS[name]]}}
    lessons: dict[str, Any] = {
        "kind": "lesson",
        "OR": [{"outcome_type": {"exists": False}}, {"outcome_type": {"ne": "unknown"}}],
    }
    if "unknown" not in outcomes:
        return lessons
    return {"OR": [{"kind": "lesson"}, {"kind": "outcome", "outcome_type": "unknown"}]}


async def _searched(
    runtime: Runtime, task: str, scope: Scope, views: Mapping[str, RowFilter]
) -> dict[str, SearchResult]:
    """Rank what each list may show: at once where all of it is small, else each by itself."""
    names = [name for name in views if name != "all"]
    whole = runtime.settings.recall.whole
    if await runtime.scopes.whole(runtime.store, views["all"], whole) is not None:
        return dict.fromkeys(names, await search(runtime, task, scope, views["all"]))
    await runtime.embed([task])  # once, and kept for those that follow
    found = await asyncio.gather(*(search(runtime, task, scope, views[name]) for name in names))
    return dict(zip(names, found, strict=True))


def _best(found: SearchResult, name: str, limit: int) -> list[Lesson]:
    rows = found.candidacy.rows
    shown = np.array(
        [
            name == _list_of(kind, outcome)
            for kind, outcome in zip(
                rows["kind"].to_pylist(), rows["outcome_type"].to_pylist(), strict=True
            )
        ],
        np.bool_,
    )
    order = found.ranking.order[shown[found.ranking.order]]
    candidates = found.candidacy.candidates
    chosen = select(replace(found.ranking, order=order), candidates, limit)
    said = Counter(
        (normalised(candidates.texts[row]), candidates.labels[row]) for row in order.tolist()
    )
    return [
        _lesson(memory, fields, said[normalised(memory.text), candidates.labels[row]])
        for row, (memory, fields) in zip(chosen, recalled(rows, found.ranking, chosen), strict=True)
    ]


def _list_of(kind: str, outcome: str | None) -> str:
    if kind == "outcome":
        for name, words in LISTS.items():
            if outcome in words:
                return name
    return "lessons"


def _lesson(memory: Memory, fields: dict[str, Any], said: int) -> Lesson:
    derived = len(memory.evidence) if memory.kind == "lesson" else said
    return Lesson(
        **fields,
        outcome=memory.outcome_type,
        task_type=memory.task_type,
        tool_name=memory.tool_name,
        support=max(1, derived),
    )


def _within(lists: dict[str, list[Lesson]], max_tokens: int) -> dict[str, list[Lesson]]:
    """Share a budget out between the lists: each in turn gives its next best, if it fits."""
    if not max_tokens:
        return lists
    kept: dict[str, list[Lesson]] = {name: [] for name in lists}
    left = max_tokens
    for place in range(max(map(len, lists.values()))):
        for name, some in lists.items():
            size = count_tokens(some[place].text) if place < len(some) else left + 1
            if size <= left:
                kept[name].append(some[place])
                left -= size
    return kept
