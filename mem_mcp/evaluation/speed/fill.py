"""A store of any size, filled with a limited number of texts.

Each text is embedded once. Its copies, under other users or later in a run, get its vector with a
little noise, so that no two vectors are equal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from mem_mcp.api.models import Memory, Scope
from mem_mcp.config import Settings
from mem_mcp.embedding import BundledEmbedder, Embedder
from mem_mcp.evaluation.speed.corpus import Corpus, Said
from mem_mcp.evaluation.speed.layout import BY_CALLS, RUN, Spot, spot
from mem_mcp.memory import AsyncMemory
from mem_mcp.runtime import Runtime
from mem_mcp.store import Store, Vector, Version, open_store
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import new_memory
from mem_mcp.writing.memory_text import embedded_text

_BATCH = 1_000
_BULK = 10_000
# Of each of the 384 numbers of a unit vector: a copy has a cosine of about 0.93 to its original.
_NOISE = 0.02
Advance = Callable[[int], None]
"""Told of so many more memories."""


class CopyingEmbedder:
    """Embeds each text once; later it gives its vector with noise."""

    def __init__(self, embedder: Embedder, seed: int) -> None:
        self._embedder = embedder
        self._draw = np.random.default_rng(seed)
        self._kept: dict[str, Vector] = {}

    @property
    def identity(self) -> str:
        """Identity of the embedder behind it."""
        return self._embedder.identity

    @property
    def dimension(self) -> int | None:
        """Length of a vector."""
        return self._embedder.dimension

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Embed texts; see `Embedder.embed`."""
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if new:
            self._kept |= zip(new, await self._embedder.embed(new), strict=True)
        first = set(new)
        vectors = []
        for text in texts:
            vectors.append(self._kept[text] if text in first else self._noisy(self._kept[text]))
            first.discard(text)
        return np.stack(vectors) if vectors else await self._embedder.embed([])

    def _noisy(self, vector: Vector) -> Vector:
        noise = self._draw.standard_normal(vector.size, dtype=np.float32)
        moved = vector + _NOISE * noise
        return np.asarray(moved / np.linalg.norm(moved), dtype=np.float32)


async def fill(settings: Settings, corpus: Corpus, size: int, seed: int, advance: Advance) -> None:
    """Fill the store that settings name, which is not there yet."""
    embedder = BundledEmbedder()
    copying = CopyingEmbedder(embedder, seed)
    try:
        async with _writable(settings, copying) as (memory, store):
            by_calls = min(size, BY_CALLS)
            for start in range(0, by_calls, _BATCH):
                numbers = range(start, min(start + _BATCH, by_calls))
                await memory.remember_many([_call(corpus, number, size) for number in numbers])
                advance(len(numbers))
            for start in range(by_calls, size, _BULK):
                numbers = range(start, min(start + _BULK, size))
                await store.apply(await _rows(corpus, numbers, size, copying))
                advance(len(numbers))
            await memory.maintain()
    finally:
        embedder.close()


@asynccontextmanager
async def _writable(
    settings: Settings, embedder: Embedder
) -> AsyncIterator[tuple[AsyncMemory, Store]]:
    """Open a memory with an embedder of one's own: `AsyncMemory.open` has the real one only."""
    async with (
        open_store(
            settings.data_dir,
            dimension=embedder.dimension,
            embedder=embedder.identity,
            durable=settings.store.durability == "fsync",
        ) as store,
        AsyncMemory.over(Runtime.of(settings, store, embedder)) as memory,
    ):
        yield memory, store


def _said(corpus: Corpus, number: int, size: int) -> tuple[Spot, Said]:
    place = spot(number, size)
    return place, corpus.said[place.rank % len(corpus.said)]


def _call(corpus: Corpus, number: int, size: int) -> dict[str, Any]:
    place, said = _said(corpus, number, size)
    return {
        "messages": [{"role": "user", "name": said.name, "content": said.text}],
        "user_id": place.user_id,
        "run_id": place.run_id,
        "tags": place.tags,
    }


async def _rows(
    corpus: Corpus, numbers: Sequence[int], size: int, embedder: Embedder
) -> list[Version]:
    memories = list(_memories(corpus, numbers, size))
    vectors = await embedder.embed([embedded_text(memory) for memory in memories])
    return [Version(*row) for row in zip(memories, vectors, strict=True)]


def _memories(corpus: Corpus, numbers: Sequence[int], size: int) -> Iterator[Memory]:
    now = utc_now()
    for number in numbers:
        place, said = _said(corpus, number, size)
        memory = new_memory(
            Scope(user_id=place.user_id, run_id=place.run_id),
            said.text,
            now,
            kind="message",
            role="user",
            actor_id=said.name,
            position=place.rank % RUN,
            tags=place.tags,
        )
        yield memory.model_copy(
            update={"memory_id": f"bulk{number}", "version_id": f"bulk{number}.1"}
        )
