"""What every evaluation reports: what ran, case by case, with all that is needed to repeat it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from mem_mcp.api.models import Model
from mem_mcp.evaluation.page import Page


class Row(Model):
    """One case; a failed one says why."""

    case: str
    error: str | None = None


class Data(Model):
    """What was evaluated on."""

    file: str
    sha256: str
    memories: int
    skipped: int
    """Questions for which the file names nothing that answers them."""


class Report(Model, ABC):
    """One run of one suite."""

    suite: str
    seed: int
    data: Data
    settings: dict[str, Any]
    versions: dict[str, str]
    commit: str | None
    """Of the source tree that ran, if it was one; ends in -dirty if it was changed."""
    rows: Sequence[Row]

    @abstractmethod
    def page(self) -> Page:
        """Return what is shown of it."""

    def text(self) -> str:
        """Return it for a terminal."""
        return self.page().text()

    def markdown(self) -> str:
        """Return it as a Markdown page."""
        return self.page().markdown()

    @property
    def title(self) -> str:
        """What was done, in short."""
        return (
            f"{self.suite}: {len(self.rows):,} questions about {self.data.memories:,} memories, "
            "in percent"
        )

    def origin(self) -> Iterator[str]:
        """Yield the notes on what ran, and which cases failed."""
        data = self.data
        yield f"data: {data.file}, sha256 {data.sha256[:12]}; {data.skipped} questions left out"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        yield f"run: {versions}, commit {self.commit or 'unknown'}, seed {self.seed}"
        yield from (f"failed: {row.case}: {row.error}" for row in self.rows if row.error)
