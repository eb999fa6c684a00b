"""What waits for a language model: stored as it was given, and grouped by request."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from mem_mcp.api.models import WAITS, Memory, Scope
from mem_mcp.extraction.pictures import Content, from_note, noted
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.store import Filters, Store, Version

WAITING = every(current(), {"status": "pending"})
"""Rows that wait."""
_AT_ONCE = 20


def waiting(
    memories: Sequence[Memory], instructions: str, contents: Sequence[Content] | None = None
) -> list[Memory]:
    """Return the memories of one request, to be stored until a model reads them.

    Args:
        memories: as they were given.
        instructions: the call's own, for then.
        contents: what each holds, for its pictures to be described then.
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
        request: what is noted of its request.
        content: what it holds; noted, too, while there are pictures to be described.
    """
    note = {name: value for name, value in request.items() if name != "content"}
    if content.pictures:
        note["content"] = noted(content)
    return {"status": "pending", "reason": WAITS, "source": json.dumps(note)}


async def requests_waiting(store: Store, most: int) -> list[list[str]]:
    """Return the ids of the memories that wait, request by request, the longest waiting first.

    Args:
        store: where.
        most: rows that are looked at.
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
    """Return those of some memories that still wait, whole, in the order they were given."""
    rows = await store.read(every(WAITING, {"memory_id": {"in": [*ids]}}), columns=EVERY_FIELD)
    return sorted(rows, key=lambda row: (row.memory.position or 0, row.memory.recorded_at))


def content_of_row(memory: Memory) -> Content:
    """Return what a row that waits holds, with its pictures; what was changed since, as it is."""
    return from_note(request_of(memory).get("content"), memory.text, memory.actor_id)


def request_of(memory: Memory) -> Mapping[str, Any]:
    """Return what is noted of the request of a row that waits; of an outcome, nothing."""
    if memory.kind == "outcome":
        return {}
    try:
        noted = json.loads(memory.source or "{}")
    except ValueError:  # of an imported row, perhaps
        return {}
    return noted if isinstance(noted, dict) else {}
