"""Backfill of vectors: for what was stored without one, or embedded by another embedder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import numpy as np

from mem_mcp.embedding import Role
from mem_mcp.llm import BATCH
from mem_mcp.runtime import Runtime
from mem_mcp.store import Vector, fill, from_arrow, unfilled
from mem_mcp.writing.memory_text import embedded_text

AT_ONCE = 1_000
"""Versions of one commit."""
# Seconds after which a smaller commit is made, since whoever is killed loses what has none.
_COMMIT_EVERY = 3.0
_COLUMNS = ("version_id", "text", "actor_id")
GoOn = Callable[[], Awaitable[bool]]
"""Asked before each batch, which it may delay; once it says no, what is embedded is committed."""


async def _always() -> bool:
    return True


async def embed_missing(runtime: Runtime) -> tuple[int, list[str]]:
    """Embed all versions without a vector, and the questions of feedback without one.

    Returns:
        How many versions got a vector, and why others did not.
    """
    embedded, degraded = await embed_versions(runtime)
    return embedded, degraded or await _embed_questions(runtime)


async def embed_versions(
    runtime: Runtime,
    on_progress: Callable[[int], None] = lambda _: None,
    *,
    trusting: bool = True,
    most: int | None = None,
    batch: int = BATCH,
    goes_on: GoOn = _always,
) -> tuple[int, list[str]]:
    """Embed all versions without a vector, in the order of `unfilled`.

    Args:
        runtime: what to work with.
        on_progress: called after each commit with how many versions got a vector so far.
        trusting: passed on to `unfilled`.
        most: commits of this call end when so many are embedded; None for all.
        batch: texts that are embedded at a time; what else is embedded waits so long.
        goes_on: whether to go on.

    Returns:
        How many versions got a vector, and why others did not.
    """
    embedded, store = 0, runtime.store
    while (most is None or embedded < most) and await goes_on():
        rows = await unfilled(store, _COLUMNS, limit=AT_ONCE, trusting=trusting)
        if not rows.num_rows:
            break
        texts = [embedded_text(row.memory) for row in from_arrow(rows)]
        vectors, degraded = await _embed(runtime, texts, "passage", batch, _until_commit(goes_on))
        if vectors:
            ids = rows["version_id"].to_pylist()[: len(vectors)]
            await fill(store, ids, np.stack(vectors))
            embedded += len(vectors)
            on_progress(embedded)
        if degraded:
            return embedded, degraded
    return embedded, []


def _until_commit(goes_on: GoOn) -> GoOn:
    """Return a test that also says no when it is time for a commit."""
    late = monotonic() + _COMMIT_EVERY

    async def in_time() -> bool:
        return monotonic() < late and await goes_on()

    return in_time


async def _embed(
    runtime: Runtime,
    texts: Sequence[str],
    role: Role,
    batch: int = BATCH,
    goes_on: GoOn = _always,
) -> tuple[list[Vector], list[str]]:
    """Return the vectors of the first texts, as far as it goes on, and why others failed.

    The embedder's time limit holds for each batch, not for all of them together.
    """
    vectors: list[Vector] = []
    for start in range(0, len(texts), batch):
        if not await goes_on():
            break
        some, degraded = await runtime.embed(texts[start : start + batch], role)
        if degraded:
            return vectors, degraded
        vectors += [vector for vector in some if vector is not None]
    return vectors, []


async def _embed_questions(runtime: Runtime) -> list[str]:
    log = runtime.ratings.log
    rows = await log.without_vector(["question", "query"], "question <> ''")
    queries = dict(zip(*(rows[name].to_pylist() for name in ("question", "query")), strict=True))
    if not queries:
        return []
    vectors, degraded = await _embed(runtime, [*queries.values()], "query")
    await log.fill("question", [*queries][: len(vectors)], vectors)
    return degraded
