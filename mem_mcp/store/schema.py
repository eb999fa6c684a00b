"""The table of memories: its columns, rows and indices. A row is a version of a memory.

There is a vector column for each embedder, so that a search never compares vectors of two. Its
field metadata names the embedder; that of the column `embedder` names the active space, whose
vectors every process must use. Beside it is a column for the vectors of a long text's passages.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

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
PASSAGES = "passages"
PASSAGES_KEY = b"mem_mcp.passages_of"
"""Metadata of a column of passages: the embedder. Another key, as the column makes no space."""
PASSAGES_DUE_KEY = b"mem_mcp.passages_due"
"""The same: not empty while texts that were stored before there was the column may have none."""
RECORD = "embedder"
"""Column whose metadata names the active space, and a number of the schema raised later."""
HASH = "content_hash"
HASHED_KEY = b"mem_mcp.hash"
HASHED_AS = b"exact"
"""How the hashes of the column are made, as its metadata says it: `text.content_hash` does."""

_STRING = pa.string()
_STRINGS = pa.list_(pa.string())
TIME = pa.timestamp("us", tz="UTC")
_PASSAGES_TYPE = pa.list_(pa.float16())
"""The vectors of a text's passages, one after the other.

The numbers have half the bytes of a vector's, of which a long text has a dozen; that moves no
cosine by a thousandth. LanceDB takes a list of vectors for another column to search.
"""
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


class TextVectors(NamedTuple):
    """The vectors of a text."""

    whole: Vector | None = None
    """None if it could not be made."""
    passages: Vector | None = None
    """(k, d) those of a long text's k passages, in order; None for a short text."""


@dataclass(frozen=True, slots=True)
class Version:
    """A row: a version of a memory with its vectors."""

    memory: Memory
    vector: Vector | None
    """None if it could not be made, or was not read."""
    passages: Vector | None = None
    """(k, d) those of a long text's passages; None for a short text, or if they were not read."""

    @property
    def vectors(self) -> TextVectors:
        """All its vectors."""
        return TextVectors(self.vector, self.passages)


@dataclass(frozen=True, slots=True)
class Space:
    """The vectors of one embedder."""

    column: str
    embedder: str
    """Identity of the embedder."""
    dimension: int
    has_passages: bool = field(default=True, compare=False)
    """Whether the table has the column of passages; an older one has none until it is added."""

    @property
    def field(self) -> pa.Field:
        """The column."""
        return pa.field(
            self.column,
            pa.list_(pa.float32(), self.dimension),
            metadata={EMBEDDER_KEY: self.embedder.encode()},
        )

    @property
    def passages_field(self) -> pa.Field:
        """The column of passages."""
        return pa.field(
            _passages_column(self.column),
            _PASSAGES_TYPE,
            metadata={PASSAGES_KEY: self.embedder.encode()},
        )

    @property
    def fields(self) -> list[pa.Field]:
        """The columns that the table has."""
        return [self.field, *([self.passages_field] if self.has_passages else [])]


def _passages_column(column: str) -> str:
    """Return the name of the column of passages beside a vector column.

    It is without the word vector, by which LanceDB takes any list for a vector.
    """
    return column.replace(FIRST_COLUMN, PASSAGES, 1)


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
            *(space.fields if space else []),
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
    """Return versions as rows of a schema with the columns of one space at most.

    The `embedder` of a row is that of its vector in this schema, whatever the version says: a row
    that names an embedder without having its vector would never get it.
    """
    embedder = next((space.embedder for space in spaces(schema)), None)
    rows = [version.memory.model_dump() for version in versions]
    for row, version in zip(rows, versions, strict=True):
        row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False)
        row["embedder"] = None if version.vector is None else embedder

    def values(column: pa.Field) -> list[Any]:
        metadata = column.metadata or {}
        if EMBEDDER_KEY in metadata:
            return [version.vector for version in versions]
        if PASSAGES_KEY in metadata:
            return flat([version.passages for version in versions])
        return [row[column.name] for row in rows]

    columns = [pa.array(values(column), column.type) for column in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def flat(passages: Sequence[Vector | None]) -> list[NDArray[np.float16] | None]:
    """Return the vectors of passages, (k, d) or None, as values of their column."""
    return [None if each is None else each.ravel().astype(np.float16) for each in passages]


def from_arrow(table: pa.Table) -> list[Version]:
    """Return rows as versions; columns that are absent take their defaults."""
    names = [name for name in table.column_names if name in Memory.model_fields]
    vectors = matrix(table) if FIRST_COLUMN in table.column_names else None
    passages = passage_vectors(table)
    return [
        Version(
            Memory.model_construct(**_fields(row)),
            None if vectors is None or np.isnan(vectors[i, 0]) else vectors[i],
            passages[i],
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


def passage_vectors(table: pa.Table) -> list[Vector | None]:
    """Return the column `passages`, beside `vector`: of each row (k, d), or None.

    Without the columns all are None.
    """
    if not {PASSAGES, FIRST_COLUMN} <= {*table.column_names}:
        return [None] * table.num_rows
    chunks = table[PASSAGES]
    if chunks.null_count == len(chunks):  # all texts are short
        return [None] * table.num_rows
    column = chunks.combine_chunks()
    width = table.schema.field(FIRST_COLUMN).type.list_size
    numbers = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    sizes = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    starts = np.cumsum(sizes) - sizes
    return [
        numbers[start : start + size].reshape(-1, width) if size else None
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)
    ]


def spaces(table: pa.Schema) -> list[Space]:
    """Return every space of a table."""
    found = [
        Space(column.name, metadata[EMBEDDER_KEY].decode(), column.type.list_size)
        for column in table
        if EMBEDDER_KEY in (metadata := column.metadata or {})
    ]
    return [replace(space, has_passages=_has(table, space.passages_field)) for space in found]


def _has(table: pa.Schema, wanted: pa.Field) -> bool:
    """Return whether a table has a column of passages, of this very embedder."""
    place = table.get_field_index(wanted.name)
    if place < 0 or table.field(place).type != wanted.type:
        return False
    embedder = (table.field(place).metadata or {}).get(PASSAGES_KEY)
    return bool(embedder == wanted.metadata[PASSAGES_KEY])


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
    while {
        name := f"{FIRST_COLUMN}_{number}" if number > 1 else FIRST_COLUMN,
        _passages_column(name),
    } & names:
        number += 1
    return name


def stored_names(columns: Sequence[str], space: Space | None) -> list[str]:
    """Return the names of columns in the table; `vector` and `passages` are those of a space."""
    stored = _stored(space)
    return [name for each in columns for name in stored.get(each, [each])]


def with_vector(rows: pa.Table, columns: Sequence[str], space: Space | None) -> pa.Table:
    """Return rows of `stored_names` with their vectors as `vector` and `passages`.

    A column that the table does not have is null.
    """
    size = space.dimension if space else 1
    kinds = {FIRST_COLUMN: pa.list_(pa.float32(), size), PASSAGES: _PASSAGES_TYPE}
    for wanted, of_kind in kinds.items():
        if wanted not in columns:
            continue
        for name in _stored(space)[wanted]:
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, wanted, rows.column(place))
        if wanted not in rows.column_names:
            nulls = pa.nulls(rows.num_rows, of_kind)
            rows = rows.add_column(columns.index(wanted), wanted, nulls)
    return rows


def _stored(space: Space | None) -> dict[str, list[str]]:
    """Return the names in the table of `vector` and `passages`; none for what it does not have."""
    vector = [space.column] if space else []
    passages = [space.passages_field.name] if space and space.has_passages else []
    return {FIRST_COLUMN: vector, PASSAGES: passages}


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
