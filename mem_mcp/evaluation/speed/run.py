"""How fast the memory is at every size, beside what LanceDB and the embedder take alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from mem_mcp.config import Settings, load_settings
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.harness import Progress, check_options, described, temporary_settings
from mem_mcp.evaluation.report import Row, provenance
from mem_mcp.evaluation.speed import measurements
from mem_mcp.evaluation.speed.fill import Advance, Corpus, corpus_of, fill
from mem_mcp.evaluation.speed.profile import profile_recall, profile_remember
from mem_mcp.evaluation.speed.report import Figure, PlannerSearch, Profile, SpeedReport
from mem_mcp.evaluation.speed.servers import recalls_over_transports, starts
from mem_mcp.evaluation.speed.setup import Repetitions, Rig, rigged

SMALLEST, LARGEST = 10, 10_000_000
BYTES = 7_500
"""Disk that a memory needs: 2,500 bytes, and up to three times that while files are rewritten."""
RESERVE = 1_000_000_000
"""Bytes of disk that are left free."""


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
    load, stored = _load(), 0
    rows: list[Row] = []

    def advance(memories: int) -> None:
        nonlocal stored
        stored += memories
        progress(stored, sum(sizes))

    for size in sizes:
        with temporary_settings(settings) as own:
            store = _Store(own, corpus, size, seed, repetitions, profile)
            asyncio.run(store.measure(advance))
            rows += store.rows
    return SpeedReport(
        **provenance("speed", seed, settings, data, memories=max(sizes)),
        sizes=list(sizes),
        environment={"cores": os.cpu_count(), "load before": load, "load after": _load()},
        rows=[row for row in rows if isinstance(row, Figure)],
        planner=[row for row in rows if isinstance(row, PlannerSearch)],
        profiles=[row for row in rows if isinstance(row, Profile)],
    )


_Kind = type[Figure] | type[PlannerSearch] | type[Profile]
_Stage = tuple[str, _Kind, Callable[[Rig], Awaitable[Sequence[Row]]]]
"""A name, the kind of the rows, and what measures them."""


@dataclass(frozen=True, slots=True)
class _Store:
    """A store of one size, and the rows that were measured of it."""

    settings: Settings
    corpus: Corpus
    size: int
    seed: int
    repetitions: Repetitions
    profile: bool
    rows: list[Row] = field(default_factory=list)

    async def measure(self, advance: Advance) -> None:
        """Fill the store and go through the stages; what fails is a row that says so."""
        try:
            start = perf_counter()
            await fill(self.settings, self.corpus, self.size, self.seed, advance)
            self._add("fill and maintain", "s", perf_counter() - start, calls=1)
            async with rigged(self.settings, self.size, self.repetitions, self.corpus) as rig:
                files, size = rig.store.size()
                self._add("disk", "MB", size / 1e6)
                self._add("disk, a memory", "bytes", size / self.size)
                self._add("files", "files", files)
                for name, kind, stage in self._stages():
                    try:
                        self.rows.extend(await stage(rig))
                    except Exception as error:  # noqa: BLE001 - the other stages go on
                        self.rows.append(kind(case=name, size=self.size, error=described(error)))
        except Exception as error:  # noqa: BLE001 - another size may work
            self.rows.append(Figure(case="store", size=self.size, error=described(error)))
        if peak := _peak_memory():
            self._add("peak memory, this process", "MB", round(peak / 1e6))

    def _stages(self) -> list[_Stage]:
        stages: list[_Stage] = [
            ("recall", Figure, measurements.recalls),
            ("recalls at once", Figure, measurements.recalls_at_once),
            ("planner", PlannerSearch, measurements.planner_searches),
            ("profile of recall", Profile, profile_recall),
            ("start", Figure, starts),
            ("transports", Figure, recalls_over_transports),
            # Writes come last: they add to the store.
            ("recall after a commit", Figure, measurements.recalls_after_commits),
            ("remember", Figure, measurements.single_writes),
            ("profile of remember", Profile, profile_remember),
            ("remember_many", Figure, measurements.batch_writes),
        ]
        is_planned = self.size >= self.repetitions.plans_from
        is_wanted: dict[_Kind, bool] = {
            Figure: True,
            PlannerSearch: is_planned,
            Profile: self.profile,
        }
        return [stage for stage in stages if is_wanted[stage[1]]]

    def _add(self, case: str, unit: str, value: float, calls: int = 0) -> None:
        value = round(value, 1)
        self.rows.append(Figure(case=case, size=self.size, unit=unit, calls=calls, value=value))


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


def _peak_memory() -> int:
    """Return the most bytes that this process has used; 0 where the system does not tell."""
    try:
        import resource  # noqa: PLC0415 - Unix only
    except ImportError:
        return 0
    # The figure is in bytes on a Mac, and in units of 1,024 bytes elsewhere.
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
