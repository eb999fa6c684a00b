"""The table: one row is one version of one memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mem_mcp.api.models import Memory, Relation
from mem_mcp.store.vector_columns import Space, spaces

TABLE = "memories"
SCHEMA_VERSION = 2
VERSION_KEY = b"mem_mcp.schema"

_STRING = pa.string()
_STRINGS = pa.list_(pa.string())
TIME = pa.timestamp("us", tz="UTC")
_RELATION = pa.struct([("source", _STRING), ("relation", _STRING), ("target", _STRING)])

# LanceDB reads its primary key from here; it makes a row of a known version_id lose the race.
_PRIMARY_KEY = {b"lance-schema:unenforced-primary-key:position": b"1"}

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Version:
    """A row: a version of a memory with its vector, or None where none could be made."""

    memory: Memory
    vector: Vector | None


def table_schema(space: Space | None) -> pa.Schema:
    """Return the schema of a table with the vectors of one embedder, or of none yet."""
    return pa.schema(
        [
            pa.field("version_id", _STRING, nullable=False, metadata=_PRIMARY_KEY),
            ("memory_id", _STRING),
            ("version", pa.int32()),
            ("event", _STRING),
            ("reason", _STRING),
            ("actor", _STRING),
            ("text", _STRING),
            *([space.field] if space else []),
            ("embedder", _STRING),
            ("kind", _STRING),
            ("user_id", _STRING),
            ("agent_id", _STRING),
            ("run_id", _STRING),
            ("actor_id", _STRING),
            ("role", _STRING),
            ("position", pa.int32()),
            ("tags", _STRINGS),
            ("entities", _STRINGS),
            ("relations", pa.list_(_RELATION)),
            ("metadata", pa.json_()),
            ("outcome_type", _STRING),
            ("task_type", _STRING),
            ("tool_name", _STRING),
            ("severity", _STRING),
            ("agent_version", _STRING),
            ("used", _STRINGS),
            ("source", _STRING),
            ("evidence", _STRINGS),
            ("confidence", pa.float64()),
            ("content_hash", _STRING),
            ("request_key", _STRING),
            ("occurred_at", TIME),
            ("valid_until", TIME),
            ("recorded_at", TIME),
            ("superseded_at", TIME),
            ("expires_at", TIME),
            ("status", _STRING),
        ],
        metadata={VERSION_KEY: str(SCHEMA_VERSION).encode()},
    )


def to_arrow(versions: Sequence[Version], schema: pa.Schema) -> pa.Table:
    """Lay versions out as rows, in the schema's column order; it has one vector column at most.

    A row names the embedder of the vector that it has there, whatever its version was read with:
    a name without the vector would keep it from ever being made.
    """
    embedder = next((space.embedder for space in spaces(schema)), None)
    rows = [version.memory.model_dump() for version in versions]
    for row, version in zip(rows, versions, strict=True):
        row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False)
        row["embedder"] = None if version.vector is None else embedder
    columns = [
        vectors_of([version.vector for version in versions], field.type)
        if pa.types.is_fixed_size_list(field.type)
        else pa.array([row[field.name] for row in rows], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def from_arrow(table: pa.Table) -> list[Version]:
    """Read versions back from rows; columns that were not selected take their defaults."""
    names = [name for name in table.column_names if name in Memory.model_fields]
    vectors = matrix(table) if "vector" in table.column_names else None
    return [
        Version(
            Memory.model_construct(**_fields(row)),
            None if vectors is None or np.isnan(vectors[i, 0]) else vectors[i],
        )
        for i, row in enumerate(table.select(names).to_pylist())
    ]


def matrix(table: pa.Table) -> Vector:
    """Return the vector column as (rows, dimension); rows without a vector are NaN."""
    column = table["vector"].combine_chunks()
    width = column.type.list_size
    vectors = np.full((len(column), width), np.nan, dtype=np.float32)
    present = np.asarray(column.is_valid())
    vectors[present] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return vectors


def vectors_of(vectors: Iterable[Vector | None], column_type: pa.DataType) -> pa.Array:
    """Lay vectors out as a column."""
    rows = list(vectors)
    empty = np.zeros(column_type.list_size, dtype=np.float32)
    values = np.concatenate([empty if row is None else row for row in rows] or [empty[:0]])
    missing = pa.array([row is None for row in rows], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(
        pa.array(values, pa.float32()), type=column_type, mask=missing
    )


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    if "metadata" in row:
        row["metadata"] = json.loads(row["metadata"] or "{}")
    if "relations" in row:
        row["relations"] = [Relation(**relation) for relation in row["relations"]]
    return row
