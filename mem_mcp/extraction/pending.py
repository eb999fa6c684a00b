"""Input that waits for the language model: stored as given, grouped by request.

A row counts how often the model was asked for it and gave no usable answer. After each time it
waits longer until the model is asked by itself again (`is_due`), and after the last it is given up:
only `reprocess` asks for it then. That a model cannot be reached does not count.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from mem_mcp.api.models import GIVEN_UP, WAITS, Memory, Scope
from mem_mcp.extraction.pictures import Content, from_note, noted
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters, Store, Version
from mem_mcp.text import digest
from mem_mcp.times import utc_now
from mem_mcp.writing.insert import IdempotencyKey
from mem_mcp.writing.versions import next_version

WAITING = every(current(), {"status": "pending"})
"""Filter: the rows that wait."""
_AT_ONCE = 20
_MOST_READ = 1_000
_TURNS = 16
MOST_FAILURES = 5
"""Answers that cannot be used, after which a row is given up."""
_FIRST_PAUSE = timedelta(minutes=1)
_LONGER = 5
"""How many times longer each pause is than the one before."""


def waiting(
    memories: Sequence[Memory], instructions: str, contents: Sequence[Content] | None = None
) -> list[Memory]:
    """Return the memories of one request as rows that wait for the model.

    Args:
        memories: as the caller gave them.
        instructions: those of the call; the model will get them.
        contents: what each memory holds, if there are pictures to describe later.
    """
    request = {
        "request": secrets.token_hex(8),
        "instructions": instructions,
        "key": memories[0].request_key if memories else None,
    }
    held = contents or [Content((memory.text,)) for memory in memories]
    return [
        memory.model_copy(update=still_waiting(request, content))
        for memory, content in zip(memories, held, strict=True)
    ]


def still_waiting(request: Mapping[str, Any], content: Content) -> dict[str, Any]:
    """Return the fields of a row that waits.

    Args:
        request: the note about its request.
        content: what it holds; the note keeps it while pictures are not described.
    """
    note = {name: value for name, value in request.items() if name != "content"}
    if content.pictures:
        note["content"] = noted(content)
    return {"status": "pending", "reason": _reason(note), "source": json.dumps(note)}


def _reason(note: Mapping[str, Any]) -> str:
    return GIVEN_UP if note.get("failures", 0) >= MOST_FAILURES else WAITS


def turn_of(request: IdempotencyKey) -> str:
    """Return the name of the turn in which requests of a key are read, one after the other."""
    return f"read-{int(digest(request.key), 16) % _TURNS}"


_BEING_READ: set[str] = set()


@contextmanager
def being_read(rows: Sequence[Version]) -> Iterator[None]:
    """Keep `requests_waiting` of this process from rows that are being read."""
    ids = {row.memory.memory_id for row in rows}
    _BEING_READ.update(ids)
    try:
        yield
    finally:
        _BEING_READ.difference_update(ids)


def kept(row: Version) -> dict[str, Any]:
    """Return the fields of a row that a model read and passed over: it waits for a better one."""
    note = {**request_of(row.memory), "kept": True}
    return {"status": "pending", "reason": _reason(note), "source": json.dumps(note)}


def failed_again(memory: Memory, now: datetime) -> dict[str, Any]:
    """Return what changes in a row that the model failed at once more."""
    failures = failures_of(memory) + 1
    if memory.kind == "outcome":  # it has no note: its versions count
        return {"reason": GIVEN_UP if failures >= MOST_FAILURES else WAITS}
    note = {**request_of(memory), "failures": failures, "failed_at": now.isoformat()}
    return {"reason": _reason(note), "source": json.dumps(note)}


def failures_of(memory: Memory) -> int:
    """Return how often the model failed at a row that waits."""
    if memory.kind == "outcome":
        return memory.version - 1
    counted = request_of(memory).get("failures")
    return counted if isinstance(counted, int) else 0


def is_due(memory: Memory, now: datetime) -> bool:
    """Whether the model may be asked by itself for a row that waits."""
    failures = failures_of(memory)
    if not failures:
        return True
    return memory.reason != GIVEN_UP and now >= _failed_at(memory) + _pause(failures)


async def next_due(store: Store) -> datetime | None:
    """Return when the model may be asked again for something it failed at; None for nothing."""
    rows = await store.read(
        every(WAITING, {"reason": {"ne": GIVEN_UP}}),
        columns=["memory_id", "kind", "source", "reason", "version", "recorded_at"],
        limit=_MOST_READ,
    )
    moments = [
        _failed_at(row.memory) + _pause(failures)
        for row in rows
        if (failures := failures_of(row.memory)) and not is_kept(row.memory)
    ]
    return min(moments, default=None)


def _failed_at(memory: Memory) -> datetime:
    try:
        return datetime.fromisoformat(request_of(memory)["failed_at"])
    except (KeyError, TypeError, ValueError):
        return memory.recorded_at


def _pause(failures: int) -> timedelta:
    longer: int = _LONGER ** (min(failures, MOST_FAILURES) - 1)
    return _FIRST_PAUSE * longer


async def count_failure(runtime: Runtime, rows: Sequence[Version]) -> None:
    """Count, in one commit, that the model gave no usable answer for rows that wait."""
    now = utc_now()
    pairs = [
        next_version(
            row,
            "UPDATE",
            Scope(user_id=row.memory.actor or row.memory.user_id),
            now,
            fields=failed_again(row.memory, now),
            vectors=row.vectors,
        )
        for row in rows
    ]
    # Whoever changed one meanwhile has its own reasons: then nothing is counted.
    if pairs:
        await runtime.store.apply([new for _, new in pairs], close=[old for old, _ in pairs])


def is_kept(memory: Memory) -> bool:
    """Whether a row that waits was passed over by a model."""
    return request_of(memory).get("kept") is True


async def requests_waiting(
    store: Store, most: int, *, due: datetime | None = None
) -> list[list[str]]:
    """Return the ids of the memories that wait, request by request, the longest waiting first.

    Args:
        store: the store to read.
        most: most rows to look at.
        due: only those that a model may be asked for by itself at this time, and not those that
            one read and passed over; None for all.
    """
    grouped: dict[tuple[str | None, ...], list[str]] = {}
    after: Filters = {}
    # What is noted may hold pictures: so little by little, and only the ids are kept.
    while most > 0:
        rows = await store.read(
            every(WAITING, after, {"reason": {"ne": GIVEN_UP}} if due else {}),
            columns=["memory_id", "kind", "source", "reason", "version", *Scope.model_fields],
            order=[("recorded_at", True), ("version_id", True)],
            limit=min(most, _AT_ONCE),
        )
        for row in rows:
            if row.memory.memory_id in _BEING_READ:
                continue
            if due and (is_kept(row.memory) or not is_due(row.memory, due)):
                continue
            own, named = row.memory.memory_id, request_of(row.memory).get("request")
            # What was imported for several users names the same request for each.
            whose = (getattr(row.memory, name) for name in Scope.model_fields)
            grouped.setdefault((str(named or own), *whose), []).append(own)
        if len(rows) < _AT_ONCE:
            break
        most -= len(rows)
        last = rows[-1].memory
        after = {
            "OR": [
                {"recorded_at": {"gt": last.recorded_at}},
                {"recorded_at": last.recorded_at, "version_id": {"gt": last.version_id}},
            ]
        }
    return list(grouped.values())


async def rows_waiting(store: Store, ids: Sequence[str]) -> list[Version]:
    """Return the rows of these memories that still wait, with all fields, in order."""
    rows = await store.read(every(WAITING, {"memory_id": {"in": [*ids]}}), columns=EVERY_FIELD)
    return sorted(rows, key=lambda row: (row.memory.position or 0, row.memory.recorded_at))


def content_of_row(memory: Memory) -> Content:
    """Return the content of a waiting row, with its pictures; its text if that was changed."""
    return from_note(request_of(memory).get("content"), memory.text, memory.actor_id)


def request_of(memory: Memory) -> Mapping[str, Any]:
    """Return the note about the request of a waiting row; an outcome has none."""
    if memory.kind == "outcome":
        return {}
    try:
        noted = json.loads(memory.source or "{}")
    except ValueError:  # of an imported row, perhaps
        return {}
    return noted if isinstance(noted, dict) else {}
