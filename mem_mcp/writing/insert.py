"""Inserting new memories: in one commit, and only once for a repeated request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from mem_mcp.api.models import Kind, Memory, Scope
from mem_mcp.errors import WriteConflict
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.store import Store, TextVectors, Version, unbroken
from mem_mcp.telemetry import span
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import Insertion, assign_ids
from mem_mcp.writing.quota import check_quota, is_bounded
from mem_mcp.writing.text_vectors import embed_memories

Embedding = asyncio.Task[tuple[list[TextVectors], list[str]]]
"""The vectors of memories in the making, and why some are missing."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's key of a request: within its scope the same key means the same request."""

    scope: Scope
    """Of the memories that the request stores."""
    actor: str
    """The user who asks."""
    key: str
    kinds: Sequence[Kind]
    """Of the memories that the request stores; other tools have keys of their own."""


def start_embedding(runtime: Runtime, memories: Sequence[Memory]) -> Embedding:
    """Embed memories in a task of its own."""
    return asyncio.create_task(embed_memories(runtime, memories))


@unbroken
async def store_new(
    runtime: Runtime,
    memories: Sequence[Memory],
    embedding: Embedding,
    request: IdempotencyKey | None = None,
) -> tuple[list[Memory], list[Insertion]]:
    """Write new memories in one commit.

    Args:
        runtime: what to work with.
        memories: with every field but their ids.
        embedding: of the same memories.
        request: makes a repeated call return what the first one stored.

    Returns:
        The memories that an earlier call with the same key stored; if there are none, what became
        of each memory.

    Raises:
        QuotaExceeded: the user may not have so much; nothing was stored.
        WriteConflict: other writers kept winning; nothing was stored.
    """
    store = runtime.store
    appends = any(memory.kind == "message" and memory.position is None for memory in memories)
    if takes_turns := appends or request is not None or is_bounded(runtime):
        await embedding  # before the lock, which is held for short work only
    written: set[tuple[str, datetime]] = set()
    for _ in range(WRITE_ATTEMPTS):
        # Only one writer at a time appends to runs, stores what a request may repeat, or uses
        # up what a user may have.
        async with store.alone("append") if takes_turns else nullcontext():
            if request and (first := await stored_earlier(store, request)):
                await store.settle()
                return first, []
            with span("place"):
                seen = store.newest
                insertions = await assign_ids(store, memories, utc_now(), written)
            # No lock keeps other servers from a bucket. One that stored the request before this
            # look is seen by it; one that does so after it has taken the same ids.
            if request and store.lease and (first := await stored_earlier(store, request)):
                return first, []
            vectors, _ = await embedding
            rows = new_rows(insertions, vectors)
            if not rows:
                await store.settle()
                return [], insertions
            if is_bounded(runtime):
                await check_quota(runtime, rows)
            written |= {(row.memory.version_id, row.memory.recorded_at) for row in rows}
            if await store.apply(rows, superseded(insertions), seen=seen):
                return [], insertions
    raise WriteConflict("others keep storing the same memories; try again")


def new_rows(insertions: Sequence[Insertion], vectors: Sequence[TextVectors]) -> list[Version]:
    """Return the rows to write, each with its vectors."""
    return [one.row(its) for one, its in zip(insertions, vectors, strict=True) if one.is_new]


def superseded(insertions: Sequence[Insertion]) -> list[Version]:
    """Return the rows that the new ones follow, closed; they belong into the same commit."""
    return [one.superseded for one in insertions if one.superseded]


async def stored_earlier(store: Store, request: IdempotencyKey) -> list[Memory]:
    """Return the memories that an earlier call of the same request stored, oldest first."""
    same = {name: value or {"exists": False} for name, value in request.scope.model_dump().items()}
    rows = await store.read(
        {
            "request_key": request.key,
            "actor": request.actor,
            "kind": {"in": [*request.kinds]},
            **same,
        },
        order=[("recorded_at", True)],
    )
    return [row.memory for row in rows]
