"""What every evaluation reports: tables of figures, and all that is needed to repeat the run."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

from mem_mcp import __version__
from mem_mcp.api.models import LLMUsage, Model
from mem_mcp.config import Settings

_SOURCE = Path(__file__).parents[2]
# Paths and secrets stay out: reports are passed on.
_SETTINGS: Any = {"remember": True, "recall": True, "embedding": {"model"}, "llm": {"model"}}
T = TypeVar("T")
R = TypeVar("R", bound="Row")
Table = list[list[str]]
"""Rows of cells; the first row names the columns, the first column the rows."""


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column of a table."""

    title: str
    value: Callable[[T], object]
    """Returns the value that an item has in this column."""
    format: str = ""
    """How the value is written, such as ",.1f"; of an interval, how each end is."""
    missing: str = ""
    """The cell where the value is None."""


def table(title: str, rows: Iterable[tuple[str, T]], columns: Sequence[Column[T]]) -> Table:
    """Build a table with a row for each item.

    Args:
        title: of the first column.
        rows: the name of each row, and its item.
        columns: the other columns.
    """
    body = (
        [name, *(_cell(column.value(item), column.format, column.missing) for column in columns)]
        for name, item in rows
    )
    return [[title, *(column.title for column in columns)], *body]


def line(name: str, values: Iterable[object], format: str) -> list[str]:
    """Build one row from values that are all written alike; None is an empty cell."""
    return [name, *(_cell(value, format) for value in values)]


class Row(Model):
    """One case; a failed one says why."""

    case: str
    error: str | None = None


class Data(Model):
    """The data that was evaluated on."""

    file: str
    sha256: str
    memories: int
    skipped: int
    """Questions that were left out, because the file names nothing that answers them."""


class Report(Model, ABC):
    """One run of one suite."""

    suite: str
    seed: int
    data: Data
    settings: dict[str, Any]
    versions: dict[str, str]
    commit: str | None
    """Of the source tree that ran, if it was one; it ends in -dirty if files were changed."""
    rows: Sequence[Row]

    @property
    def title(self) -> str:
        """What was done, in short."""
        return (
            f"{self.suite}: {len(self.rows):,} questions about {self.data.memories:,} memories, "
            "in percent"
        )

    def text(self) -> str:
        """Return the report for a terminal."""
        tables = (line for table in self._tables() for line in (*_aligned(table), ""))
        return "\n".join([self.title, "", *tables, *self._notes()])

    def markdown(self) -> str:
        """Return the report as a Markdown page."""
        tables = (line for table in self._tables() for line in (*_piped(table), ""))
        notes = (f"- {' '.join(note.split())}" for note in self._notes())
        return "\n".join([f"# {self.title}", "", *tables, *notes, ""])

    @abstractmethod
    def _tables(self) -> list[Table]: ...

    @abstractmethod
    def _legend(self) -> Iterator[str]:
        """Yield the notes that explain the tables."""

    def _data_notes(self) -> Iterator[str]:
        data = self.data
        yield f"data: {data.file}, sha256 {data.sha256[:12]}; {data.skipped} questions left out"

    def _failures(self) -> Iterator[str]:
        yield from failures(self.rows)

    def _notes(self) -> Iterator[str]:
        yield from self._legend()
        yield from self._data_notes()
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        yield f"run: {versions}, commit {self.commit or 'unknown'}, seed {self.seed}"
        yield from self._failures()


def failures(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a note on each row that failed."""
    yield from (f"failed: {row.case}: {row.error}" for row in rows if row.error)


def usage_note(usage: LLMUsage) -> str:
    """Say what a model was asked for, and what that cost."""
    return (
        f"{usage.calls:,} calls, {usage.input_tokens:,} tokens sent, "
        f"{usage.output_tokens:,} received, cost {dollars(usage.cost_usd)}"
    )


def dollars(cost: float | None) -> str:
    """Write a cost; None is unknown."""
    return "unknown" if cost is None else f"${cost:.4f}"


def by_category(rows: Sequence[R], category: Callable[[R], str]) -> dict[str, list[R]]:
    """Return the rows of each category, in alphabetical order."""
    names = sorted(set(map(category, rows)))
    return {name: [row for row in rows if category(row) == name] for name in names}


def provenance(
    suite: str, seed: int, settings: Settings, file: Path | None, *, memories: int, skipped: int = 0
) -> dict[str, Any]:
    """Return those fields of a `Report` that say what ran.

    Args:
        suite: name of the suite.
        seed: of the run.
        settings: of the memory; those that bear on the figures are kept.
        file: of the data; None where the data was made up.
        memories: how many the data has.
        skipped: how many questions were left out.
    """
    packages = {name: version(name) for name in ("lancedb", "onnxruntime")}
    return {
        "suite": suite,
        "seed": seed,
        "data": Data(
            file=file.name if file else "made-up sentences",
            sha256=sha256(file) if file else "",
            memories=memories,
            skipped=skipped,
        ),
        "settings": settings.model_dump(mode="json", include=_SETTINGS),
        "versions": {"mem-mcp": __version__, **packages, "python": platform.python_version()},
        "commit": _commit(),
    }


def sha256(*files: Path) -> str:
    """Return the SHA-256 of files, one after the other, in hexadecimal.

    Args:
        files: which; of a folder, all its JSON files.
    """
    digest = hashlib.sha256()
    for file in files:
        for part in sorted(file.glob("*.json")) if file.is_dir() else [file]:
            digest.update(part.read_bytes())
    return digest.hexdigest()


def _commit() -> str | None:
    if not (_SOURCE / ".git").exists():
        return None
    # With every tag excluded, describe prints the plain hash, and says whether files changed.
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        process = subprocess.run(command, cwd=_SOURCE, capture_output=True, text=True, check=True)  # noqa: S603 - a fixed command
    except (OSError, subprocess.CalledProcessError):
        return None
    return process.stdout.strip() or None


def _cell(value: object, format: str, missing: str = "") -> str:
    if value is None:
        return missing
    if isinstance(value, tuple):
        low, high = (f"{end:{format}}" for end in value)
        return f"{low} to {high}" if format.startswith("+") else f"{low}-{high}"
    return f"{value:{format}}"


def _aligned(table: Table) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for name, *cells in table:
        numbers = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *numbers]).rstrip()


def _piped(table: Table) -> list[str]:
    header, *body = ["| " + " | ".join(row) + " |" for row in table]
    return [header, "|---|" + "---:|" * (len(table[0]) - 1), *body]
