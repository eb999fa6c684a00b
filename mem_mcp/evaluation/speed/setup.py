"""A store that is filled and open, and what it is measured with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mem_mcp.config import Settings
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.evaluation.speed.corpus import Corpus
from mem_mcp.evaluation.speed.floor import Floor
from mem_mcp.memory import AsyncMemory
from mem_mcp.store import Store, open_store


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each thing is measured."""

    recalls: int = 100
    commits: int = 30
    """Recalls that follow a commit each."""
    at_once: int = 32
    rounds: int = 3
    writes: int = 100
    batch: int = 1_000
    """Memories of one remember_many."""
    searches: int = 50
    """Of the planner, for each selectivity."""
    plans_from: int = 50_000
    """Memories from which the planner has a choice."""
    starts: int = 3
    transports: Sequence[str] = ("stdio", "http", "sse")
    profiled: int = 50
    seconds: float = 90
    """Bound on one figure."""


@dataclass(frozen=True, slots=True)
class Rig:
    """The product beside the floor, on one store."""

    settings: Settings
    size: int
    counts: Counts
    corpus: Corpus
    questions: Iterator[str]
    memory: AsyncMemory
    other: AsyncMemory
    """The same as another process has it."""
    store: Store
    """Opened beside the product's own."""
    floor: Floor


@asynccontextmanager
async def rigged(
    settings: Settings, size: int, counts: Counts, corpus: Corpus
) -> AsyncIterator[Rig]:
    """Open a filled store as two of its users do, and for the floor."""
    embedder = BundledEmbedder()
    try:
        async with (
            AsyncMemory.open(settings) as memory,
            AsyncMemory.open(settings) as other,
            open_store(
                settings.data_dir,
                dimension=embedder.dimension,
                embedder=embedder.identity,
                durable=False,
            ) as store,
        ):
            await memory.warm()
            await other.warm()
            await embedder.embed(["warm"])
            floor = Floor(store, embedder)
            questions = corpus.asked()
            yield Rig(settings, size, counts, corpus, questions, memory, other, store, floor)
    finally:
        embedder.close()
