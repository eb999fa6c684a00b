"""give_feedback: whether memories helped, and with which question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import cast

from mem_mcp.api import checks
from mem_mcp.api.call import arguments_of, read
from mem_mcp.api.feedback import GiveFeedback, Mark
from mem_mcp.api.models import (
    Feedback,
    FeedbackGiven,
    FeedbackRefused,
    FeedbackResult,
    Memory,
    Scope,
)
from mem_mcp.errors import InvalidInput, MemError
from mem_mcp.learning.hide import affected, sync_hidden
from mem_mcp.logs.feedback import Rating, RatingKey, question_key
from mem_mcp.logs.recalls import Trace
from mem_mcp.retrieval.access import Visible, visible
from mem_mcp.runtime import Runtime
from mem_mcp.store import Vector, unbroken
from mem_mcp.times import utc_now

_OF_ONE = tuple(argument.name for argument in arguments_of(Mark))


async def give_feedback(runtime: Runtime, request: GiveFeedback) -> FeedbackResult:
    """Store marks, in one commit, and hide or show again what they are about.

    Raises:
        InvalidInput: an argument was refused; nothing was stored. Of several items each has its
            own error instead.
        NotFound: the one memory is not there for this caller.
    """
    scope = request.scope(runtime.settings.user_id)
    if request.items is None:
        marks: list[Mark | FeedbackRefused] = [request]
    elif any(getattr(request, name) for name in _OF_ONE):
        raise InvalidInput("items", "give either memory_id and its feedback, or items, not both")
    elif not request.items:
        raise InvalidInput("items", "is empty; name a memory and its feedback in each")
    else:
        marks = [_mark(item) for item in request.items]
    known = await _known(runtime, scope, marks)
    checked = await _checked(runtime, scope, marks, known)
    if request.items is None and isinstance(checked[0], MemError):
        raise checked[0]
    entries = [one for one in checked if isinstance(one, Rating)]
    before: Mapping[RatingKey, Rating] = {}
    if entries:
        before = await _stored(runtime, scope, entries, known.memories)
    return _result(checked, marks, before)


@unbroken  # a mark that hides is never left without its effect by a caller who gives up
async def _stored(
    runtime: Runtime, scope: Scope, entries: Sequence[Rating], known: Mapping[str, Memory]
) -> Mapping[RatingKey, Rating]:
    """Store marks and what follows from them; return the marks that counted before."""
    before = await runtime.ratings.latest(frozenset(entry.owner for entry in entries))
    entries = _in_order(entries, before)
    await runtime.ratings.add(entries)
    # Read again: another call may have hidden one since, seeing only what was stored until then.
    now = await visible(runtime.store, scope, {entry.memory_id for entry in entries})
    touched = affected(entries, before, {**known, **now.memories})
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


def _mark(item: object) -> Mark | FeedbackRefused:
    if not isinstance(item, Mapping):
        return FeedbackRefused(memory_id="", error=f"must be an object with {', '.join(_OF_ONE)}")
    try:
        if "feedback" not in item:
            raise InvalidInput("feedback", "is missing")
        return read(Mark, item, UTC)
    except InvalidInput as error:
        return FeedbackRefused(memory_id=_shown(item.get("memory_id")), error=str(error))


async def _checked(
    runtime: Runtime,
    scope: Scope,
    marks: Sequence[Mark | FeedbackRefused],
    known: Visible,
) -> list[Rating | MemError | FeedbackRefused]:
    questions = await _Questions.of(runtime, scope, marks)
    now = utc_now()
    checked: list[Rating | MemError | FeedbackRefused] = []
    for index, mark in enumerate(marks):
        if isinstance(mark, FeedbackRefused):
            checked.append(mark)
            continue
        try:
            if not mark.memory_id:
                raise InvalidInput("memory_id", "is missing; give one that recall returned")
            memory = known.of(mark.memory_id)
            query, vector = questions.asked(mark)
        except MemError as error:
            checked.append(error)
            continue
        checked.append(
            Rating(
                memory_id=memory.memory_id,
                owner=memory.user_id,
                rating=mark.feedback or "",
                reason=mark.feedback_reason or None,
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


def _shown(memory_id: object) -> str:
    """Return an id as it can be written into an answer, whatever it is."""
    text = "" if memory_id is None else str(memory_id)
    return text[: checks.MAX_NAME].encode("utf-8", "replace").decode()


async def _known(
    runtime: Runtime, scope: Scope, marks: Sequence[Mark | FeedbackRefused]
) -> Visible:
    """Return the current memories that are named and that this caller may see."""
    ids = {mark.memory_id for mark in marks if isinstance(mark, Mark)} - {""}
    return await visible(runtime.store, scope, ids)


@dataclass(frozen=True, slots=True)
class _Questions:
    """What marks are about; all questions are looked up, and embedded, at once."""

    traces: Mapping[str, Trace]
    vectors: Mapping[str, Vector | None]
    days: int

    @classmethod
    async def of(
        cls, runtime: Runtime, scope: Scope, marks: Sequence[Mark | FeedbackRefused]
    ) -> _Questions:
        given = [mark for mark in marks if isinstance(mark, Mark)]
        named = {mark.recall_id for mark in given} - {""}
        traces = await runtime.traces.find_all(sorted(named), scope.user_id)
        queries = [text for text in dict.fromkeys(mark.query for mark in given) if text.strip()]
        vectors, _ = await runtime.embed(queries, "query") if queries else ([], [])
        days = runtime.settings.recall.trace_days
        return cls(traces, dict(zip(queries, vectors, strict=True)), days)

    def asked(self, mark: Mark) -> tuple[str, Vector | None]:
        """Return the question of a mark; "" where it has none."""
        query, recall_id = mark.query, mark.recall_id
        if query.strip() and recall_id:
            raise InvalidInput("query", "give either recall_id or query, not both")
        if recall_id:
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
    marks: Sequence[Mark | FeedbackRefused],
    before: Mapping[RatingKey, Rating],
) -> FeedbackResult:
    results: list[FeedbackGiven] = []
    errors: list[FeedbackRefused] = []
    previous = {key: rating.rating for key, rating in before.items()}
    for one, mark in zip(checked, marks, strict=True):
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
            errors.append(FeedbackRefused(memory_id=_shown(mark.memory_id), error=str(one)))
    return FeedbackResult(results=results, errors=errors)
