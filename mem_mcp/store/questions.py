"""Vectors in a log: those of questions. One column holds them for all embedders, of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.store.schema import TIME
from mem_mcp.store.vector_columns import FIRST_COLUMN, RECORD, Space

TIME_COLUMN = "created_at"
VECTOR = "question_vector"


def columns(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    """Return the schema of a log: the fields, a vector with what made it, and the time."""
    vector = ((VECTOR, pa.list_(pa.float32())), (RECORD, pa.string()))
    return pa.schema([*fields, *vector, (TIME_COLUMN, TIME)])


def columns_of(names: Sequence[str]) -> list[str]:
    """Return what is to be read for some columns, of which one may be `vector`."""
    own = [VECTOR, RECORD] if FIRST_COLUMN in names else []
    return [*(name for name in names if name != FIRST_COLUMN), *own]


def stored(row: dict[str, Any], space: Space | None) -> dict[str, Any]:
    """Return a row as it is stored, with what made its `vector`."""
    vector = row.get(FIRST_COLUMN)
    if vector is None or space is None:
        return row
    return {**row, VECTOR: vector, RECORD: space.embedder}


def in_space(rows: pa.Table, names: Sequence[str], space: Space | None) -> pa.Table:
    """Return rows of `columns_of(names)` with their `vector` in a space, where it is one of them.

    It is null where another embedder made it.
    """
    if FIRST_COLUMN not in names:
        return rows
    width = space.dimension if space else 1
    vectors = rows[VECTOR].combine_chunks()
    mine = pc.and_(
        pc.equal(rows[RECORD], pa.scalar(space.embedder if space else None, pa.string())),
        pc.equal(pc.list_value_length(vectors), width),
    )
    mine = np.asarray(pc.fill_null(mine, fill_value=False).combine_chunks(), dtype=bool)
    values = np.zeros((rows.num_rows, width), np.float32)
    own = vectors.filter(pa.array(mine)).flatten().to_numpy(zero_copy_only=False)
    values[mine] = own.reshape(-1, width)
    found = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), width, mask=pa.array(~mine))
    return rows.drop_columns([VECTOR, RECORD]).append_column(FIRST_COLUMN, found)
