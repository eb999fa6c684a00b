"""The table of memories: its columns, rows and indices. A row is a version of a memory.

There is a vector column for each embedder, so that a search never compares vectors of two. Its
field metadata names the embedder; that of the column `embedder` names the active space, whose
vectors every process must use.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import FTS, Bitmap, BTree, LabelList
from numpy.typing import NDArray

from mem_mcp.api.models import Memory, Relation

TABLE = "memories"
SCHEMA_VERSION = 2
VERSION_KEY = b"mem_mcp.schema"
CLOSES_OPEN_ROW = "target.superseded_at IS NULL AND source.superseded_at IS NOT NULL"
"""Condition for a merge to update a row. It is optimistic locking: the writer that loses the race
matches no open row and changes nothing."""

FIRST_COLUMN = "vector"
ACTIVE_KEY = b"mem_mcp.active"
EMBEDDER_KEY = b"mem_mcp.embedder"
RECORD = "embedder"
"""Column whose metadata names the active space, and a number of the schema raised later."""
HASH = "content_hash"
HASHED_KEY = b"mem_mcp.hash"
HASHED_AS = b"exact"
"""How the hashes of the column are made, as its metadata says it: `text.content_hash` does."""

_STRING = pa.string()
_STRINGS = pa.list_(pa.string())
TIME = pa.timestamp("us", tz="UTC")
_RELATION = pa.struct([("source", _STRING), ("relation", _STRING), ("target", _STRING)])

# LanceDB reads the primary key from here. It makes concurrent inserts of one version_id conflict.
_PRIMARY_KEY = {b"lance-schema:unenforced-primary-key:position": b"1"}

_TEXT_INDEX = {
    "text": FTS(
        base_tokenizer="icu/split",
        language="English",
        stem=True,
        remove_stop_words=True,
        ascii_folding=True,
        lower_case=True,
        with_position=True,
    )
}
_BTREES = ("version_id", "memory_id", "user_id", "run_id", "content_hash", "request_key",
           "occurred_at", "recorded_at", "task_type", "tool_name")  # fmt: skip
# Not superseded_at and expires_at: nearly every row is current, and an index that keeps nearly
# every row costs each read time in proportion to the whole table.
_BITMAPS = ("kind", "status", "agent_id", "outcome_type", "severity")
_LABEL_LISTS = ("tags", "entities", "used")
INDICES: Mapping[str, Any] = {
    **_TEXT_INDEX,
    **dict.fromkeys(_BTREES, BTree()),
    **dict.fromkeys(_BITMAPS, Bitmap()),
    **dict.fromkeys(_LABEL_LISTS, LabelList()),
}
"""Column to index, without the index over vectors."""

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Version:
    """A row: a version of a memory with its vector."""

    memory: Memory
    vector: Vector | None
    """None if it could not be made, or was not read."""


@dataclass(frozen=True, slots=True)
class Space:
    """The vectors of one embedder."""

    column: str
    embedder: str
    """Identity of the embedder."""
    dimension: int

    @property
    def field(self) -> pa.Field:
        """The column."""
        return pa.field(
            self.column,
            pa.list_(pa.float32(), self.dimension),
            metadata={EMBEDDER_KEY: self.embedder.encode()},
        )


def table_schema(space: Space | None, without: Collection[str] = ()) -> pa.Schema:
    """Return the columns of a table.

    Args:
        space: whose vectors it has; None for none yet.
        without: names of columns to leave out.
    """

    def columns(kind: pa.DataType, *names: str) -> list[pa.Field]:
        return [pa.field(name, kind) for name in names]

    return pa.schema(
        field
        for field in [
            pa.field("version_id", _STRING, nullable=False, metadata=_PRIMARY_KEY),
            *columns(_STRING, "memory_id"),
            *columns(pa.int32(), "version"),
            *columns(_STRING, "event", "reason", "actor", "text"),
            *([space.field] if space else []),
            *columns(_STRING, "embedder", "kind", "user_id", "agent_id", "run_id", "actor_id"),
            *columns(_STRING, "role"),
            *columns(pa.int32(), "position"),
            *columns(_STRINGS, "tags", "entities"),
            *columns(pa.list_(_RELATION), "relations"),
            *columns(pa.json_(), "metadata"),
            *columns(_STRING, "outcome_type", "task_type", "tool_name", "severity"),
            *columns(_STRING, "agent_version"),
            *columns(_STRINGS, "used"),
            *columns(_STRING, "source"),
            *columns(_STRINGS, "evidence"),
            *columns(pa.float64(), "confidence"),
            pa.field(HASH, _STRING, metadata={HASHED_KEY: HASHED_AS}),
            *columns(_STRING, "request_key"),
            *columns(TIME, "occurred_at", "valid_until", "recorded_at", "superseded_at"),
            *columns(TIME, "expires_at"),
            *columns(_STRING, "status", "client"),
        ]
        if field.name not in without
    ).with_metadata({VERSION_KEY: str(SCHEMA_VERSION).encode()})


def to_arrow(versions: Sequence[Version], schema: pa.Schema) -> pa.Table:
    """Return versions as rows of a schema with one vector column at most.

    The `embedder` of a row is that of its vector in this schema, whatever the version says: a row
    that names an embedder without having its vector would never get it.
    """
    embedder = next((space.embedder for space in spaces(schema)), None)
    rows = [version.memory.model_dump() for version in versions]
    for row, version in zip(rows, versions, strict=True):
        row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False)
        row["embedder"] = None if version.vector is None else embedder
    columns = [
        pa.array([version.vector for version in versions], field.type)
        if pa.types.is_fixed_size_list(field.type)
        else pa.array([row[field.name] for row in rows], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def from_arrow(table: pa.Table) -> list[Version]:
    """Return rows as versions; columns that are absent take their defaults."""
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
    """Return the column `vector` as an array (rows, dimension); a row without one is NaN."""
    column = table["vector"].combine_chunks()
    width = column.type.list_size
    vectors = np.full((len(column), width), np.nan, dtype=np.float32)
    present = np.asarray(column.is_valid())
    vectors[present] = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return vectors


def spaces(table: pa.Schema) -> list[Space]:
    """Return every space of a table."""
    return [
        Space(field.name, metadata[EMBEDDER_KEY].decode(), field.type.list_size)
        for field in table
        if EMBEDDER_KEY in (metadata := field.metadata or {})
    ]


def active(table: pa.Schema) -> Space | None:
    """Return the active space of a table; None before the first vector."""
    metadata = table.field(RECORD).metadata or {}
    name = metadata.get(ACTIVE_KEY, FIRST_COLUMN.encode()).decode()
    return next((space for space in spaces(table) if space.column == name), None)


def space_of(table: pa.Schema, embedder: str) -> Space | None:
    """Return the space of an embedder; None if the table has none."""
    return next((space for space in spaces(table) if space.embedder == embedder), None)


def unnamed_space(table: pa.Schema) -> Space | None:
    """Return the space of an older table, whose own metadata names the one embedder."""
    embedder = (table.metadata or {}).get(EMBEDDER_KEY)
    place = table.get_field_index(FIRST_COLUMN)
    if embedder is None or place < 0 or EMBEDDER_KEY in (table.field(place).metadata or {}):
        return None
    return Space(FIRST_COLUMN, embedder.decode(), table.field(place).type.list_size)


def number(table: pa.Schema) -> int:
    """Return the number of a table's schema; 0 if the table is none of ours.

    LanceDB cannot change the metadata of a table, so a number that was raised later is in that of a
    column.
    """
    numbers = [(table.metadata or {}).get(VERSION_KEY, b"")]
    if (place := table.get_field_index(RECORD)) >= 0:
        numbers.append((table.field(place).metadata or {}).get(VERSION_KEY, b""))
    return max(int(each) if each.isdigit() else 0 for each in numbers)


async def set_number(table: lancedb.AsyncTable, raised: int) -> None:
    """Raise the number of a table's schema, so that programs which do not know it refuse it."""
    metadata = {VERSION_KEY.decode(): str(raised)}
    await table.update_field_metadata({"path": RECORD, "metadata": metadata})


