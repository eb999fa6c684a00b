"""recall_lessons: what earlier tasks of this kind teach."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import zip_longest
from typing import Any

import numpy as np

from mem_mcp.api.arguments import names
from mem_mcp.api.models import Lesson, LessonsResult, Memory, Scope
from mem_mcp.api.outcomes import RecallLessons
from mem_mcp.learning.briefing import briefing
from mem_mcp.learning.tool_stats import tool_stats
from mem_mcp.logs.recalls import Trace, new_recall_id
from mem_mcp.ranking import Room, belonging, copies, copy_key, select
from mem_mcp.retrieval.lesson_rows import LISTS, lesson_rows, list_of
from mem_mcp.retrieval.results import recalled
from mem_mcp.retrieval.row_filters import RowFilter
from mem_mcp.retrieval.search import SearchResult, search
from mem_mcp.retrieval.shown import shown
from mem_mcp.runtime import Runtime
from mem_mcp.times import utc_now


async def recall_lessons(runtime: Runtime, request: RecallLessons) -> LessonsResult:
    """Find lessons, successes and failures for a task, each list by itself.

    Raises:
        InvalidInput: an argument was refused.
    """
    scope = request.scope(runtime.settings.user_id)
    now = utc_now()
    rows = {name: lesson_rows(request, scope, now, [name]) for name in LISTS}
    every_list = lesson_rows(request, scope, now)
    founds = await _searched(runtime, request.task, scope, rows, every_list)
    asked = names(request.outcomes)
    share = 0.0 if request.is_narrowed else runtime.settings.recall.least_share
    best = {name: _best(found, name, asked, request.limit, share) for name, found in founds.items()}
    lists = {name: some for name, (some, _) in best.items()}
    room, language = runtime.room(request.max_tokens), next(iter(founds.values())).language
    cut = _within(lists, room, request.task, language)
    # The briefing reads whole texts: an outcome's lesson may stand behind its passage.
    told = {name: _those(lists[name], cut[name]) for name in lists}
    tools = await tool_stats(runtime, every_list, founds, known=bool(request.task_type))
    degraded = next(iter(founds.values())).degraded
    result = LessonsResult(
        recall_id=new_recall_id(),
        **cut,
        left_out=sum(less for _, less in best.values()),
        no_room=_number(lists) - _number(cut),
        tool_stats=tools,
        briefing=briefing(told, tools, room.tokens, runtime.zone),
        degraded=degraded,
    )
    in_answer = [one.memory_id for some in cut.values() for one in some]
    runtime.traces.add(
        Trace(
            recall_id=result.recall_id,
            tool="recall_lessons",
            user_id=scope.user_id,
            agent_id=scope.agent_id,
            query=request.task,
            vector=next(iter(founds.values())).vector,
            memory_ids=in_answer,
            arguments=asdict(request),
            created_at=now,
            relevance={
                memory_id: one
                for found in founds.values()
                for memory_id, one in found.relevance.items()
            },
        )
    )
    return result


async def _searched(
    runtime: Runtime,
    task: str,
    scope: Scope,
    rows: Mapping[str, RowFilter],
    every_list: RowFilter,
) -> dict[str, SearchResult]:
    """Rank what each list may show: at once where all of it is small, else each by itself."""
    whole = runtime.settings.recall.whole
    if await runtime.scopes.whole(runtime.store, every_list, whole) is not None:
        return dict.fromkeys(rows, await search(runtime, task, scope, every_list, role="passage"))
    await runtime.embed([task], "passage")  # once, and kept for those that follow
    results = await asyncio.gather(
        *(search(runtime, task, scope, one, role="passage") for one in rows.values())
    )
    return dict(zip(rows, results, strict=True))


def _best(
    found: SearchResult, name: str, asked: Collection[str], limit: int, share: float
) -> tuple[list[Lesson], int]:
    """Return the best of a list, and how many were left out for fitting less."""
    rows = found.table.rows
    listed = np.array(
        [
            name == list_of(kind, outcome, asked)
            for kind, outcome in zip(
                rows["kind"].to_pylist(), rows["outcome_type"].to_pylist(), strict=True
            )
        ],
        np.bool_,
    )
    order = found.ranking.order[listed[found.ranking.order]]
    candidates = found.table.candidates
    ranking = replace(found.ranking, order=order)
    within, belongs = select(ranking, candidates, limit), belonging(ranking, share)
    chosen = [row for row in within if belongs[row]]
    also = copies(ranking, candidates, chosen)
    said = Counter(
        (copy_key(candidates.texts[row]), candidates.labels[row]) for row in order.tolist()
    )
    answer = recalled(rows, ranking, chosen, also)
    lessons = [
        _lesson(memory, fields, said[copy_key(memory.text), candidates.labels[row]])
        for row, (memory, fields) in zip(chosen, answer, strict=True)
    ]
    return lessons, len(within) - len(chosen)


def _lesson(memory: Memory, fields: dict[str, Any], said: int) -> Lesson:
    derived = len(memory.evidence) if memory.kind == "lesson" else said
    return Lesson(
        **fields,
        outcome=memory.outcome_type,
        task_type=memory.task_type,
        tool_name=memory.tool_name,
        support=max(1, derived),
    )


def _within(
    lists: Mapping[str, list[Lesson]], room: Room, task: str, language: str
) -> dict[str, list[Lesson]]:
    """Share the room out between the lists: each in turn gives its next best."""
    turns = [one for some in zip_longest(*lists.values()) for one in some if one]
    kept = {one.memory_id: one for one in shown(turns, room, task, language)}
    return {
        name: [kept[one.memory_id] for one in some if one.memory_id in kept]
        for name, some in lists.items()
    }


def _number(lists: Mapping[str, list[Lesson]]) -> int:
    return sum(map(len, lists.values()))


def _those(lessons: Sequence[Lesson], chosen: Sequence[Lesson]) -> list[Lesson]:
    ids = {one.memory_id for one in chosen}
    return [one for one in lessons if one.memory_id in ids]
