"""why: the reason for which a memory was, or was not, in an earlier answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mem_mcp.api.explore import Why
from mem_mcp.api.models import RECALLABLE, Memory, Scope, Tally, WhyResult
from mem_mcp.api.score_parts import legend_of
from mem_mcp.display import one_line
from mem_mcp.errors import InvalidInput
from mem_mcp.logs.recalls import Trace
from mem_mcp.ranking import Room
from mem_mcp.retrieval.access import find
from mem_mcp.retrieval.replay import PastQuestion, Reweighed, reweigh
from mem_mcp.retrieval.row_filters import every, owned
from mem_mcp.runtime import Runtime
from mem_mcp.store import Store

_HISTORY = (
    "version_id", "memory_id", "version", "reason", "text", "kind", "user_id", "status",
    "outcome_type", "recorded_at", "superseded_at", "expires_at",
)  # fmt: skip
# Of the parts of a score: so many are named, and only those that can be seen at two digits.
_MOST_PARTS = 3
_SHOWN = 0.005


@dataclass(frozen=True, slots=True)
class _Reason:
    verdict: str
    details: list[str] = field(default_factory=list)
    rank: int | None = None
    score: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)


async def why(runtime: Runtime, request: Why) -> WhyResult:
    """Say why a memory was, or was not, in an answer of `recall` or `recall_lessons`.

    Raises:
        InvalidInput: the answer is unknown for this user, or older than traces are kept.
        NotFound: no such memory for this user.
    """
    scope = Scope(user_id=request.user_id or runtime.settings.user_id)
    trace = await _traced(runtime, request.recall_id, scope)
    versions = await _versions(runtime.store, scope, request.memory_id)
    memory_id, asked = versions[0].memory_id, PastQuestion.of(trace)
    then = _at(versions, asked.moment)
    if memory_id in trace.memory_ids:
        found, reason = True, await _present(runtime, asked, versions)
    else:
        found, reason = False, await _absent(runtime, asked, versions)
    return WhyResult(
        recall_id=trace.recall_id,
        memory_id=memory_id,
        query=trace.query,
        found=found,
        verdict=reason.verdict,
        details=[*reason.details, *_since(then, versions[-1])],
        rank=reason.rank,
        score=reason.score,
        scores=dict(reason.scores),
        legend=legend_of(name for name, part in reason.scores.items() if part),
    )


async def _traced(runtime: Runtime, recall_id: str, scope: Scope) -> Trace:
    trace = await runtime.traces.find(recall_id, scope.user_id)
    if trace is None:
        days = runtime.settings.recall.trace_days
        problem = f"no recall {recall_id!r} of user {scope.user_id!r} in the last {days} days"
        if runtime.traces.keep is None:
            problem += ", and the setting recall.traces is off"
        raise InvalidInput("recall_id", f"{problem}; use one that recall returned")
    return trace


async def _versions(store: Store, scope: Scope, memory_id: str) -> list[Memory]:
    one = await find(store, scope, memory_id, deleted=True)
    rows = await store.read(
        every({"memory_id": one.memory.memory_id}, owned(scope, include_global=True)),
        columns=_HISTORY,
        order=[("version", True)],
    )
    return [row.memory for row in rows]


def _at(versions: Sequence[Memory], moment: datetime) -> Memory | None:
    """Return the version that was believed at a moment."""
    for memory in versions:
        ended = memory.superseded_at
        if memory.recorded_at <= moment and (ended is None or ended > moment):
            return memory
    return None


async def _present(runtime: Runtime, asked: PastQuestion, versions: Sequence[Memory]) -> _Reason:
    memory_id = versions[0].memory_id
    shown = asked.trace.memory_ids
    rank = shown.index(memory_id) + 1
    verdict = f"It was number {rank} of {len(shown)} in the answer"
    then = _at(versions, asked.moment)
    weighed = await reweigh(runtime, asked, then) if then else None
    if weighed is None:
        details = ["Its score cannot be worked out again: too much has changed since."]
        return _Reason(f"{verdict}.", details, rank)
    main = sorted(weighed.parts.items(), key=lambda part: -part[1])[:_MOST_PARTS]
    by = ", ".join(f"{name} {part:.2f}" for name, part in main if part > _SHOWN)
    verdict = f"{verdict}, with a score of {weighed.score:.2f}{by and f' by {by}'}."
    return _Reason(verdict, _details(asked, weighed), rank, weighed.score, weighed.parts)


async def _absent(runtime: Runtime, asked: PastQuestion, versions: Sequence[Memory]) -> _Reason:
    then = _at(versions, asked.moment)
    if then is None:
        return _Reason(_not_yet(versions[0], asked.moment))
    if unseen := _unseen(then, asked.moment):
        return _Reason(unseen)
    if refused := await _refused(runtime.store, asked, then):
        first, *others = refused
        return _Reason(f"{first}.", [f"Also: {one}." for one in others])
    weighed = await reweigh(runtime, asked, then)
    if weighed is None:
        return _Reason(
            "It was not among the candidates: others are nearer to the question in meaning and "
            "in words.",
            [_pool(runtime)],
        )
    verdict = _verdict(asked, weighed, then, runtime.room(asked.request.max_tokens))
    details = _details(asked, weighed)
    return _Reason(verdict, details, weighed.place.rank, weighed.score, weighed.parts)


def _not_yet(first: Memory, moment: datetime) -> str:
    return f"It was not there yet at {_time(moment)}: it was stored at {_time(first.recorded_at)}."


def _unseen(then: Memory, moment: datetime) -> str:
    """Say what kept a memory from being seen by any question; empty where nothing did."""
    since = f"since {_time(then.recorded_at)}{f' ({then.reason})' if then.reason else ''}"
    if then.status == "deleted":
        return f"It had been forgotten {since}."
    if then.status == "pending":
        return "It was pending: stored, and not yet processed."
    if then.status not in RECALLABLE:
        return f"It was {then.status} {since}."
    if then.expires_at is not None and then.expires_at <= moment:
        return f"It had expired at {_time(then.expires_at)}."
    return ""


async def _refused(store: Store, asked: PastQuestion, then: Memory) -> list[str]:
    """Name the conditions of the question that a memory does not meet, each tested by itself."""
    itself, conditions = {"version_id": then.version_id}, asked.conditions()
    met = await asyncio.gather(
        *(store.count(every(itself, condition.filters)) for condition in conditions)
    )
    refused = [
        f"It was left out by {condition.asked}"
        for condition, is_met in zip(conditions, met, strict=True)
        if not is_met
    ]
    if asked.has_lists and not refused and asked.list_of(then.kind, then.outcome_type) is None:
        refused.append("recall_lessons shows an unknown outcome only where outcomes asks for it")
    return refused


def _pool(runtime: Runtime) -> str:
    settings = runtime.settings.recall
    return (
        f"Where a question may see more than {settings.whole:,} memories (setting recall.whole), "
        f"{settings.pool:,} are weighed from each side (setting recall.pool)."
    )


def _verdict(asked: PastQuestion, weighed: Reweighed, then: Memory, room: Room) -> str:
    place, candidates = weighed.place, weighed.found.table.candidates
    if place.twin is not None:
        twin = candidates.memory_ids[place.twin]
        text = one_line(candidates.texts[place.twin])
        return f"It says the same as {twin}, which is better placed: {text}"
    if place.cause == "min_score":
        bound = "too far below the best (setting recall.least_share)"
        if asked.min_score is not None:
            bound = f"below min_score, {asked.min_score:.2f}"
        return f"Its score, {weighed.score:.2f}, was {bound}."
    if place.cause == "limit":
        limit = asked.request.limit
        return f"It was number {place.rank:,} of {place.of:,}, and the limit was {limit}."
    taken: Iterable[int] = place.better
    if asked.has_lists:
        taken = (candidates.row_of.get(one, -1) for one in asked.trace.memory_ids)
    sizes = [room.size(candidates.texts[row]) for row in taken if row >= 0]
    needed, left = room.size(then.text), room.total - sum(map(room.needed, sizes))
    if place.cause == "room" or (asked.has_lists and room.needed(needed) > left):
        unit = "tokens" if asked.request.max_tokens else "characters"
        by = "" if asked.request.max_tokens else " (setting answer.characters)"
        return f"It did not fit: it takes {needed:,} {unit}, and {left:,} were left{by}."
    return f"Nothing keeps it out by now: it would be number {place.rank}."


def _details(asked: PastQuestion, weighed: Reweighed) -> list[str]:
    place, found = weighed.place, weighed.found
    candidates = found.table.candidates
    details = []
    if place.cause is not None and place.cause != "limit":
        details.append(f"It was number {place.rank:,} of {place.of:,}.")
    if place.cause is not None and place.better:
        last = place.better[-1]
        details.append(
            f"The last one taken before it scored {found.ranking.score[last]:.2f}: "
            f"{one_line(candidates.texts[last])} ({candidates.memory_ids[last]})"
        )
    said = found.history.tally(candidates.memory_ids[weighed.row])
    if said != Tally():
        details.append(
            f"Marks: {said.positive} for it, {said.negative} against, {said.very_negative} "
            f"strongly; used in {said.successes} successes and {said.failures} failures."
        )
    details.append(
        f"Weighed again as of {_time(asked.moment)}; marks given since, or changed, may have moved "
        "it from where it was."
    )
    return [*details, *(f"{note[0].upper()}{note[1:]}." for note in found.degraded)]


def _since(then: Memory | None, now: Memory) -> list[str]:
    """Say what has become of a memory since a version of it."""
    if then is None or then.version == now.version:
        return []
    became = "its text has changed" if then.text != now.text else "it has changed"
    if now.status != then.status:
        became = "it was forgotten" if now.status == "deleted" else f"it is {now.status}"
    reason = f" ({now.reason})" if now.reason else ""
    return [f"Since then {became}: version {then.version} then, {now.version} now{reason}."]


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