def free_column(taken: Iterable[str]) -> str:
    """Return a name for a further vector column."""
    names, number = set(taken), 1
    while (name := f"{FIRST_COLUMN}_{number}" if number > 1 else FIRST_COLUMN) in names:
        number += 1
    return name


def stored_names(columns: Sequence[str], space: Space | None) -> list[str]:
    """Return the names of columns in the table, where `vector` is the column of a space."""
    vector = [space.column] if space else []
    return [name for each in columns for name in (vector if each == FIRST_COLUMN else [each])]


def with_vector(rows: pa.Table, columns: Sequence[str], space: Space | None) -> pa.Table:
    """Return rows of `stored_names` with their vectors as `vector`; without a space it is null."""
    if FIRST_COLUMN not in columns:
        return rows
    if space is None:
        nulls = pa.nulls(rows.num_rows, pa.list_(pa.float32(), 1))
        return rows.add_column(columns.index(FIRST_COLUMN), FIRST_COLUMN, nulls)
    place = rows.schema.get_field_index(space.column)
    return rows.set_column(place, FIRST_COLUMN, rows.column(place))


async def ensure_text_index(table: lancedb.AsyncTable) -> None:
    """Make the index that search by words needs, unless it exists."""
    await ensure_indices(table, _TEXT_INDEX)


async def ensure_indices(table: lancedb.AsyncTable, wanted: Mapping[str, Any]) -> None:
    """Make the indices in `wanted`, by column, that a table lacks; a new table has none."""
    present = {column for index in await table.list_indices() for column in index.columns}
    for column, config in wanted.items():
        if column not in present:
            await table.create_index(column, config=config)


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    if "metadata" in row:
        row["metadata"] = json.loads(row["metadata"] or "{}")
    if "relations" in row:
        row["relations"] = [Relation(**relation) for relation in row["relations"]]
    return row
