"""A filled store that is open twice: for the product, and for the floor that it is compared with.

The floor is the least that a recall and a write can take: what LanceDB and the embedder do by hand.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import Any

import numpy as np

from mem_mcp.api.models import Scope
from mem_mcp.config import Settings
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.evaluation.speed.fill import OWNER, Corpus, small_users
from mem_mcp.evaluation.speed.report import Figure
from mem_mcp.memory import AsyncMemory
from mem_mcp.store import Store, Vector, Version, open_store
from mem_mcp.store.schema import table_schema, to_arrow
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import new_memory

LIMIT = 10
"""Memories that the floor's searches return."""
_FEWEST_CALLS = 5
"""Calls that are made however slow they are."""
Timed = Callable[[int], Awaitable[object]]
"""Does something; takes how often it was done before."""


@dataclass(frozen=True, slots=True)
class Repetitions:
    """How often each thing is measured."""

    recalls: int = 100
    commits: int = 30
    """Recalls that each follow a commit."""
    at_once: int = 32
    rounds: int = 3
    writes: int = 100
    batch: int = 1_000
    """Memories of one remember_many."""
    searches: int = 50
    """Searches of the planner, for each selectivity."""
    plans_from: int = 50_000
    """Memories from which the planner has a choice."""
    starts: int = 3
    transports: Sequence[str] = ("stdio", "http", "sse")
    profiled: int = 50
    seconds: float = 90
    """Bound on the time of one figure."""


class Floor:
    """One embedder and one open table, used without the product."""

    def __init__(self, store: Store, embedder: BundledEmbedder) -> None:
        self.embedder = embedder
        self._table = store.table
        self._schema = table_schema(store.space)

    async def recall(self, question: str, where: str) -> None:
        """Embed a question, and search for it by meaning and by words."""
        (vector,) = await self.embedder.embed([question], "query")
        await self.exact(vector, where, ["memory_id", "text"])
        words = self._table.query().nearest_to_text(question).where(where).limit(LIMIT)
        await words.select(["memory_id", "text", "_score"]).to_arrow()

    async def exact(self, vector: Vector, where: str, columns: Sequence[str]) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return the rows nearest to a vector, found without an index over vectors."""
        query = self._table.query().nearest_to(np.asarray(vector)).distance_type("cosine")
        query = query.bypass_vector_index().limit(LIMIT).select([*columns, "_distance"])
        return await (query.where(where) if where else query).to_arrow()

    async def remember(self, text: str, name: str) -> None:
        """Embed a text and add its row, whose id is made of `name`."""
        (vector,) = await self.embedder.embed([text], "passage")
        memory = new_memory(Scope(user_id="floor"), text, utc_now(), kind="fact")
        identity = {"memory_id": f"floor-{name}", "version_id": f"floor-{name}.1"}
        version = Version(memory.model_copy(update=identity), vector)
        await self._table.add(to_arrow([version], self._schema))


@dataclass(frozen=True, slots=True)
class Rig:
    """The product beside the floor, on one store."""

    settings: Settings
    size: int
    repetitions: Repetitions
    corpus: Corpus
    questions: Iterator[str]
    memory: AsyncMemory
    other: AsyncMemory
    """A second memory on the same store, as another process has it."""
    store: Store
    """Opened beside the product's own."""
    floor: Floor

    @property
    def user(self) -> str:
        """The user that stands for most users: the largest of known size, or OWNER."""
        return [OWNER, *small_users(self.size)][-1]

    def ask(self, count: int) -> list[str]:
        """Return questions that were not asked before."""
        return list(islice(self.questions, count))

    def paced(self, count: int) -> Iterator[int]:
        """Count from 0 up to `count`, or as far as the time of one figure allows."""
        end = time.perf_counter() + self.repetitions.seconds
        for number in range(count):
            if number >= _FEWEST_CALLS and time.perf_counter() > end:
                return
            yield number

    async def compare(
        self, ours: Timed, floor: Timed, count: int
    ) -> tuple[list[float], list[float]]:
        """Return the seconds of each call of the product and of the floor.

        They take turns, and which of the two comes first changes each time, so that the machine
        treats both alike.
        """
        seconds: tuple[list[float], list[float]] = [], []
        for number in self.paced(count):
            for which in (0, 1) if number % 2 else (1, 0):
                seconds[which].append(await seconds_for((ours, floor)[which](number)))
        return seconds

    def figure(
        self, case: str, ours: Sequence[float], floor: Sequence[float], *, unit: str = "ms"
    ) -> Figure:
        """Sum up measurements: seconds for the unit ms, else values of the unit itself."""
        scale = 1_000 if unit == "ms" else 1
        value, beneath = scale * median(ours), scale * median(floor)
        return Figure(
            case=case,
            size=self.size,
            unit=unit,
            calls=len(ours),
            value=round(value, 3),
            p95=round(scale * float(np.quantile(ours, 0.95)), 3),
            floor=round(beneath, 3),
            floor_p95=round(scale * float(np.quantile(floor, 0.95)), 3),
            ratio=round(value / beneath, 3),
        )


async def seconds_for(work: Awaitable[object]) -> float:
    """Return the seconds that something takes."""
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


@asynccontextmanager
async def rigged(
    settings: Settings, size: int, repetitions: Repetitions, corpus: Corpus
) -> AsyncIterator[Rig]:
    """Open a filled store twice for the product, and once for the floor."""
    with closing(BundledEmbedder()) as embedder:
        width, name = embedder.dimension, embedder.identity
        async with (
            AsyncMemory.open(settings) as memory,
            AsyncMemory.open(settings) as other,
            open_store(settings.data_dir, dimension=width, embedder=name, durable=False) as store,
        ):
            await memory.warm()
            await other.warm()
            await embedder.embed(["warm"], "query")
            floor, questions = Floor(store, embedder), corpus.endless_questions()
            yield Rig(settings, size, repetitions, corpus, questions, memory, other, store, floor)
