"""What every evaluation reports: what ran, case by case, with all that is needed to repeat it."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mem_mcp import __version__
from mem_mcp.api.models import Model
from mem_mcp.config import Settings
from mem_mcp.evaluation.tables import Table, as_markdown, as_text

_SOURCE = Path(__file__).parents[2]
# Paths and secrets stay out: reports are passed on.
_SETTINGS: Any = {"remember": True, "recall": True, "embedding": {"model"}, "llm": {"model"}}


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

    @abstractmethod
    def tables(self) -> list[Table]:
        """Return the tables that are shown."""

    @abstractmethod
    def legend(self) -> Iterator[str]:
        """Yield the notes that explain the tables."""

    def data_notes(self) -> Iterator[str]:
        """Yield the notes on the data."""
        data = self.data
        yield f"data: {data.file}, sha256 {data.sha256[:12]}; {data.skipped} questions left out"

    def failures(self) -> Iterator[str]:
        """Yield a note on each case that failed."""
        yield from failed(self.rows)

    def text(self) -> str:
        """Return the report for a terminal."""
        tables = (line for table in self.tables() for line in (*as_text(table), ""))
        return "\n".join([self.title, "", *tables, *self._notes()])

    def markdown(self) -> str:
        """Return the report as a Markdown page."""
        tables = (line for table in self.tables() for line in (*as_markdown(table), ""))
        notes = (f"- {' '.join(note.split())}" for note in self._notes())
        return "\n".join([f"# {self.title}", "", *tables, *notes, ""])

    def _notes(self) -> Iterator[str]:
        yield from self.legend()
        yield from self.data_notes()
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        yield f"run: {versions}, commit {self.commit or 'unknown'}, seed {self.seed}"
        yield from self.failures()


def failed(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a note on each row that failed."""
    yield from (f"failed: {row.case}: {row.error}" for row in rows if row.error)


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
        "versions": {
            "mem-mcp": __version__,
            **{name: version(name) for name in ("lancedb", "onnxruntime")},
            "python": platform.python_version(),
        },
        "commit": _commit(),
    }


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _commit() -> str | None:
    if not (_SOURCE / ".git").exists():
        return None
    # With every tag excluded, describe prints the plain hash, and says whether files changed.
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=_SOURCE, capture_output=True, text=True, check=True)  # noqa: S603 - a fixed command
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() or None
