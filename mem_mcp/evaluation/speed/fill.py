"""Fills a store of any size with a limited number of texts.

Each text is embedded once. Its copies, under other users or later in a run, get its vector with a
little noise, so that no two vectors are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mem_mcp.api.models import Memory, Scope
from mem_mcp.config import Settings
from mem_mcp.embedding import BundledEmbedder, Embedder
from mem_mcp.evaluation.harness import memory_with
from mem_mcp.evaluation.speed.corpus import RUN, Corpus, spot
from mem_mcp.store import Vector, Version
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import new_memory, spoken

BY_CALLS = 100_000
"""Memories that are remembered; those above are written to the store directly."""
_BATCH = 1_000
_BULK = 10_000
# Of each of the 384 numbers of a unit vector: a copy has a cosine of about 0.93 to its original.
_NOISE = 0.02
Advance = Callable[[int], None]
"""Takes how many further memories are stored."""


class CopyingEmbedder:
    """Embeds each text once; later it returns the same vector with noise."""

    def __init__(self, embedder: Embedder, seed: int) -> None:
        self._embedder = embedder
        self._draw = np.random.default_rng(seed)
        self._kept: dict[str, Vector] = {}

    @property
    def identity(self) -> str:
        """The identity of the embedder behind it."""
        return self._embedder.identity

    @property
    def dimension(self) -> int | None:
        """The length of a vector."""
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
    """Fill the store that settings name, which does not exist yet."""
    embedder = BundledEmbedder()
    copying = CopyingEmbedder(embedder, seed)
    try:
        async with memory_with(settings, copying) as (memory, store):
            by_calls = min(size, BY_CALLS)
            for numbers in _batches(0, by_calls, _BATCH):
                await memory.remember_many([_call(corpus, number, size) for number in numbers])
                advance(len(numbers))
            for numbers in _batches(by_calls, size, _BULK):
                memories = [_memory(corpus, number, size) for number in numbers]
                vectors = await copying.embed([spoken(each) for each in memories])
                await store.apply([Version(*row) for row in zip(memories, vectors, strict=True)])
                advance(len(numbers))
            await memory.maintain()
    finally:
        embedder.close()


def _batches(first: int, end: int, size: int) -> Iterator[range]:
    for start in range(first, end, size):
        yield range(start, min(start + size, end))


def _call(corpus: Corpus, number: int, size: int) -> dict[str, Any]:
    place = spot(number, size)
    utterance = corpus.utterance(place.rank)
    return {
        "messages": [{"role": "user", "name": utterance.name, "content": utterance.text}],
        "user_id": place.user_id,
        "run_id": place.run_id,
        "tags": place.tags,
    }


def _memory(corpus: Corpus, number: int, size: int) -> Memory:
    place = spot(number, size)
    utterance = corpus.utterance(place.rank)
    memory = new_memory(
        Scope(user_id=place.user_id, run_id=place.run_id),
        utterance.text,
        utc_now(),
        kind="message",
        role="user",
        actor_id=utterance.name,
        position=place.rank % RUN,
        tags=place.tags,
    )
    return memory.model_copy(update={"memory_id": f"bulk{number}", "version_id": f"bulk{number}.1"})
