"""Append-only tables beside the memories: feedback, recall traces, calls to models.

One column holds the vectors of questions, of any embedder and any length, and another one names
the embedder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import lancedb
import pyarrow as pa
import pyarrow.compute as pc
from lancedb.index import BTree

from mem_mcp.errors import StoreError
from mem_mcp.store import bucket, schema
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.damage.rescue import with_fallback
from mem_mcp.store.damage.survey import checked_rows, read_through
from mem_mcp.store.error_mapping import store_errors
from mem_mcp.store.filters import quote
from mem_mcp.store.locks import Processes
from mem_mcp.store.older_tables import add_missing_columns
from mem_mcp.store.retries import retried
from mem_mcp.store.schema import FIRST_COLUMN, RECORD, TIME, Space, Vector, ensure_indices
from mem_mcp.store.table import Store

_CREATED = "created_at"
_VECTOR = "question_vector"
# Appends after which small files are joined.
_TIDY_EVERY = 50
_KEEP_FOR_OTHERS = timedelta(hours=1)
_KEEP_ALONE = timedelta(milliseconds=1)


def log_schema(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    """Return the columns of a log: the fields, a vector with its embedder, and the time."""
    vector = ((_VECTOR, pa.list_(pa.float32())), (RECORD, pa.string()))
    return pa.schema([*fields, *vector, (_CREATED, TIME)])


class LogTable:
    """An append-only table in the folder of a store. The first append makes it.

    Every method raises StoreError if LanceDB or the disk fails. Reads see every commit of every
    process. Rows can be looked up fast by the `indexed` columns.
    """

    def __init__(self, store: Store, name: str, columns: pa.Schema, indexed: Sequence[str]) -> None:
        self._store = store
        self._name = name
        self._columns = columns
        self.indices = dict.fromkeys(indexed, BTree())
        self.table: lancedb.AsyncTable | None = None
        self._tidied = 0

    @property
    def refusal(self) -> StoreError | None:
        """Why the table takes no appends; None if it does."""
        return self._store.rescue.refusal(self._name)

    @property
    def space(self) -> Space | None:
        """The space of the vectors that `read` returns."""
        return self._store.space

    @unbroken
    async def append(self, rows: Sequence[dict[str, Any]], *, durable: bool) -> int:
        """Add rows, given as column to value, in one commit; return its number.

        Absent columns become null. `vector` is of the store's space. `durable` waits until the rows
        are on the disk.
        """
        table = await self.opened() or await self._create()
        stored = [_stored_row(row, self.space) for row in rows]
        data = pa.Table.from_pylist(stored, schema=self._columns)
        async with self._store.call("write", self._name):
            done = await table.add(data, on_bad_vectors="null")
        if durable:
            await self._store.sync_disk()
        return int(done.version)

    @unbroken
    @with_fallback
    @retried
    async def version(self) -> int:
        """Return the number of the newest commit; 0 before the first."""
        if (table := await self.opened()) is None:
            return 0
        async with self._store.call("read", self._name):
            return int(await table.version())

    @unbroken
    @with_fallback
    @retried
    async def read(
        self,
        columns: Sequence[str],
        *,
        any_of: dict[str, Sequence[str]] | None = None,
        since: datetime | None = None,
    ) -> pa.Table:
        """Read rows, in no order.

        Args:
            columns: columns to read; `vector` is null where it is not of the store's space.
            any_of: column to the values of which a row must have one.
            since: time of the oldest rows.
        """
        names = [name for name in columns if name != FIRST_COLUMN]
        names += [_VECTOR, RECORD] if FIRST_COLUMN in columns else []
        conditions = [_among(column, values) for column, values in (any_of or {}).items()]
        if since is not None:
            conditions.append(f"{_CREATED} >= timestamp '{since.isoformat()}'")
        return _with_vector(await self._rows(names, conditions), columns, self.space)

    @with_fallback
    async def without_vector(self, columns: Sequence[str], where: str) -> pa.Table:
        """Read rows that have no vector of the store's space, and meet a condition in SQL."""
        missing = "FALSE"
        if self.space is not None:
            missing = f"({RECORD} IS NULL OR {RECORD} <> {quote(self.space.embedder)})"
        return await self._rows(columns, [where, missing])

    async def _rows(self, names: Sequence[str], conditions: Sequence[str]) -> pa.Table:
        table = await self.opened()
        if table is None:
            return pa.schema([self._columns.field(name) for name in names]).empty_table()
        query = table.query().select(list(names))
        if conditions:
            query = query.where(" AND ".join(conditions))
        async with self._store.call("read", self._name):
            return checked_rows(await query.to_arrow())

    @unbroken
    @retried
    async def fill(self, key: str, values: Sequence[str], vectors: Sequence[Vector]) -> None:
        """Write the vector of each value into the rows that have it in the column `key`."""
        table, space = await self.opened(), self.space
        if table is None or space is None or not values:
            return
        pairs = zip(values, vectors, strict=True)
        rows = pa.Table.from_pylist(
            [_stored_row({key: value, FIRST_COLUMN: vector}, space) for value, vector in pairs],
            schema=pa.schema([self._columns.field(name) for name in (key, _VECTOR, RECORD)]),
        )
        async with self._store.alone("logs"), self._store.call("write", self._name):
            await table.merge_insert(key).when_matched_update_all().execute(rows)

    @unbroken
    @retried
    async def prune(self, before: datetime) -> int:
        """Delete the rows from before a time; return how many."""
        if (table := await self.opened()) is None:
            return 0
        where = f"{_CREATED} < timestamp '{before.isoformat()}'"
        async with self._store.call("write", self._name):
            rows = int(await table.count_rows(where))
            if rows:
                await table.delete(where)
        return rows

    @unbroken
    @retried
    async def erase(self, column: str, values: Sequence[str]) -> None:
        """Delete the rows that have one of some values in a column."""
        table = await self.opened()
        if table is None or not values:
            return
        # While rows move to another file they cannot be deleted.
        async with self._store.alone("logs"), self._store.call("write", self._name):
            await table.delete(_among(column, values))
        await self._store.sync_disk()

    @unbroken
    @retried
    async def empty(self, columns: Sequence[str], key: str, value: str, moment: datetime) -> None:
        """Set columns of text to "" in the rows of a moment that have a value in a column."""
        if (table := await self.opened()) is None:
            return
        where = f"{_among(key, [value])} AND {_CREATED} = timestamp '{moment.isoformat()}'"
        async with self._store.alone("logs"), self._store.call("write", self._name):
            await table.update(where=where, updates_sql=dict.fromkeys(columns, "''"))

    @unbroken
    async def tidy(self, *, thorough: bool = False) -> None:
        """Join small files and update the indices, if enough has been appended.

        `thorough` does so in any case, and removes old files if no other process is alive.
        """
        if (table := await self.opened()) is None:
            return
        async with self._store.call("tidy", self._name):
            version = int(await table.version())
            if not thorough and version - self._tidied < _TIDY_EVERY:
                return
            await table.checkout_latest()  # type: ignore[no-untyped-call]
            await read_through(table)  # before old files are removed
            await ensure_indices(table, self.indices)  # the maker may have died before
            keep = _KEEP_FOR_OTHERS if self._store.processes else bucket.KEEP_FOR_OTHERS
            await table.optimize(cleanup_older_than=keep)
            self._tidied = int(await table.version())
        if thorough and self._store.processes:
            await self._remove_old_files(table, self._store.processes)

    async def _remove_old_files(self, table: lancedb.AsyncTable, processes: Processes) -> None:
        async with processes.alone_at("create"):  # so that nobody opens the store
            if processes.others_alive():  # they may be reading the files
                return
            await self._store.sync_disk()  # the new files must be safe before the old ones go
            async with self._store.gate.closed():
                with store_errors("tidy"):
                    await table.optimize(cleanup_older_than=_KEEP_ALONE)

    async def fall_back(self) -> None:
        """Read from the mended copy from now on, if the table is damaged."""
        if copy := await self._store.rescue.fall_back(self._name):
            self.table = await self._open_in(copy)

    async def opened(self) -> lancedb.AsyncTable | None:
        """Return the table; None before the first append."""
        if self.table is None:
            copy = self._store.rescue.copy_of(self._name)
            self.table = await self._open_in(copy or self._store.database)
        return self.table

    @retried
    async def _open_in(self, database: lancedb.AsyncConnection) -> lancedb.AsyncTable | None:
        with store_errors("open", self._store.location):
            if self._name not in (await database.list_tables()).tables:
                return None
            async with self._store.alone("create"):
                try:
                    table = await database.open_table(self._name)
                except ValueError as error:
                    if "not found" in str(error):  # a process died while it made the table
                        return None
                    raise
                present = set((await table.schema()).names)
                if not self.refusal or database is not self._store.database:
                    await self._upgrade(table, present)
                elif not present.issuperset(self._columns.names):
                    return None
                return table

    async def _upgrade(self, table: lancedb.AsyncTable, present: set[str]) -> None:
        """Add the columns that a table of an older mem-mcp lacks, and take over its vectors."""
        await add_missing_columns(table, self._columns)
        if FIRST_COLUMN not in present:
            return
        embedder = ((await self._store.table.schema()).metadata or {}).get(schema.EMBEDDER_KEY)
        where = f"{RECORD} IS NULL AND {FIRST_COLUMN} IS NOT NULL"
        if embedder is not None and await table.count_rows(where):
            vector = f"arrow_cast({FIRST_COLUMN}, 'List(Float32)')"
            values = {_VECTOR: vector, RECORD: quote(embedder.decode())}
            await table.update(where=where, updates_sql=values)

    @retried
    async def _create(self) -> lancedb.AsyncTable:
        if self.refusal:
            raise self.refusal
        with store_errors("open", self._store.location):
            async with self._store.alone("create"):
                table = await self._store.database.create_table(
                    self._name, schema=self._columns, exist_ok=True
                )
                await ensure_indices(table, self.indices)
        self.table = table
        return table


