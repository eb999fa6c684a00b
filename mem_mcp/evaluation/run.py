"""Run a suite: remember its items in a store of its own, ask its questions, sum up."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mem_mcp.config import Settings, load_settings
from mem_mcp.engine.memory import AsyncMemory
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation import provenance
from mem_mcp.evaluation.dataset import Case, Dataset, Item
from mem_mcp.evaluation.metrics import ranks_of
from mem_mcp.evaluation.report import Data, Report, Row, by_category, figures, timing
from mem_mcp.evaluation.suites import suite_named
from mem_mcp.ranking import count_tokens

_BATCH = 250
Progress = Callable[[int, int], None]
"""Told how many steps are done, and of how many."""


@dataclass(slots=True)
class _Stored:
    """What the memory holds."""

    ids: dict[str, str] = field(default_factory=dict)
    """Of each memory, by the data set's own name for it."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Of all texts of a user."""


@dataclass(slots=True)
class _Steps:
    progress: Progress
    total: int
    done: int = 0

    def advance(self, steps: int) -> None:
        self.done += steps
        self.progress(self.done, self.total)


async def evaluate(
    suite: str,
    data: Path,
    *,
    seed: int = 0,
    first: int | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Run a suite in a temporary store.

    Args:
        suite: its name.
        data: its file.
        seed: of the bootstrap intervals.
        first: a quick run over so many conversations only.
        settings: those of the memory, but for the place of its store; None reads them as usual.
        progress: told of each step.

    Raises:
        InvalidInput: there is no such suite, or the file cannot be used.
        MemError: the memory cannot be opened or written. A question that fails is a row instead.
    """
    chosen = suite_named(suite)
    if first is not None and first < 1:
        raise InvalidInput("first", f"must be at least 1, not {first}")
    if seed < 0:
        raise InvalidInput("seed", f"must not be negative, but is {seed}")
    dataset = chosen.load(data, first)
    if not dataset.cases:
        raise InvalidInput("data", f"{data} has no question that can be scored")
    settings = settings or load_settings()
    steps = _Steps(progress, dataset.memories + len(dataset.cases))
    rows, milliseconds = await _run(dataset, settings, chosen.limit, steps)
    return Report(
        suite=suite,
        seed=seed,
        limit=chosen.limit,
        data=_data(data, dataset),
        settings=provenance.settings_of(settings),
        versions=provenance.versions(),
        commit=provenance.commit(),
        overall=figures(rows, chosen.metrics, seed),
        categories=by_category(rows, chosen.metrics, seed),
        timing=timing(milliseconds),
        rows=rows,
    )


async def _run(
    dataset: Dataset, settings: Settings, limit: int, steps: _Steps
) -> tuple[list[Row], list[float]]:
    with tempfile.TemporaryDirectory(prefix="mem-mcp-evaluate-") as folder:
        here = settings.model_copy(update={"data_dir": Path(folder), "storage_uri": ""})
        async with AsyncMemory.open(here) as memory:
            stored = await _remember(memory, dataset.items, steps)
            rows: list[Row] = []
            milliseconds: list[float] = []
            for case in dataset.cases:
                row, took = await _ask(memory, case, stored, limit)
                rows.append(row)
                if took is not None:
                    milliseconds.append(took)
                steps.advance(1)
    return rows, milliseconds


async def _remember(memory: AsyncMemory, items: Sequence[Item], steps: _Steps) -> _Stored:
    stored = _Stored()
    for batch in _batches(items):
        named = [(key, item.arguments["user_id"]) for item in batch for key in item.keys]
        try:
            result = await memory.remember_many([item.arguments for item in batch])
        except InvalidInput as error:
            span = f"{named[0][0]!r} to {named[-1][0]!r}"
            raise InvalidInput("data", f"cannot be stored, from {span}: {error}") from error
        for (key, user), one in zip(named, result.results, strict=True):
            stored.ids[key] = one.memory_id
            stored.tokens[user] = stored.tokens.get(user, 0) + count_tokens(one.text)
        steps.advance(len(named))
    return stored


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


async def _ask(
    memory: AsyncMemory, case: Case, stored: _Stored, limit: int
) -> tuple[Row, float | None]:
    """Return what came of a case, and how many milliseconds its answer took."""
    relevant = {stored.ids[key] for key in case.relevant}
    about: dict[str, Any] = {
        "case": case.name,
        "category": case.category,
        "relevant": len(relevant),
        "full_tokens": stored.tokens[case.arguments["user_id"]],
    }
    start = time.perf_counter()
    try:
        found = (await memory.recall(limit=limit, **case.arguments)).memories
    except Exception as error:  # noqa: BLE001 - whatever one question breaks is a finding
        return Row(**about, error=f"{type(error).__name__}: {error}"), None
    took = 1_000 * (time.perf_counter() - start)
    ranks = tuple(ranks_of((one.memory_id for one in found), relevant))
    tokens = sum(count_tokens(one.text) for one in found)
    return Row(**about, ranks=ranks, tokens=tokens), took


def _data(path: Path, dataset: Dataset) -> Data:
    return Data(
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        memories=dataset.memories,
        skipped=dataset.skipped,
    )
