"""Storing new memories: once, in one commit, and only once for a repeated request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from mem_mcp.api.models import Kind, Memory, Scope
from mem_mcp.errors import WriteConflict
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.store import Store, Vector, Version, unbroken
from mem_mcp.telemetry import span
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import Placed, place, spoken

Embedding = asyncio.Task[tuple[list[Vector | None], list[str]]]


@dataclass(frozen=True, slots=True)
class Keyed:
    """A caller's name for a request; the same key means the same request within its scope."""

    scope: Scope
    """Of the memories that it makes."""
    actor: str
    """User who asks."""
    key: str
    kinds: Sequence[Kind]
    """What such a request makes: other tools have keys of their own."""


def embedding_of(runtime: Runtime, memories: Sequence[Memory]) -> Embedding:
    """Begin to embed memories."""
    return asyncio.create_task(runtime.embed([spoken(memory) for memory in memories]))


@unbroken
async def store_new(
    runtime: Runtime,
    memories: Sequence[Memory],
    embedding: Embedding,
    request: Keyed | None = None,
) -> tuple[list[Memory], list[Placed]]:
    """Write new memories in one commit.

    Args:
        runtime: what to work with.
        memories: with every field but their identity.
        embedding: of the same memories.
        request: how the caller names this request, to repeat it safely.

    Returns:
        The memories that an earlier call with the same key made, else what became of each.

    Raises:
        WriteConflict: other writers kept winning; nothing was stored.
    """
    store = runtime.store
    appends = any(memory.kind == "message" and memory.position is None for memory in memories)
    if takes_turns := appends or request is not None:
        await embedding  # others wait for the turn: nothing long is done in it
    written: set[tuple[str, datetime]] = set()
    for _ in range(WRITE_ATTEMPTS):
        # Who goes on from a run's last position, or may repeat a request, waits for its turn.
        async with store.alone("append") if takes_turns else nullcontext():
            if request and (first := await made_before(store, request)):
                await store.settle()
                return first, []
            with span("place"):
                seen = store.newest
                placed = await place(store, memories, utc_now(), written)
            vectors, _ = await embedding
            add = new_rows(placed, vectors)
            if not add:
                await store.settle()
                return [], placed
            written |= {(row.memory.version_id, row.memory.recorded_at) for row in add}
            if await store.apply(add, seen=seen):
                return [], placed
    raise WriteConflict("others keep storing the same memories; try again")


def new_rows(placed: Sequence[Placed], vectors: Sequence[Vector | None]) -> list[Version]:
    """Return the rows of those memories that are new."""
    return [
        Version(one.memory, vector)
        for one, vector in zip(placed, vectors, strict=True)
        if one.is_new
    ]


async def made_before(store: Store, request: Keyed) -> list[Memory]:
    """Return what an earlier call of the same request made; empty for the first."""
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
