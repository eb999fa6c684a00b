"""How fast the memory is at every size, beside what LanceDB and the embedder take alone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mem_mcp.config import Settings, load_settings
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation import provenance
from mem_mcp.evaluation.harness import Progress
from mem_mcp.evaluation.report import Data
from mem_mcp.evaluation.speed.corpus import Corpus, corpus_of
from mem_mcp.evaluation.speed.report import SpeedReport
from mem_mcp.evaluation.speed.setup import Counts
from mem_mcp.evaluation.speed.stages import Findings, Stages

SMALLEST, LARGEST = 10, 10_000_000
BYTES = 7_500
"""Disk that a memory needs: 2,500, and up to three times that while files are rewritten."""
RESERVE = 1_000_000_000
"""Disk that is left to others."""


def run_speed(
    sizes: Sequence[int],
    seed: int,
    profile: bool,
    data: Path | None = None,
    *,
    counts: Counts | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda _done, _total: None,
) -> SpeedReport:
    """Measure stores of some sizes, each in a folder of its own that is deleted afterwards.

    Args:
        sizes: memories of each store.
        seed: of texts, questions and noise.
        profile: also show where the time goes, by step.
        data: a LoCoMo file to take texts and questions from; None makes them up.
        counts: how often each thing is measured.
        settings: those of the memory, but for the place of its store; None reads them as usual.
        progress: told how many memories are stored, and of how many.

    Raises:
        InvalidInput: a size is out of bounds or does not fit the disk, or the file cannot be used.
    """
    _check(sizes, seed)
    corpus = corpus_of(data, seed)
    settings, counts = settings or load_settings(), counts or Counts()
    before, findings = _load(), Findings()
    told = _Told(progress, sum(sizes))
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="mem-mcp-speed-") as folder:
            here = {"data_dir": Path(folder) / "memory", "storage_uri": ""}
            own = settings.model_copy(update=here)
            stages = Stages(own, corpus, size, seed, counts, profile, findings)
            asyncio.run(stages.run(told.advance))
    return SpeedReport(
        suite="speed",
        seed=seed,
        data=_data(data, corpus, max(sizes)),
        settings=provenance.settings_of(settings),
        versions=provenance.versions(),
        commit=provenance.commit(),
        sizes=list(sizes),
        environment=_machine(before),
        rows=findings.figures,
        planner=findings.planner,
        profiles=findings.profiles,
    )


class _Told:
    """Adds up the memories that are stored."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def advance(self, memories: int) -> None:
        self._done += memories
        self._progress(self._done, self._total)


def _check(sizes: Sequence[int], seed: int) -> None:
    """Refuse what cannot be measured, before anything is written."""
    if not sizes:
        raise InvalidInput("sizes", "name at least one, such as 1000,10000")
    for size in sizes:
        if type(size) is not int or not SMALLEST <= size <= LARGEST:
            raise InvalidInput(
                "sizes", f"must be whole numbers from {SMALLEST} to {LARGEST:,}, not {size!r}"
            )
    if len(set(sizes)) < len(sizes):
        raise InvalidInput("sizes", "must differ")
    if seed < 0:
        raise InvalidInput("seed", f"must not be negative, but is {seed}")
    folder = tempfile.gettempdir()
    free = max(0, shutil.disk_usage(folder).free - RESERVE)
    for size in sorted(sizes):
        if size * BYTES > free:
            raise InvalidInput(
                "sizes",
                f"{size:,} memories need about {size * BYTES / 1e9:.1f} GB, and {folder} has "
                f"{free / 1e9:.1f} GB to spare; leave it out, or set TMPDIR to a larger disk",
            )


def _data(data: Path | None, corpus: Corpus, memories: int) -> Data:
    sha256 = hashlib.sha256(data.read_bytes()).hexdigest() if data else ""
    return Data(file=corpus.file, sha256=sha256, memories=memories, skipped=0)


def _machine(load: str) -> dict[str, str | int | None]:
    return {"cores": os.cpu_count(), "load before": load, "load after": _load()}


def _load() -> str:
    """Return the load averages of 1, 5 and 15 minutes, where the system tells."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    return " ".join(f"{each:.1f}" for each in os.getloadavg())
