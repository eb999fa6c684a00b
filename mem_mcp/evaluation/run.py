"""Run a suite: remember its data in a store of its own, ask its questions, sum up."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mem_mcp.config import Settings, load_settings
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation import provenance
from mem_mcp.evaluation.datasets.dataset import Dataset
from mem_mcp.evaluation.harness import Bench, Progress, temporary_memory
from mem_mcp.evaluation.report import Data, Report
from mem_mcp.evaluation.suites import suite_named


async def evaluate(
    suite: str,
    data: Path,
    *,
    seed: int = 0,
    first: int | None = None,
    arms: bool = True,
    settings: Settings | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Run a suite in a temporary store.

    Args:
        suite: its name.
        data: its file.
        seed: of samples, pairs and bootstrap intervals.
        first: a quick run over so many conversations, issues or questions only.
        arms: also rank by words, by meaning and by two simple mixes, or answer from other arms,
            where the suite compares.
        settings: those of the memory, but for the place of its store; None reads them as usual.
        progress: told of each step.

    Raises:
        InvalidInput: there is no such suite or not the model that it needs, or the file cannot be
            used.
        MemError: the memory cannot be opened or written. A question that fails is a row instead.
    """
    chosen = suite_named(suite)
    if first is not None and first < 1:
        raise InvalidInput("first", f"must be at least 1, not {first}")
    if seed < 0:
        raise InvalidInput("seed", f"must not be negative, but is {seed}")
    settings = settings or load_settings()
    if chosen.asks_model and not settings.llm.model:
        raise InvalidInput(suite, "no language model is configured: set llm.model")
    dataset = chosen.load(data, first, seed)
    if not dataset.cases:
        raise InvalidInput("data", f"{data} has no question that can be scored")
    steps = dataset.memories + chosen.times * len(dataset.cases)
    async with temporary_memory(settings) as memory:
        bench = Bench(memory, settings, dataset, seed, arms, progress, steps)
        await bench.fill()
        return await chosen.measure(
            bench,
            suite=suite,
            seed=seed,
            data=_data(data, dataset),
            settings=provenance.settings_of(settings),
            versions=provenance.versions(),
            commit=provenance.commit(),
        )


def _data(path: Path, dataset: Dataset) -> Data:
    return Data(
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        memories=dataset.memories,
        skipped=dataset.skipped,
    )
