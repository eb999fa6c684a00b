"""A memory that holds a data set, and is asked its questions."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mem_mcp.api.models import Memory, Recalled
from mem_mcp.config import Settings
from mem_mcp.embedding import Embedder
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import Case, Dataset, RememberCall
from mem_mcp.evaluation.metrics import ranks_of
from mem_mcp.llm import Gateway
from mem_mcp.memory import AsyncMemory
from mem_mcp.ranking import Ranking, belonging
from mem_mcp.runtime import Runtime
from mem_mcp.store import Store, open_store
from mem_mcp.text import count_tokens

_BATCH = 250
Progress = Callable[[int, int], None]
"""Takes how many steps are done, and how many there are in all."""


@dataclass(frozen=True, slots=True)
class RecallAnswer:
    """What recall answered to a case's question."""

    memories: Sequence[Recalled] = ()
    ranks: tuple[int, ...] = ()
    """Ranks, from 1, of the relevant memories."""
    milliseconds: float = 0.0
    error: str | None = None
    shown: int = 0
    """Of the memories how many an answer has where no min_score is given."""

    @property
    def ids(self) -> list[str]:
        """Ids of the memories."""
        return [memory.memory_id for memory in self.memories]

    @property
    def tokens(self) -> int:
        """Tokens of the memories."""
        return sum(count_tokens(memory.text) for memory in self.memories)


@dataclass(slots=True)
class Bench:
    """A memory that holds a data set."""

    memory: AsyncMemory
    settings: Settings
    """Of the memory, but for the place of its store."""
    dataset: Dataset
    ran: dict[str, Any]
    """The fields of a `Report` that say what ran."""
    arms: bool
    """Whether other rankings are wanted beside ours."""
    progress: Progress
    steps: int
    """Memories to store and questions to ask, together."""
    done: int = 0
    stored: dict[str, Memory] = field(default_factory=dict)
    """The stored memories, by the data set's own names."""

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.ran["seed"])

    def relevant(self, case: Case) -> frozenset[str]:
        """Return the ids of the memories that answer a case."""
        return frozenset(self.stored[key].memory_id for key in case.relevant)

    def among(self, case: Case) -> list[Memory]:
        """Return what a case may find, each once: equal texts may have become one memory."""
        memories = (self.stored[key] for key in case.among)
        return list({memory.memory_id: memory for memory in memories}.values())

    async def ask(self, case: Case, **arguments: Any) -> RecallAnswer:  # noqa: ANN401 - recall's
        """Ask a case's question; whatever goes wrong becomes the answer's error.

        Nothing is left out for its score, so that all ranks are seen, unless `min_score` is None.

        Args:
            case: the case.
            arguments: of `recall`; they replace the case's own.
        """
        start = time.perf_counter()
        try:
            asked = {"min_score": 0, "explain": True, **case.arguments, **arguments}
            result = await self.memory.recall(**asked)
        except Exception as error:  # noqa: BLE001 - whatever a question breaks is a result
            return RecallAnswer(error=described(error))
        finally:
            self.advance()
        milliseconds = 1_000 * (time.perf_counter() - start)
        ids = (memory.memory_id for memory in result.memories)
        ranks = ranks_of(ids, self.relevant(case))
        shown = shown_by_default(result.memories, self.settings)
        return RecallAnswer(result.memories, tuple(ranks), milliseconds, shown=shown)

    async def fill(self) -> None:
        """Store the data set.

        Raises:
            InvalidInput: a memory of it is refused.
        """
        ids: dict[str, str] = {}
        for batch in _batches(self.dataset.calls):
            keys = [key for call in batch for key in call.keys]
            try:
                result = await self.memory.remember_many([call.arguments for call in batch])
            except InvalidInput as error:
                span = f"{keys[0]!r} to {keys[-1]!r}"
                raise InvalidInput("data", f"cannot be stored, from {span}: {error}") from error
            ids |= zip(keys, (each.memory_id for each in result.results), strict=True)
            self.advance(len(keys))
        lines = [json.loads(line) async for line in self.memory.export_lines()]
        # Versions of a memory stand together, the current one last; the rest are no memories.
        rows = [Memory.model_validate(line) for line in lines if "version_id" in line]
        memories = {row.memory_id: row for row in rows}
        self.stored = {key: memories[memory_id] for key, memory_id in ids.items()}

    def advance(self, steps: int = 1) -> None:
        """Report that so many further steps are done."""
        self.done += steps
        self.progress(self.done, self.steps)


def shown_by_default(memories: Sequence[Recalled], settings: Settings) -> int:
    """Return how many of an answer's memories are left where no min_score is given.

    Args:
        memories: best first, of an answer with min_score=0 and explain.
        settings: of the memory.
    """
    rows = np.arange(len(memories))
    scores = np.array([one.score for one in memories], np.float64)
    columns = [one.scores or {} for one in memories]
    names = columns[0] if columns else ()
    parts = {name: np.array([one[name] for one in columns]) for name in names}
    return int(belonging(Ranking(rows, scores, parts), settings.recall.least_share).sum())


def described(error: Exception) -> str:
    """Write an error as rows show it."""
    return f"{type(error).__name__}: {error}"


def check_options(seed: int, first: int | None) -> None:
    """Refuse options that no suite can use.

    Raises:
        InvalidInput: the seed is negative, or `first` is less than 1.
    """
    if first is not None and first < 1:
        raise InvalidInput("first", f"must be at least 1, not {first}")
    if seed < 0:
        raise InvalidInput("seed", f"must not be negative, but is {seed}")


@contextmanager
def temporary_settings(settings: Settings) -> Iterator[Settings]:
    """Return the settings with a store of their own, in a folder that is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="mem-mcp-evaluate-") as folder:
        own = {"data_dir": Path(folder) / "memory", "storage_uri": ""}
        yield settings.model_copy(update=own)


@asynccontextmanager
async def temporary_memory(settings: Settings) -> AsyncIterator[AsyncMemory]:
    """Open a memory whose store is deleted afterwards."""
    with temporary_settings(settings) as own:
        async with AsyncMemory.open(own) as memory:
            yield memory


@asynccontextmanager
async def memory_with(
    settings: Settings, embedder: Embedder, gateway: Gateway | None = None
) -> AsyncIterator[tuple[AsyncMemory, Store]]:
    """Open a memory, and its store, with models that the settings do not name.

    Args:
        settings: of the memory.
        embedder: makes the vectors.
        gateway: to the language model; None for the one that the settings name.
    """
    async with open_store(
        settings.data_dir,
        dimension=embedder.dimension,
        embedder=embedder.identity,
        durable=settings.store.durability == "fsync",
    ) as store:
        runtime = Runtime.of(settings, store, embedder)
        runtime = replace(runtime, gateway=gateway or runtime.gateway)
        async with AsyncMemory.over(runtime) as memory:
            yield memory, store


def _batches(calls: Sequence[RememberCall]) -> Iterator[list[RememberCall]]:
    batch: list[RememberCall] = []
    size = 0
    for call in calls:
        if batch and size + len(call.keys) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(call)
        size += len(call.keys)
    yield batch