def _among(column: str, values: Iterable[str]) -> str:
    literals = ", ".join(map(quote, values))
    return f"{column} IN ({literals})" if literals else "FALSE"


def _stored_row(row: dict[str, Any], space: Space | None) -> dict[str, Any]:
    """Return a row with its `vector` in the column for vectors, beside the embedder."""
    vector = row.get(FIRST_COLUMN)
    if vector is None or space is None:
        return row
    return {**row, _VECTOR: vector, RECORD: space.embedder}


def _with_vector(rows: pa.Table, columns: Sequence[str], space: Space | None) -> pa.Table:
    """Return stored rows with their vectors of a space as `vector`; those of others are null."""
    if FIRST_COLUMN not in columns:
        return rows
    embedder, width = (space.embedder, space.dimension) if space else (None, 1)
    vectors = rows[_VECTOR]
    of_space = pc.and_(
        pc.equal(rows[RECORD], pa.scalar(embedder, pa.string())),
        pc.equal(pc.list_value_length(vectors), width),
    )
    vectors = pc.if_else(of_space, vectors, pa.scalar(None, vectors.type))
    vectors = vectors.cast(pa.list_(pa.float32(), width))
    return rows.drop_columns([_VECTOR, RECORD]).append_column(FIRST_COLUMN, vectors)
