"""Lines of an export, read and checked: versions of memories, marks and recalls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite
from typing import Any, get_args

from pydantic import ValidationError

from mem_mcp.api import checks, words
from mem_mcp.api.models import Event, Feedback, Kind, Memory, Outcome, Severity, Status
from mem_mcp.errors import InvalidInput
from mem_mcp.logs.feedback import Rating, question_key
from mem_mcp.logs.recalls import Trace
from mem_mcp.runtime import Runtime
from mem_mcp.text import check_text, content_hash
from mem_mcp.times import optional_time, parse_time

_FIELDS = tuple(Memory.model_fields)
_MADE_ANEW = ("embedder", "content_hash")


def line_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a memory as they are stored.

    Raises:
        InvalidInput: one is not what is allowed.
    """
    readers: dict[str, Callable[[Any], Any]] = {
        "kind": lambda v: words.word(v, "kind", checks.literal(Kind)),
        "event": lambda v: words.word(v, "event", checks.literal(Event)),
        "status": lambda v: words.word(v, "status", checks.literal(Status)),
        "outcome_type": lambda v: words.word(v, "outcome_type", checks.literal(Outcome)),
        "severity": lambda v: words.word(v, "severity", checks.literal(Severity)),
        "metadata": partial(checks.metadata, argument="metadata"),
        "relations": partial(checks.relations, argument="relations"),
        "version": partial(checks.whole, argument="version", least=1),
        "position": lambda v: checks.count(v, "position"),
        "confidence": lambda v: checks.fraction(v, "confidence"),
        # However long: of what waits with pictures, it holds them.
        "source": lambda v: check_text(v, "source"),
        "reason": lambda v: check_text(v, "reason"),
        "text": lambda v: checks.required_text(v, "text", None),
    }
    for listed in ("tags", "entities", "used", "evidence"):
        readers[listed] = partial(checks.names, argument=listed, most=checks.MAX_COUNT)
    for moment in ("occurred_at", "valid_until", "expires_at", "recorded_at", "superseded_at"):
        readers[moment] = partial(optional_time, argument=moment)
    return {
        name: readers[name](value) if name in readers else checks.name(value, name)
        for name, value in fields.items()
    }


def version(fields: Mapping[str, Any]) -> Memory:
    """Read one version of a memory.

    Raises:
        InvalidInput: a field is unknown, missing, or not what is allowed.
    """
    if unknown := [name for name in fields if name not in _FIELDS]:
        raise InvalidInput(unknown[0], f"no such field; allowed: {', '.join(_FIELDS)}")
    given = {k: v for k, v in fields.items() if k not in _MADE_ANEW and v is not None}
    values = line_fields(given)
    for name in ("memory_id", "version", "event", "text", "kind", "user_id", "recorded_at"):
        if values.get(name) is None:
            raise InvalidInput(name, "is missing; each line behind a header is a whole version")
    whole_id = f"{values['memory_id']}.{values['version']}"
    if values.setdefault("version_id", whole_id) != whole_id:
        raise InvalidInput("version_id", f"is not {whole_id!r}, as memory_id and version have it")
    values.setdefault("occurred_at", values["recorded_at"])
    try:
        return Memory(**values, content_hash=content_hash(values["text"]))
    except ValidationError as error:
        raise InvalidInput("format", str(error.errors()[0]["msg"])) from error


def mark(fields: object) -> Rating:
    """Read a mark, still without the vector of its question.

    Raises:
        InvalidInput: a field is missing, or not what is allowed.
    """
    given = checks.object_of(fields, "feedback")
    query = check_text(given.get("query", ""), "feedback.query")
    rating = given.get("rating", "")
    if rating not in ("", *get_args(Feedback)):
        raise InvalidInput("feedback.rating", f"is none of {', '.join(get_args(Feedback))}")
    reason = given.get("reason")
    return Rating(
        memory_id=_named(given, "feedback", "memory_id"),
        owner=_named(given, "feedback", "owner"),
        rating=rating,
        reason=None if reason is None else check_text(reason, "feedback.reason"),
        query=query,
        question=question_key(query),
        user_id=_named(given, "feedback", "user_id"),
        agent_id=checks.name(given.get("agent_id"), "feedback.agent_id"),
        vector=None,
        created_at=parse_time(given.get("created_at"), "feedback.created_at"),
    )


def trace(fields: object) -> Trace:
    """Read an answer of recall, still without the vector of its question.

    Raises:
        InvalidInput: a field is missing, or not what is allowed.
    """
    given = checks.object_of(fields, "trace")
    arguments, relevance = _json_object(given, "arguments"), _json_object(given, "relevance")
    if not all(isinstance(one, int | float) and isfinite(one) for one in relevance.values()):
        raise InvalidInput("trace.relevance", "must have numbers")
    return Trace(
        recall_id=_named(given, "trace", "recall_id"),
        tool=_named(given, "trace", "tool"),
        user_id=_named(given, "trace", "user_id"),
        agent_id=checks.name(given.get("agent_id"), "trace.agent_id"),
        query=check_text(given.get("query", ""), "trace.query"),
        vector=None,
        memory_ids=checks.names(given.get("memory_ids"), "trace.memory_ids", checks.MAX_COUNT),
        arguments=arguments,
        created_at=parse_time(given.get("created_at"), "trace.created_at"),
        relevance={memory_id: float(one) for memory_id, one in relevance.items()},
    )


def _json_object(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object whose JSON is the text of a trace's field; empty if there is none."""
    try:
        found = json.loads(check_text(given.get(name, "{}"), f"trace.{name}"))
    except ValueError as error:
        raise InvalidInput(f"trace.{name}", "is not JSON") from error
    return checks.object_of(found, f"trace.{name}")


async def add_marks(runtime: Runtime, marks: Sequence[Rating]) -> None:
    """Store those marks that are not stored."""
    known = {
        (one.key, one.created_at)
        for one in await runtime.ratings.on({one.memory_id for one in marks})
    }
    new = [one for one in marks if (one.key, one.created_at) not in known]
    if not new:
        return
    questions = sorted({one.query for one in new if one.question})
    vectors = dict(zip(questions, (await runtime.embed(questions, "query"))[0], strict=True))
    await runtime.ratings.add([replace(one, vector=vectors.get(one.query)) for one in new])


async def add_traces(runtime: Runtime, traces: Sequence[Trace]) -> None:
    """Store those recalls that are not stored."""
    known = await runtime.traces.known([one.recall_id for one in traces])
    new = [one for one in traces if one.recall_id not in known]
    if not new:
        return
    questions = sorted({one.query for one in new if one.query})
    vectors = dict(zip(questions, (await runtime.embed(questions, "query"))[0], strict=True))
    await runtime.traces.store([replace(one, vector=vectors.get(one.query)) for one in new])


def _named(fields: Mapping[str, Any], what: str, name: str) -> str:
    value = checks.name(fields.get(name), f"{what}.{name}")
    if value is None:
        raise InvalidInput(f"{what}.{name}", "is missing")
    return value
