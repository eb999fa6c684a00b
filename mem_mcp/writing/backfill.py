"""Backfill of vectors: for what was stored without one, or embedded by another embedder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import TypeVar

import numpy as np

from mem_mcp.llm import BATCH
from mem_mcp.ranking import embedded_passages
from mem_mcp.ranking.constants import EMBEDDED_WHOLE_MAX
from mem_mcp.runtime import Runtime
from mem_mcp.store import (
    Store,
    fill,
    from_arrow,
    lacks_passages,
    note_passages,
    unfilled,
    without_passages,
)
from mem_mcp.writing.text_vectors import embed_memories, embed_passages

AT_ONCE = 1_000
"""Versions of one commit."""
# Seconds after which a smaller commit is made, since whoever is killed loses what has none.
_COMMIT_EVERY = 3.0
_COLUMNS = ("version_id", "text", "actor_id")
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
GoOn = Callable[[], Awaitable[bool]]
"""Asked before each batch, which it may delay; once it says no, what is embedded is committed."""


async def _always() -> bool:
    return True


async def _nothing(_: int) -> None:
    return None


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
        memories = [row.memory for row in from_arrow(rows)]
        embed = partial(embed_memories, runtime)
        made, degraded = await _embed(embed, memories, batch, _until_commit(goes_on))
        if made:
            ids = rows["version_id"].to_pylist()[: len(made)]
            wholes = [each.whole for each in made if each.whole is not None]
            await fill(store, ids, np.stack(wholes), [each.passages for each in made])
            embedded += len(made)
            on_progress(embedded)
        if degraded:
            return embedded, degraded
    return embedded, []


async def count_earlier(store: Store) -> int:
    """Count the texts whose passages `embed_earlier_passages` would embed; some may be short."""
    if not await lacks_passages(store):
        return 0
    return len(await without_passages(store, EMBEDDED_WHOLE_MAX))


async def embed_earlier_passages(
    runtime: Runtime,
    *,
    batch: int = BATCH,
    goes_on: GoOn = _always,
    after_commit: Callable[[int], Awaitable[None]] = _nothing,
) -> list[str]:
    """Embed the passages of long texts that were stored before passages had vectors.

    Args:
        runtime: what to work with.
        batch: texts whose passages are embedded at a time.
        goes_on: whether to go on; else a later call does.
        after_commit: awaited after each commit with how many rows it wrote.

    Returns:
        Why some have none.
    """
    store = runtime.store
    if not await lacks_passages(store):
        return []
    ids = await without_passages(store, EMBEDDED_WHOLE_MAX)
    for start in range(0, len(ids), AT_ONCE):
        some = {"version_id": {"in": ids[start : start + AT_ONCE]}}
        rows = await store.read(some, columns=_COLUMNS)
        long = [row.memory for row in rows if embedded_passages(row.memory.text)]
        while long:
            embed = partial(embed_passages, runtime)
            made, degraded = await _embed(embed, long, batch, _until_commit(goes_on))
            await fill(store, [memory.version_id for memory in long[: len(made)]], None, made)
            if degraded or not await goes_on():
                return degraded
            await after_commit(len(made))
            long = long[len(made) :]
        if not await goes_on():
            return []
    await note_passages(store)
    return []


def _until_commit(goes_on: GoOn) -> GoOn:
    """Return a test that also says no when it is time for a commit."""
    late = monotonic() + _COMMIT_EVERY

    async def in_time() -> bool:
        return monotonic() < late and await goes_on()

    return in_time


async def _embed(
    embed: Callable[[Sequence[_Given]], Awaitable[tuple[list[_Made], list[str]]]],
    given: Sequence[_Given],
    batch: int = BATCH,
    goes_on: GoOn = _always,
) -> tuple[list[_Made], list[str]]:
    """Return the vectors of what is given first, as far as it goes on, and why others failed.

    The embedder's time limit holds for each batch, not for all of them together.
    """
    vectors: list[_Made] = []
    for start in range(0, len(given), batch):
        if not await goes_on():
            break
        some, degraded = await embed(given[start : start + batch])
        if degraded:
            return vectors, degraded
        vectors += some
    return vectors, []


async def _embed_questions(runtime: Runtime) -> list[str]:
    log = runtime.ratings.log
    rows = await log.without_vector(["question", "query"], "question <> ''")
    queries = dict(zip(*(rows[name].to_pylist() for name in ("question", "query")), strict=True))
    if not queries:
        return []
    embed = partial(runtime.embed, role="query")
    some, degraded = await _embed(embed, [*queries.values()])
    vectors = [vector for vector in some if vector is not None]
    await log.fill("question", [*queries][: len(vectors)], vectors)
    return degraded
