"""A data set in a memory of its own, to be asked."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mem_mcp.api.models import Memory, Recalled
from mem_mcp.config import Settings
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import Case, Dataset, Item
from mem_mcp.evaluation.metrics import ranks_of
from mem_mcp.memory import AsyncMemory
from mem_mcp.text import count_tokens

_BATCH = 250
Progress = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question got."""

    found: Sequence[Recalled] = ()
    ranks: tuple[int, ...] = ()
    """Ranks, from 1, at which relevant memories were found."""
    milliseconds: float = 0.0
    error: str | None = None

    @property
    def tokens(self) -> int:
        """Tokens of what was found."""
        return sum(count_tokens(one.text) for one in self.found)


@dataclass(slots=True)
class Bench:
    """A memory that holds a data set."""

    memory: AsyncMemory
    settings: Settings
    """Of the memory, but for the place of its store."""
    dataset: Dataset
    seed: int
    arms: bool
    """Whether other rankings are wanted beside ours."""
    progress: Progress
    steps: int
    """Memories to store and questions to ask, together."""
    done: int = 0
    stored: dict[str, Memory] = field(default_factory=dict)
    """By the data set's own names."""

    def relevant(self, case: Case) -> frozenset[str]:
        """Return the ids of what answers a case."""
        return frozenset(self.stored[key].memory_id for key in case.relevant)

    def among(self, case: Case) -> list[Memory]:
        """Return what a case may find, each once: equal texts may have become one memory."""
        memories = (self.stored[key] for key in case.among)
        return list({one.memory_id: one for one in memories}.values())

    async def ask(self, case: Case, **arguments: Any) -> Answer:  # noqa: ANN401 - recall's
        """Put a case's question; arguments go before its own. Whatever it breaks is an answer."""
        start = time.perf_counter()
        try:
            result = await self.memory.recall(**{**case.arguments, **arguments})
        except Exception as error:  # noqa: BLE001 - whatever one question breaks is a finding
            return Answer(error=f"{type(error).__name__}: {error}")
        finally:
            self.advance()
        took = 1_000 * (time.perf_counter() - start)
        ids = (one.memory_id for one in result.memories)
        return Answer(result.memories, tuple(ranks_of(ids, self.relevant(case))), took)

    async def fill(self) -> None:
        """Store the data set.

        Raises:
            InvalidInput: an item of it is refused.
        """
        ids: dict[str, str] = {}
        for batch in _batches(self.dataset.items):
            keys = [key for item in batch for key in item.keys]
            try:
                result = await self.memory.remember_many([item.arguments for item in batch])
            except InvalidInput as error:
                span = f"{keys[0]!r} to {keys[-1]!r}"
                raise InvalidInput("data", f"cannot be stored, from {span}: {error}") from error
            ids |= zip(keys, (one.memory_id for one in result.results), strict=True)
            self.advance(len(keys))
        lines = [line async for line in self.memory.export_lines()]
        memories = {one.memory_id: one for one in map(Memory.model_validate_json, lines)}
        self.stored = {key: memories[memory_id] for key, memory_id in ids.items()}

    def advance(self, steps: int = 1) -> None:
        """Tell that steps are done."""
        self.done += steps
        self.progress(self.done, self.steps)


@asynccontextmanager
async def temporary_memory(settings: Settings) -> AsyncIterator[AsyncMemory]:
    """Open a memory whose store is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="mem-mcp-evaluate-") as folder:
        here = settings.model_copy(update={"data_dir": Path(folder), "storage_uri": ""})
        async with AsyncMemory.open(here) as memory:
            yield memory


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        if batch and size + len(item.keys) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.keys)
    yield batch
