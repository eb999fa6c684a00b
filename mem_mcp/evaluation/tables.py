"""Tables of a report: columns that say how their values are written, as text and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Table = list[list[str]]
"""Rows of cells; the first row names the columns, the first column the rows."""

COUNT = "{:,.0f}"
DECIMAL = "{:.1f}"
DIFFERENCE = "{:+.1f}"
RANGE = "{0[0]:.1f}-{0[1]:.1f}"
"""Of an interval."""
DIFFERENCE_RANGE = "{0[0]:+.1f} to {0[1]:+.1f}"


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column: its title, the value that an item has in it, and how the value is written."""

    title: str
    value: Callable[[T], object]
    format: str = "{}"
    """A format string for the value."""
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


def as_text(table: Table) -> list[str]:
    """Return the lines of a table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [_aligned(row, widths) for row in table]


def as_markdown(table: Table) -> list[str]:
    """Return the lines of a Markdown table."""
    header, *body = ["| " + " | ".join(row) + " |" for row in table]
    return [header, "|---|" + "---:|" * (len(table[0]) - 1), *body]


def _cell(value: object, format: str, missing: str = "") -> str:
    return missing if value is None else format.format(value)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *cells = row
    numbers = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
    return "  ".join([name.ljust(widths[0]), *numbers]).rstrip()
