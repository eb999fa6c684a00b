"""The report of a measurement of speed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from mem_mcp.api.models import Model
from mem_mcp.evaluation.report import Column, Report, Row, Table, failures, table
from mem_mcp.evaluation.speed.fill import BY_CALLS

_PRECISE_BELOW = 10


class Figure(Row):
    """One measurement; a failed one has no value."""

    size: int
    """Memories in the store."""
    unit: str = ""
    calls: int = 0
    value: float | None = None
    """Median, where there were several calls."""
    p95: float | None = None
    floor: float | None = None
    floor_p95: float | None = None
    ratio: float | None = None


class PlannerSearch(Row):
    """How the planner searches where a filter leaves the share of the store that `case` names."""

    size: int
    matches: int = 0
    calls: int = 0
    recall_at_10: float | None = None
    """Against exact search."""
    milliseconds: float | None = None
    exact_milliseconds: float | None = None


class ProfileStep(Model):
    """A step of a call: one of the product's own spans, or the time in none of them."""

    step: str
    times: float
    """How often one call does it."""
    milliseconds: float
    """Median of the time that one call spends in it."""
    share: float
    """Percent of the time of all calls; steps that run together share it."""


class Profile(Row):
    """How the time of a call divides into steps."""

    size: int
    calls: int = 0
    steps: Sequence[ProfileStep] = ()


_FIGURES: Sequence[Column[Figure]] = (
    Column("unit", lambda figure: figure.unit if figure.error is None else "failed"),
    Column("value", lambda figure: _number(figure.value)),
    Column("p95", lambda figure: _number(figure.p95)),
    Column("floor", lambda figure: _number(figure.floor)),
    Column("floor p95", lambda figure: _number(figure.floor_p95)),
    Column("ratio", lambda figure: figure.ratio, ".2f"),
    Column("calls", lambda figure: figure.calls or None),
)
_PLANNER: Sequence[Column[PlannerSearch]] = (
    Column("matches", lambda row: row.matches, ",.0f"),
    Column("recall@10", lambda row: row.recall_at_10, ".4f", "failed"),
    Column("p50 ms", lambda row: _number(row.milliseconds)),
    Column("exact p50 ms", lambda row: _number(row.exact_milliseconds)),
    Column("calls", lambda row: row.calls),
)
_STEPS: Sequence[Column[ProfileStep]] = (
    Column("times", lambda step: step.times, ".1f"),
    Column("ms", lambda step: step.milliseconds, ".2f"),
    Column("share %", lambda step: step.share, ".1f"),
)


class SpeedReport(Report):
    """How fast the memory is, size by size."""

    sizes: Sequence[int]
    environment: dict[str, Any]
    rows: Sequence[Figure]
    planner: Sequence[PlannerSearch]
    profiles: Sequence[Profile]

    @property
    def title(self) -> str:
        """What was done, in short."""
        return f"{self.suite}: with {', '.join(f'{size:,}' for size in self.sizes)} memories"

    def _tables(self) -> list[Table]:
        return list(chain.from_iterable(map(self._tables_of, self.sizes)))

    def _legend(self) -> Iterator[str]:
        yield (
            "floor: the same done by hand in this process, in turn with it. Of a recall: one "
            "embedding, one exact vector query and one full-text query with the same filter; of "
            "remember: one embedding and one LanceDB add, not synced; of remember_many: the "
            "embedder alone, on the same texts; at once: as many in a row; start and transports: a "
            "server of five empty tools"
        )
        yield "ratio: medians; of rates, more is better; of all else, less"
        yield "owner: one user who has half of all memories"
        yield (
            "peak memory of this process counts both embedders, of product and floor, and the "
            "sizes before"
        )
        if max(self.sizes) > BY_CALLS:
            yield (
                f"up to {BY_CALLS:,} memories are remembered; those above are copies of their "
                "texts with synthetic vectors, written to the store directly"
            )
        yield "machine: " + ", ".join(f"{name} {value}" for name, value in self.environment.items())

    def _data_notes(self) -> Iterator[str]:
        sha256 = self.data.sha256
        yield f"data: {self.data.file}" + (f", sha256 {sha256[:12]}" if sha256 else "")

    def _failures(self) -> Iterator[str]:
        yield from failures([*self.rows, *self.planner, *self.profiles])

    def _tables_of(self, size: int) -> Iterator[Table]:
        memories = f"{size:,} memories"
        figures = ((row.case, row) for row in self.rows if row.size == size)
        yield table(memories, figures, _FIGURES)
        if searches := [(row.case, row) for row in self.planner if row.size == size]:
            yield table(f"planner, {memories}", searches, _PLANNER)
        for profile in self.profiles:
            if profile.size == size and profile.steps:
                steps = ((step.step, step) for step in profile.steps)
                yield table(f"{profile.case}, {memories}", steps, _STEPS)


def _number(value: float | None) -> str | None:
    if value is None:
        return None
    return f"{value:.2f}" if abs(value) < _PRECISE_BELOW else f"{value:,.1f}"
