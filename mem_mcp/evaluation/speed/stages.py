"""What is measured at one size, in which order; what fails is a row that says so."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar

from mem_mcp.config import Settings
from mem_mcp.evaluation.speed.corpus import Corpus
from mem_mcp.evaluation.speed.fill import Advance, fill
from mem_mcp.evaluation.speed.planner import plans
from mem_mcp.evaluation.speed.profile import profile_recall, profile_remember
from mem_mcp.evaluation.speed.recalls import after_commits, at_once, recalls
from mem_mcp.evaluation.speed.report import Figure, Nearest, Profile
from mem_mcp.evaluation.speed.setup import Counts, Rig, rigged
from mem_mcp.evaluation.speed.startup import starts
from mem_mcp.evaluation.speed.transports import servings
from mem_mcp.evaluation.speed.writes import batch_writes, single_writes

R = TypeVar("R", Figure, Nearest, Profile)
# There, the most memory that was used is told in bytes, elsewhere in units of 1,024.
_MAC = sys.platform == "darwin"


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured so far."""

    figures: list[Figure] = field(default_factory=list)
    planner: list[Nearest] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Stages:
    """Everything that is done with one store; `settings` name its folder."""

    settings: Settings
    corpus: Corpus
    size: int
    seed: int
    counts: Counts
    profile: bool
    findings: Findings

    async def run(self, advance: Advance) -> None:
        """Fill the store and measure it."""
        figures = self.findings.figures
        try:
            await self._fill(advance)
            async with rigged(self.settings, self.size, self.counts, self.corpus) as rig:
                await self._read(rig)
                await self._write(rig)
        except Exception as error:  # noqa: BLE001 - another size may work
            figures.append(Figure(case="store", size=self.size, error=_said(error)))
        figures.extend(_peak(self.size))

    async def _fill(self, advance: Advance) -> None:
        start = perf_counter()
        await fill(self.settings, self.corpus, self.size, self.seed, advance)
        took = perf_counter() - start
        self.findings.figures.append(
            Figure(
                case="fill and maintain", size=self.size, unit="s", calls=1, value=round(took, 1)
            )
        )

    async def _read(self, rig: Rig) -> None:
        figures = self.findings.figures
        figures.extend(_footprint(rig))
        await self._stage("recall", figures, Figure, recalls, rig)
        await self._stage("recalls at once", figures, Figure, at_once, rig)
        if rig.size >= rig.counts.plans_from:
            await self._stage("planner", self.findings.planner, Nearest, plans, rig)
        if self.profile:
            profiles = self.findings.profiles
            await self._stage("profile of recall", profiles, Profile, profile_recall, rig)
        await self._stage("start", figures, Figure, starts, rig)
        await self._stage("transports", figures, Figure, servings, rig)

    async def _write(self, rig: Rig) -> None:
        figures = self.findings.figures
        await self._stage("recall after a commit", figures, Figure, after_commits, rig)
        await self._stage("remember", figures, Figure, single_writes, rig)
        if self.profile:
            profiles = self.findings.profiles
            await self._stage("profile of remember", profiles, Profile, profile_remember, rig)
        await self._stage("remember_many", figures, Figure, batch_writes, rig)

    async def _stage(
        self,
        name: str,
        rows: list[R],
        kind: type[R],
        measure: Callable[[Rig], Awaitable[Sequence[R]]],
        rig: Rig,
    ) -> None:
        try:
            rows.extend(await measure(rig))
        except Exception as error:  # noqa: BLE001 - the other stages go on
            rows.append(kind(case=name, size=self.size, error=_said(error)))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _footprint(rig: Rig) -> list[Figure]:
    files, size = rig.store.size()
    return [
        Figure(case="disk", size=rig.size, unit="MB", value=round(size / 1e6, 1)),
        Figure(case="disk, a memory", size=rig.size, unit="bytes", value=round(size / rig.size, 1)),
        Figure(case="files", size=rig.size, unit="files", value=files),
    ]


def _peak(size: int) -> list[Figure]:
    try:
        import resource  # noqa: PLC0415 - Unix only
    except ImportError:
        return []
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if _MAC else 1_024)
    return [Figure(case="peak memory, this process", size=size, unit="MB", value=round(peak / 1e6))]
