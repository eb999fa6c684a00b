"""give_feedback: whether memories helped, and with which question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import timedelta
from functools import partial
from typing import Any, cast

from mem_mcp.api import arguments
from mem_mcp.api.models import (
    Feedback,
    FeedbackGiven,
    FeedbackRefused,
    FeedbackResult,
    Memory,
    Scope,
)
from mem_mcp.errors import InvalidInput, MemError, NotFound
from mem_mcp.learning.hide import affected, sync_hidden
from mem_mcp.logs.feedback import Rating, RatingKey, question_key
from mem_mcp.logs.recalls import Trace
from mem_mcp.retrieval.access import visible
from mem_mcp.runtime import Runtime
from mem_mcp.store import Vector, unbroken
from mem_mcp.text import check_text
from mem_mcp.times import utc_now

MOST_ITEMS = 1_000
MAX_REASON = 10_000
MAX_QUERY = 50_000
# Of what a caller gave, when it is shown back.
_LONGEST = 80


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


async def give_feedback(runtime: Runtime, request: Request) -> FeedbackResult:
    """Store marks, in one commit, and hide or show again what they are about.

    Raises:
        InvalidInput: an argument was refused; nothing was stored. Of several items each has its
            own error instead.
        NotFound: the one memory is not there for this caller.
    """
    scope = arguments.scope(
        runtime.settings.user_id, request.user_id, request.agent_id, request.run_id
    )
    if request.items is None:
        items: list[Item | FeedbackRefused] = [request.one]
    elif any(asdict(request.one).values()):
        raise InvalidInput("items", "give either memory_id and its feedback, or items, not both")
    else:
        items = _items(request.items)
    known = await _known(runtime, scope, items)
    checked = await _checked(runtime, scope, items, known)
    if request.items is None and isinstance(checked[0], MemError):
        raise checked[0]
    entries = [one for one in checked if isinstance(one, Rating)]
    before: Mapping[RatingKey, Rating] = {}
    if entries:
        before = await _stored(runtime, scope, entries, known)
    return _result(checked, items, before)


@unbroken  # a mark that hides is never left without its effect by a caller who gives up
async def _stored(
    runtime: Runtime, scope: Scope, entries: Sequence[Rating], known: Mapping[str, Memory]
) -> Mapping[RatingKey, Rating]:
    """Store marks and what follows from them; return the marks that counted before."""
    before = await runtime.ratings.latest(frozenset(entry.owner for entry in entries))
    entries = _in_order(entries, before)
    await runtime.ratings.add(entries)
    touched = affected(entries, before, known)
    if touched:
        await sync_hidden(runtime, scope, touched)
    return before


def _in_order(entries: Sequence[Rating], before: Mapping[RatingKey, Rating]) -> list[Rating]:
    """Have each mark follow the one that it replaces, also where clocks disagree."""
    last = {key: mark.created_at for key, mark in before.items()}
    ordered = []
    for entry in entries:
        earlier = last.get(entry.key)
        if earlier is not None and earlier >= entry.created_at:
            entry = replace(entry, created_at=earlier + timedelta(microseconds=1))  # noqa: PLW2901
        last[entry.key] = entry.created_at
        ordered.append(entry)
    return ordered


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
    memory_id = _shown(value.get("memory_id"))
    if unknown := sorted(set(map(str, value)) - set(allowed)):
        problem = f"has no field {unknown[0]!r:.{_LONGEST}}; allowed: {', '.join(allowed)}"
        return FeedbackRefused(memory_id=memory_id, error=problem)
    if "feedback" not in value:
        return FeedbackRefused(memory_id=memory_id, error="feedback: is missing")
    return Item(**{name: part for name, part in value.items() if part is not None})


async def _checked(
    runtime: Runtime,
    scope: Scope,
    items: Sequence[Item | FeedbackRefused],
    known: Mapping[str, Memory],
) -> list[Rating | MemError | FeedbackRefused]:
    questions = await _Questions.of(runtime, scope, items)
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
            query, vector = questions.asked(item)
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
                question=question_key(query),
                user_id=scope.user_id,
                agent_id=scope.agent_id,
                vector=vector,
                # In a call the later of two on the same counts.
                created_at=now + timedelta(microseconds=index),
            )
        )
    return checked


def _words(item: Item) -> tuple[str, str | None]:
    rating = "" if item.feedback is None else item.feedback
    words = arguments.literal(Feedback)
    if not isinstance(rating, str) or rating not in ("", *words):
        raise InvalidInput(
            "feedback",
            f"{rating!r:.{_LONGEST}} is not one of {', '.join(words)}, or empty to remove it",
        )
    return rating, _text(item.feedback_reason, "feedback_reason", MAX_REASON) or None


def _text(value: str | None, argument: str, limit: int) -> str:
    return "" if value is None else check_text(value, argument, limit)


def _query(item: Item) -> str:
    return _text(item.query, "query", MAX_QUERY)


def _checks(check: Callable[[], str | None]) -> str:
    """Return what a check lets pass; "" where it refuses, which is said of each item later."""
    try:
        return check() or ""
    except InvalidInput:
        return ""


def _shown(memory_id: object) -> str:
    """Return an id as it can be written into an answer, whatever it is."""
    text = "" if memory_id is None else str(memory_id)
    return text[: arguments.MAX_NAME].encode("utf-8", "replace").decode()


async def _known(
    runtime: Runtime, scope: Scope, items: Sequence[Item | FeedbackRefused]
) -> dict[str, Memory]:
    """Return the current memories that are named and that this caller may see."""
    named = [item.memory_id for item in items if isinstance(item, Item)]
    ids = {_checks(partial(arguments.name, one, "memory_id")) for one in named} - {""}
    return await visible(runtime.store, scope, ids)


@dataclass(frozen=True, slots=True)
class _Questions:
    """What marks are about; all questions are looked up, and embedded, at once."""

    traces: Mapping[str, Trace]
    vectors: Mapping[str, Vector | None]
    days: int

    @classmethod
    async def of(
        cls, runtime: Runtime, scope: Scope, items: Sequence[Item | FeedbackRefused]
    ) -> _Questions:
        given = [item for item in items if isinstance(item, Item)]
        named = {_checks(partial(arguments.name, item.recall_id, "recall_id")) for item in given}
        traces = await runtime.traces.find_all(sorted(named - {""}), scope.user_id)
        texts = dict.fromkeys(_checks(partial(_query, item)) for item in given)
        queries = [text for text in texts if text.strip()]
        vectors, _ = await runtime.embed(queries) if queries else ([], [])
        days = runtime.settings.recall.trace_days
        return cls(traces, dict(zip(queries, vectors, strict=True)), days)

    def asked(self, item: Item) -> tuple[str, Vector | None]:
        """Return the question of a mark; "" where it has none."""
        query = _query(item)
        recall_id = arguments.name(item.recall_id, "recall_id")
        if query.strip() and recall_id:
            raise InvalidInput("query", "give either recall_id or query, not both")
        if recall_id is not None:
            trace = self.traces.get(recall_id)
            if trace is None:
                raise InvalidInput(
                    "recall_id",
                    f"{recall_id!r} is unknown, or older than {self.days} days; give the query "
                    "instead",
                )
            return trace.query, trace.vector
        return (query, self.vectors[query]) if query.strip() else ("", None)


def _result(
    checked: Sequence[Rating | MemError | FeedbackRefused],
    items: Sequence[Item | FeedbackRefused],
    before: Mapping[RatingKey, Rating],
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
            errors.append(FeedbackRefused(memory_id=_shown(item.memory_id), error=str(one)))
    return FeedbackResult(results=results, errors=errors)
