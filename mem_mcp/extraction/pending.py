"""Input that waits for the language model: stored as given, grouped by request."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mem_mcp.api.models import WAITS, Memory, Scope
from mem_mcp.extraction.pictures import Content, from_note, noted
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.store import Filters, Store, Version

WAITING = every(current(), {"status": "pending"})
"""Filter: the rows that wait."""
_AT_ONCE = 20


def waiting(
    memories: Sequence[Memory], instructions: str, contents: Sequence[Content] | None = None
) -> list[Memory]:
    """Return the memories of one request as rows that wait for the model.

    Args:
        memories: as the caller gave them.
        instructions: those of the call; the model will get them.
        contents: what each memory holds, if there are pictures to describe later.
    """
    request = {"request": secrets.token_hex(8), "instructions": instructions}
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
    return {"status": "pending", "reason": WAITS, "source": json.dumps(note)}


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
    return {"status": "pending", "reason": WAITS, "source": json.dumps(note)}


def is_kept(memory: Memory) -> bool:
    """Whether a row that waits was passed over by a model."""
    return request_of(memory).get("kept") is True


async def requests_waiting(store: Store, most: int, *, with_kept: bool = True) -> list[list[str]]:
    """Return the ids of the memories that wait, request by request, the longest waiting first.

    Args:
        store: the store to read.
        most: most rows to look at.
        with_kept: also those that a model read and passed over.
    """
    grouped: dict[tuple[str | None, ...], list[str]] = {}
    after: Filters = {}
    # What is noted may hold pictures: so little by little, and only the ids are kept.
    while most > 0:
        rows = await store.read(
            every(WAITING, after),
            columns=["memory_id", "kind", "source", *Scope.model_fields],
            order=[("recorded_at", True), ("version_id", True)],
            limit=min(most, _AT_ONCE),
        )
        for row in rows:
            if row.memory.memory_id in _BEING_READ or (is_kept(row.memory) and not with_kept):
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
