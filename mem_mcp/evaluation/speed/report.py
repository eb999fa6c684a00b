"""What a measurement of speed reports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mem_mcp.api.models import Model
from mem_mcp.evaluation.page import Page, Table
from mem_mcp.evaluation.report import Report, Row
from mem_mcp.evaluation.speed.layout import BY_CALLS

_PRECISE_BELOW = 10
_LEGEND = (
    "floor: the same done by hand in this process, in turn with it. Of a recall: one embedding, "
    "one exact vector query and one full-text query with the same filter; of remember: one "
    "embedding and one LanceDB add, not synced; of remember_many: the embedder alone, on the same "
    "texts; at once: as many in a row; start and transports: a server of five empty tools",
    "ratio: medians; of rates, more is better; of all else, less",
    "owner: one user who has half of all memories",
    "peak memory of this process counts both embedders, of product and floor, and the sizes before",
)


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


class Nearest(Row):
    """How the planner searches where a filter leaves this share of the store."""

    size: int
    matches: int = 0
    calls: int = 0
    recall_at_10: float | None = None
    """Against exact search."""
    milliseconds: float | None = None
    exact_milliseconds: float | None = None


class Step(Model):
    """A step of a call: one of the product's own spans, or what is in none."""

    step: str
    times: float
    """How often one call does it."""
    milliseconds: float
    """Median of what one call spends in it."""
    share: float
    """Percent of the time of all calls; steps that run together share it."""


class Profile(Row):
    """Where the time of a call goes."""

    size: int
    calls: int = 0
    steps: Sequence[Step] = ()


class SpeedReport(Report):
    """How fast the memory is, size by size."""

    sizes: Sequence[int]
    environment: dict[str, Any]
    rows: Sequence[Figure]
    planner: Sequence[Nearest]
    profiles: Sequence[Profile]

    @property
    def title(self) -> str:
        """What was done, in short."""
        return f"{self.suite}: with {', '.join(f'{size:,}' for size in self.sizes)} memories"

    def page(self) -> Page:
        """Return what is shown of it."""
        return Page(self.title, list(self._tables()), list(self._notes()))

    def _tables(self) -> Iterator[Table]:
        for size in self.sizes:
            yield _figures(size, [row for row in self.rows if row.size == size])
            if planned := [row for row in self.planner if row.size == size]:
                yield _planned(size, planned)
            yield from (_steps(one) for one in self.profiles if one.size == size and one.steps)

    def _notes(self) -> Iterator[str]:
        yield from _LEGEND
        if max(self.sizes) > BY_CALLS:
            yield (
                f"up to {BY_CALLS:,} memories are remembered; those above are copies of their "
                "texts with synthetic vectors, written to the store directly"
            )
        yield "machine: " + ", ".join(f"{name} {value}" for name, value in self.environment.items())
        _, *ran = self.origin()
        sha256 = self.data.sha256
        yield f"data: {self.data.file}" + (f", sha256 {sha256[:12]}" if sha256 else "")
        yield from ran
        failed = [row for row in (*self.planner, *self.profiles) if row.error]
        yield from (f"failed: {row.case}: {row.error}" for row in failed)


def _figures(size: int, rows: Sequence[Figure]) -> Table:
    return [
        [f"{size:,} memories", "unit", "value", "p95", "floor", "floor p95", "ratio", "calls"],
        *(
            [
                row.case,
                row.unit if row.error is None else "failed",
                *map(_number, (row.value, row.p95, row.floor, row.floor_p95)),
                "" if row.ratio is None else f"{row.ratio:.2f}",
                str(row.calls or ""),
            ]
            for row in rows
        ),
    ]


def _planned(size: int, rows: Sequence[Nearest]) -> Table:
    return [
        [f"planner, {size:,} memories", "matches", "recall@10", "p50 ms", "exact p50 ms", "calls"],
        *(
            [
                row.case,
                f"{row.matches:,}",
                "failed" if row.recall_at_10 is None else f"{row.recall_at_10:.4f}",
                *map(_number, (row.milliseconds, row.exact_milliseconds)),
                str(row.calls),
            ]
            for row in rows
        ),
    ]


def _steps(profile: Profile) -> Table:
    return [
        [f"{profile.case}, {profile.size:,} memories", "times", "ms", "share %"],
        *(
            [one.step, f"{one.times:.1f}", f"{one.milliseconds:.2f}", f"{one.share:.1f}"]
            for one in profile.steps
        ),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if abs(value) < _PRECISE_BELOW else f"{value:,.1f}"
