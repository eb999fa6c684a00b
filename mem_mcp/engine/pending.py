"""What waits for a language model: stored as it was given, and grouped by request."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from mem_mcp.engine.find import EVERY_FIELD
from mem_mcp.engine.visibility import current, every
from mem_mcp.models import WAITS, Memory
from mem_mcp.store import Store, Version

WAITING = every(current(), {"status": "pending"})
"""Rows that wait."""


def waiting(memories: Sequence[Memory], instructions: str) -> list[Memory]:
    """Return the memories of one request, to be stored until a model reads them.

    Args:
        memories: as they were given.
        instructions: the call's own, for then.
    """
    request = {"request": secrets.token_hex(8), "instructions": instructions}
    fields = {"status": "pending", "reason": WAITS, "source": json.dumps(request)}
    return [memory.model_copy(update=fields) for memory in memories]


async def requests_waiting(store: Store, most: int) -> list[list[Version]]:
    """Return the rows that wait, request by request, the longest waiting first.

    Args:
        store: where.
        most: rows that are looked at.
    """
    rows = await store.read(WAITING, columns=EVERY_FIELD, order=[("recorded_at", True)], limit=most)
    grouped: dict[str, list[Version]] = {}
    for row in rows:
        grouped.setdefault(
            request_of(row.memory).get("request") or row.memory.memory_id, []
        ).append(row)
    return list(grouped.values())


def request_of(memory: Memory) -> Mapping[str, Any]:
    """Return what is noted of the request of a row that waits; of an outcome, nothing."""
    if memory.kind == "outcome":
        return {}
    try:
        noted = json.loads(memory.source or "{}")
    except ValueError:  # of an imported row, perhaps
        return {}
    return noted if isinstance(noted, dict) else {}
