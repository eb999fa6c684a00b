"""Vector spaces: a column for each embedder, so that vectors of two never meet in one search.

The field metadata of a vector column names its embedder, and that of the column `embedder` names
the active one: the embedder that every process must use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

FIRST_COLUMN = "vector"
ACTIVE_KEY = b"mem_mcp.active"
EMBEDDER_KEY = b"mem_mcp.embedder"
RECORD = "embedder"
"""Column whose metadata names the active space."""


@dataclass(frozen=True, slots=True)
class Space:
    """Where the vectors of one embedder are."""

    column: str
    embedder: str
    """Its identity."""
    dimension: int

    @property
    def field(self) -> pa.Field:
        """The column."""
        return pa.field(
            self.column,
            pa.list_(pa.float32(), self.dimension),
            metadata={EMBEDDER_KEY: self.embedder.encode()},
        )


def spaces(found: pa.Schema) -> list[Space]:
    """Return every space of a table."""
    return [
        Space(field.name, metadata[EMBEDDER_KEY].decode(), field.type.list_size)
        for field in found
        if EMBEDDER_KEY in (metadata := field.metadata or {})
    ]


def active(found: pa.Schema) -> Space | None:
    """Return the space that a table names as its own; None before the first vector."""
    metadata = found.field(RECORD).metadata or {}
    name = metadata.get(ACTIVE_KEY, FIRST_COLUMN.encode()).decode()
    return next((space for space in spaces(found) if space.column == name), None)


def unnamed_space(found: pa.Schema) -> Space | None:
    """Return the space of a table whose only embedder stands beside the version, not the column."""
    embedder = (found.metadata or {}).get(EMBEDDER_KEY)
    place = found.get_field_index(FIRST_COLUMN)
    if embedder is None or place < 0 or EMBEDDER_KEY in (found.field(place).metadata or {}):
        return None
    return Space(FIRST_COLUMN, embedder.decode(), found.field(place).type.list_size)


def named(some: Iterable[Space], embedder: str) -> Space | None:
    """Return the space of an embedder."""
    return next((space for space in some if space.embedder == embedder), None)


def free_column(taken: Iterable[str]) -> str:
    """Return a name for a further vector column."""
    names = set(taken)
    number = 1
    while (name := f"{FIRST_COLUMN}_{number}" if number > 1 else FIRST_COLUMN) in names:
        number += 1
    return name


def stored(columns: Sequence[str], space: Space | None) -> list[str]:
    """Return what columns are called in the table, where `vector` means that of a space."""
    own = [space.column] if space else []
    return [name for each in columns for name in (own if each == FIRST_COLUMN else [each])]


def with_vector(rows: pa.Table, columns: Sequence[str], space: Space | None) -> pa.Table:
    """Return rows of stored columns whose vectors of the space are called `vector`.

    They are null where there is no space.
    """
    if FIRST_COLUMN not in columns:
        return rows
    if space is None:
        nothing = pa.nulls(rows.num_rows, pa.list_(pa.float32(), 1))
        return rows.add_column(columns.index(FIRST_COLUMN), FIRST_COLUMN, nothing)
    here = rows.schema.get_field_index(space.column)
    return rows.set_column(here, FIRST_COLUMN, rows.column(here))
