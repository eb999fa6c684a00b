"""How fast the memory is at every size, beside what LanceDB and the embedder take alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from mem_mcp.config import Settings, load_settings
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.harness import Progress, check_options, described, temporary_settings
from mem_mcp.evaluation.report import provenance
from mem_mcp.evaluation.speed.corpus import Corpus, corpus_of
from mem_mcp.evaluation.speed.fill import Advance, fill
from mem_mcp.evaluation.speed.measurements import (
    batch_writes,
    planner_searches,
    recalls,
    recalls_after_commits,
    recalls_at_once,
    single_writes,
)
from mem_mcp.evaluation.speed.profile import profile_recall, profile_remember
from mem_mcp.evaluation.speed.report import Figure, PlannerSearch, Profile, SpeedReport
from mem_mcp.evaluation.speed.servers import recalls_over_transports, starts
from mem_mcp.evaluation.speed.setup import Repetitions, Rig, rigged

SMALLEST, LARGEST = 10, 10_000_000
BYTES = 7_500
"""Disk that a memory needs: 2,500 bytes, and up to three times that while files are rewritten."""
RESERVE = 1_000_000_000
"""Bytes of disk that are left free."""
R = TypeVar("R", Figure, PlannerSearch, Profile)


def run_speed(
    sizes: Sequence[int],
    seed: int,
    profile: bool,
    data: Path | None = None,
    *,
    repetitions: Repetitions | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda _done, _total: None,
) -> SpeedReport:
    """Measure stores of some sizes, each in a folder of its own that is deleted afterwards.

    Args:
        sizes: memories of each store.
        seed: of texts, questions and noise.
        profile: also show where the time goes, step by step.
        data: a LoCoMo file to take texts and questions from; None makes them up.
        repetitions: how often each thing is measured.
        settings: of the memory, but for the place of its store; None reads them as usual.
        progress: is called with the number of stored memories, and of all that will be stored.

    Raises:
        InvalidInput: a size is out of bounds or does not fit the disk, or the file cannot be used.
    """
    check_options(seed, None)
    _check(sizes)
    corpus = corpus_of(data, seed)
    settings, repetitions = settings or load_settings(), repetitions or Repetitions()
    load, results = _load(), _Results()
    stored = 0

    def advance(memories: int) -> None:
        nonlocal stored
        stored += memories
        progress(stored, sum(sizes))

    for size in sizes:
        with temporary_settings(settings) as own:
            store = _Store(own, corpus, size, seed, repetitions, profile, results)
            asyncio.run(store.measure(advance))
    return SpeedReport(
        **provenance("speed", seed, settings, data, memories=max(sizes)),
        sizes=list(sizes),
        environment={"cores": os.cpu_count(), "load before": load, "load after": _load()},
        rows=results.figures,
        planner=results.planner,
        profiles=results.profiles,
    )


@dataclass(frozen=True, slots=True)
class _Results:
    """What was measured so far."""

    figures: list[Figure] = field(default_factory=list)
    planner: list[PlannerSearch] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Store:
    """A store of one size, and how it is measured; a stage that fails is a row that says so."""

    settings: Settings
    corpus: Corpus
    size: int
    seed: int
    repetitions: Repetitions
    profile: bool
    results: _Results

    async def measure(self, advance: Advance) -> None:
        """Fill the store and measure it."""
        figures = self.results.figures
        try:
            start = perf_counter()
            await fill(self.settings, self.corpus, self.size, self.seed, advance)
            figures.append(self._figure("fill and maintain", "s", perf_counter() - start, calls=1))
            async with rigged(self.settings, self.size, self.repetitions, self.corpus) as rig:
                await self._read(rig)
                await self._write(rig)
        except Exception as error:  # noqa: BLE001 - another size may work
            figures.append(Figure(case="store", size=self.size, error=described(error)))
        if (peak := _peak_memory()) is not None:
            figures.append(self._figure("peak memory, this process", "MB", round(peak / 1e6)))

    async def _read(self, rig: Rig) -> None:
        figures, profiles = self.results.figures, self.results.profiles
        files, size = rig.store.size()
        figures.append(self._figure("disk", "MB", size / 1e6))
        figures.append(self._figure("disk, a memory", "bytes", size / self.size))
        figures.append(self._figure("files", "files", files))
        await self._stage("recall", figures, Figure, recalls(rig))
        await self._stage("recalls at once", figures, Figure, recalls_at_once(rig))
        if self.size >= self.repetitions.plans_from:
            planner = self.results.planner
            await self._stage("planner", planner, PlannerSearch, planner_searches(rig))
        if self.profile:
            await self._stage("profile of recall", profiles, Profile, profile_recall(rig))
        await self._stage("start", figures, Figure, starts(rig))
        await self._stage("transports", figures, Figure, recalls_over_transports(rig))

    async def _write(self, rig: Rig) -> None:
        figures, profiles = self.results.figures, self.results.profiles
        await self._stage("recall after a commit", figures, Figure, recalls_after_commits(rig))
        await self._stage("remember", figures, Figure, single_writes(rig))
        if self.profile:
            await self._stage("profile of remember", profiles, Profile, profile_remember(rig))
        await self._stage("remember_many", figures, Figure, batch_writes(rig))

    async def _stage(
        self, name: str, rows: list[R], kind: type[R], stage: Awaitable[Sequence[R]]
    ) -> None:
        try:
            rows.extend(await stage)
        except Exception as error:  # noqa: BLE001 - the other stages go on
            rows.append(kind(case=name, size=self.size, error=described(error)))

    def _figure(self, case: str, unit: str, value: float, calls: int = 0) -> Figure:
        return Figure(case=case, size=self.size, unit=unit, calls=calls, value=round(value, 1))


def _check(sizes: Sequence[int]) -> None:
    """Refuse sizes that cannot be measured, before anything is written."""
    if not sizes:
        raise InvalidInput("sizes", "name at least one, such as 1000,10000")
    for size in sizes:
        if type(size) is not int or not SMALLEST <= size <= LARGEST:
            raise InvalidInput(
                "sizes", f"must be whole numbers from {SMALLEST} to {LARGEST:,}, not {size!r}"
            )
    if len(set(sizes)) < len(sizes):
        raise InvalidInput("sizes", "must differ")
    folder = tempfile.gettempdir()
    free = max(0, shutil.disk_usage(folder).free - RESERVE)
    for size in sorted(sizes):
        if size * BYTES > free:
            raise InvalidInput(
                "sizes",
                f"{size:,} memories need about {size * BYTES / 1e9:.1f} GB, and {folder} has "
                f"{free / 1e9:.1f} GB to spare; leave it out, or set TMPDIR to a larger disk",
            )


def _load() -> str:
    """Return the load averages of 1, 5 and 15 minutes, where the system tells them."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    return " ".join(f"{each:.1f}" for each in os.getloadavg())


def _peak_memory() -> int | None:
    """Return the most bytes that this process has used, where the system tells them."""
    try:
        import resource  # noqa: PLC0415 - Unix only
    except ImportError:
        return None
    # The figure is in bytes on a Mac, and in units of 1,024 bytes elsewhere.
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
