"""What has no vector yet: stored while the embedder could not work, or made by another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mem_mcp.llm import BATCH
from mem_mcp.runtime import Runtime
from mem_mcp.store import Vector, fill, from_arrow, unfilled
from mem_mcp.writing.identity import spoken

AT_ONCE = 500
"""Versions of one commit."""
_SPOKEN = ("version_id", "text", "actor_id")


async def embed_missing(runtime: Runtime) -> tuple[int, list[str]]:
    """Embed every version without a vector, and the questions of feedback.

    Returns:
        How many versions have a vector now that had none, and why not all have.
    """
    embedded, degraded = await embed_versions(runtime)
    return embedded, degraded or await _embed_questions(runtime)


async def embed_versions(
    runtime: Runtime, told: Callable[[int], None] = lambda _: None, *, trusting: bool = True
) -> tuple[int, list[str]]:
    """Embed every version without a vector.

    Args:
        runtime: what to work with.
        told: called with how many are done.
        trusting: as `unfilled` takes it.

    Returns:
        How many have a vector now that had none, and why not all have.
    """
    embedded, store = 0, runtime.store
    while (rows := await unfilled(store, _SPOKEN, limit=AT_ONCE, trusting=trusting)).num_rows:
        memories = [row.memory for row in from_arrow(rows)]
        vectors, degraded = await _embedded(runtime, [spoken(memory) for memory in memories])
        if vectors:
            done = [memory.version_id for memory in memories[: len(vectors)]]
            await fill(store, done, np.stack(vectors))
            embedded += len(vectors)
            told(embedded)
        if degraded:
            return embedded, degraded
    return embedded, []


async def _embedded(runtime: Runtime, texts: Sequence[str]) -> tuple[list[Vector], list[str]]:
    """Return the vectors of the first texts, and why not all have one.

    Each part of them has a model's whole time to answer; together they may take longer.
    """
    made: list[Vector] = []
    for start in range(0, len(texts), BATCH):
        vectors, degraded = await runtime.embed(texts[start : start + BATCH])
        if degraded:
            return made, degraded
        made += [vector for vector in vectors if vector is not None]
    return made, []


async def _embed_questions(runtime: Runtime) -> list[str]:
    log = runtime.ratings.log
    rows = await log.without_vector(["question", "query"], "question <> ''")
    queries = dict(zip(*(rows[name].to_pylist() for name in ("question", "query")), strict=True))
    if not queries:
        return []
    vectors, degraded = await _embedded(runtime, [*queries.values()])
    await log.fill("question", [*queries][: len(vectors)], vectors)
    return degraded
