"""Titles, tables and notes as text for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Table = list[list[str]]
"""Rows of cells; the first row names the columns, the first column the rows."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a report shows."""

    title: str
    tables: Sequence[Table]
    notes: Sequence[str]

    def text(self) -> str:
        """Return aligned columns and a few lines."""
        tables = (line for table in self.tables for line in (*_aligned(table), ""))
        return "\n".join([self.title, "", *tables, *self.notes])

    def markdown(self) -> str:
        """Return a Markdown page."""
        tables = (line for table in self.tables for line in (*_piped(table), ""))
        notes = (f"- {' '.join(note.split())}" for note in self.notes)
        return "\n".join([f"# {self.title}", "", *tables, *notes, ""])


def _aligned(table: Table) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [_line(row, widths) for row in table]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *cells = row
    numbers = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
    return "  ".join([name.ljust(widths[0]), *numbers]).rstrip()


def _piped(table: Table) -> list[str]:
    header, *body = ["| " + " | ".join(row) + " |" for row in table]
    return [header, "|---|" + "---:|" * (len(table[0]) - 1), *body]
