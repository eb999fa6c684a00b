"""give_feedback: whether memories helped, and with which question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any, cast

from mem_mcp.engine import arguments
from mem_mcp.engine.find import EVERY_FIELD, check_may_change
from mem_mcp.engine.ratings import Key, Rating, question_of
from mem_mcp.engine.resources import WRITE_ATTEMPTS, Resources
from mem_mcp.engine.supersede import succeed
from mem_mcp.engine.traces import Trace
from mem_mcp.engine.visibility import current, every, owned
from mem_mcp.errors import InvalidInput, MemError, NotFound, NotPermitted, WriteConflict
from mem_mcp.models import (
    Feedback,
    FeedbackGiven,
    FeedbackRefused,
    FeedbackResult,
    Memory,
    Scope,
)
from mem_mcp.store import Vector
from mem_mcp.text import check_text
from mem_mcp.times import utc_now

MOST_ITEMS = 1_000
MAX_REASON = 10_000
MAX_QUERY = 50_000
_HIDES: Feedback = "VERY_NEGATIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One mark, as the caller gave it."""

    memory_id: str = ""
    feedback: str | None = None
    feedback_reason: str = ""
    recall_id: str = ""
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The arguments of `give_feedback`, as the caller gave them."""

    one: Item
    items: Sequence[Mapping[str, Any]] | None = None
    user_id: str = ""
    agent_id: str = ""
    run_id: str = ""


async def give_feedback(resources: Resources, request: Request) -> FeedbackResult:
    """Store marks, in one commit, and hide or show again what they are about.

    Raises:
        InvalidInput: an argument was refused; nothing was stored. Of several items each has its
            own error instead.
        NotFound: the one memory is not there for this caller.
        NotPermitted: it is another's, and may not be hidden by this caller.
    """
    scope = arguments.scope(resources.settings, request.user_id, request.agent_id, request.run_id)
    if request.items is None:
        items: list[Item | FeedbackRefused] = [request.one]
    elif any(asdict(request.one).values()):
        raise InvalidInput("items", "give either memory_id and its feedback, or items, not both")
    else:
        items = _items(request.items)
    known = await _known(resources, scope, items)
    checked = await _checked(resources, scope, items, known)
    if request.items is None and isinstance(checked[0], MemError):
        raise checked[0]
    entries = [one for one in checked if isinstance(one, Rating)]
    before: Mapping[Key, Rating] = {}
    if entries:
        before = await resources.ratings.latest(frozenset(entry.owner for entry in entries))
        await resources.ratings.add(entries)
        await _show_or_hide(resources, scope, entries, known)
    return _result(checked, items, before)


def _items(values: Sequence[Mapping[str, Any]]) -> list[Item | FeedbackRefused]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvalidInput("items", "must be a list of {memory_id, feedback, …}")
    if not 1 <= len(values) <= MOST_ITEMS:
        raise InvalidInput("items", f"takes 1 to {MOST_ITEMS:,} entries, not {len(values):,}")
    return [_item(value) for value in values]


def _item(value: object) -> Item | FeedbackRefused:
    allowed = [field.name for field in fields(Item)]
    if not isinstance(value, Mapping):
        return FeedbackRefused(memory_id="", error=f"must be an object with {', '.join(allowed)}")
    memory_id = str(value.get("memory_id") or "")
    if unknown := sorted(set(map(str, value)) - set(allowed)):
        problem = f"has no field {unknown[0]!r}; allowed: {', '.join(allowed)}"
        return FeedbackRefused(memory_id=memory_id, error=problem)
    if "feedback" not in value:
        return FeedbackRefused(memory_id=memory_id, error="feedback: is missing")
    return Item(**{name: part for name, part in value.items() if part is not None})


async def _checked(
    resources: Resources,
    scope: Scope,
    items: Sequence[Item | FeedbackRefused],
    known: Mapping[str, Memory],
) -> list[Rating | MemError | FeedbackRefused]:
    questions = _Questions(resources, scope)
    now = utc_now()
    checked: list[Rating | MemError | FeedbackRefused] = []
    for index, item in enumerate(items):
        if isinstance(item, FeedbackRefused):
            checked.append(item)
            continue
        try:
            rating, reason = _words(item)
            if not arguments.name(item.memory_id, "memory_id"):
                raise InvalidInput("memory_id", "is missing; give one that recall returned")
            memory = known.get(item.memory_id)
            if memory is None:
                raise NotFound(item.memory_id)
            query, vector = await questions.of(item)
        except MemError as error:
            checked.append(error)
            continue
        checked.append(
            Rating(
                memory_id=memory.memory_id,
                owner=memory.user_id,
                rating=rating,
                reason=reason,
                query=query,
                question=question_of(query),
                user_id=scope.user_id,
                agent_id=scope.agent_id,
                vector=vector,
                # In a call the later of two on the same counts.
                created_at=now + timedelta(microseconds=index),
            )
        )
    return checked


def _words(item: Item) -> tuple[str, str | None]:
    rating = item.feedback or ""
    if rating:
        words = arguments.literal(Feedback)
        if not isinstance(rating, str) or rating not in words:
            raise InvalidInput(
                "feedback", f"{rating!r} is not one of {', '.join(words)}, or empty to remove it"
            )
    return rating, check_text(item.feedback_reason or "", "feedback_reason", MAX_REASON) or None


async def _known(
    resources: Resources, scope: Scope, items: Sequence[Item | FeedbackRefused]
) -> dict[str, Memory]:
    """Return the current memories that are named and that this caller may see."""
    ids = {one.memory_id for one in items if isinstance(one.memory_id, str) and one.memory_id}
    if not ids:
        return {}
    rows = await resources.store.read(
        every(
            {"memory_id": {"in": sorted(ids)}, "status": {"ne": "deleted"}},
            owned(Scope(user_id=scope.user_id), include_global=True),
            current(),
        ),
        columns=["memory_id", "user_id", "status"],
    )
    return {row.memory.memory_id: row.memory for row in rows}


class _Questions:
    """Resolves what marks are about; each question is looked up or embedded once."""

    def __init__(self, resources: Resources, scope: Scope) -> None:
        self._resources = resources
        self._scope = scope
        self._traces: dict[str, Trace | None] = {}
        self._vectors: dict[str, Vector | None] = {}

    async def of(self, item: Item) -> tuple[str, Vector | None]:
        query = check_text(item.query or "", "query", MAX_QUERY)
        recall_id = arguments.name(item.recall_id, "recall_id")
        if query.strip() and recall_id:
            raise InvalidInput("query", "give either recall_id or query, not both")
        if recall_id is not None:
            if recall_id not in self._traces:
                traces = self._resources.traces
                self._traces[recall_id] = await traces.find(recall_id, self._scope.user_id)
            trace = self._traces[recall_id]
            if trace is None:
                days = self._resources.settings.recall.trace_days
                raise InvalidInput(
                    "recall_id",
                    f"{recall_id!r} is unknown, or older than {days} days; give the query instead",
                )
            return trace.query, trace.vector
        if not query.strip():
            return "", None
        if query not in self._vectors:
            ((vector,), _) = await self._resources.embed([query])
            self._vectors[query] = vector
        return query, self._vectors[query]


async def _show_or_hide(
    resources: Resources, scope: Scope, entries: Sequence[Rating], known: Mapping[str, Memory]
) -> None:
    """Hide what its owner calls very wrong, and show it again when the mark is gone."""
    latest = await resources.ratings.latest(frozenset(entry.owner for entry in entries))
    condemned = {
        mark.memory_id
        for mark in latest.values()
        if mark.rating == _HIDES and mark.user_id == scope.user_id
    }
    for memory_id in dict.fromkeys(entry.memory_id for entry in entries):
        hidden = memory_id in condemned
        if hidden != (known[memory_id].status == "hidden"):
            await _set_status(resources, scope, memory_id, hidden=hidden)


async def _set_status(resources: Resources, scope: Scope, memory_id: str, *, hidden: bool) -> None:
    wanted, others = ("hidden", ("active", "probation")) if hidden else ("active", ("hidden",))
    for _ in range(WRITE_ATTEMPTS):
        rows = await resources.store.read(
            every({"memory_id": memory_id, "status": {"in": [*others]}}, current()),
            columns=EVERY_FIELD,
        )
        if not rows:
            return
        try:
            await check_may_change(resources.store, scope, rows[0].memory)
        except NotPermitted:
            return  # the mark counts, but only who wrote a shared memory hides it from all
        changes = {
            "status": wanted,
            "reason": f"feedback of its owner: {_HIDES}"
            if hidden
            else "its owner took the feedback back",
        }
        closed, opened = succeed(
            rows[0], "UPDATE", scope, utc_now(), fields=changes, vector=rows[0].vector
        )
        if await resources.store.apply([opened], close=[closed]):
            return
    raise WriteConflict(f"others keep changing memory {memory_id!r}; try again")


def _result(
    checked: Sequence[Rating | MemError | FeedbackRefused],
    items: Sequence[Item | FeedbackRefused],
    before: Mapping[Key, Rating],
) -> FeedbackResult:
    results: list[FeedbackGiven] = []
    errors: list[FeedbackRefused] = []
    previous = {key: rating.rating for key, rating in before.items()}
    for one, item in zip(checked, items, strict=True):
        if isinstance(one, Rating):
            earlier = previous.get(one.key, "")
            previous[one.key] = one.rating
            results.append(
                FeedbackGiven(
                    memory_id=one.memory_id,
                    feedback=cast("Feedback | None", one.rating or None),
                    previous=cast("Feedback | None", earlier or None),
                )
            )
        elif isinstance(one, FeedbackRefused):
            errors.append(one)
        else:
            errors.append(FeedbackRefused(memory_id=str(item.memory_id), error=str(one)))
    return FeedbackResult(results=results, errors=errors)
