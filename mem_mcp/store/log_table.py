"""Append-only tables beside the memories: feedback, recall traces, calls to models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import lancedb
import pyarrow as pa
from lancedb.index import BTree

from mem_mcp.errors import StoreError
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.failures import check_whole, mapped, rescued, whole
from mem_mcp.store.filters import quote
from mem_mcp.store.indices import ensure
from mem_mcp.store.locks import Processes
from mem_mcp.store.questions import TIME_COLUMN, VECTOR, columns_of, in_space, stored
from mem_mcp.store.schema import Vector
from mem_mcp.store.table import Store
from mem_mcp.store.vector_columns import EMBEDDER_KEY, FIRST_COLUMN, RECORD, Space

# Appends after which small files are joined.
_TIDY_EVERY = 50
_KEEP_FOR_OTHERS = timedelta(hours=1)
_KEEP_ALONE = timedelta(milliseconds=1)


class Log:
    """One append-only table in the folder of a store, made at its first append.

    Every method raises StoreError where LanceDB or the disk refuses. Reads see every commit of
    every process.

    Args:
        store: beside which.
        name: of the table.
        columns: its columns; one is `created_at`.
        indexed: columns to look rows up by.
    """

    def __init__(self, store: Store, name: str, columns: pa.Schema, indexed: Sequence[str]) -> None:
        self._store = store
        self._name = name
        self._columns = columns
        self._indices = dict.fromkeys(indexed, BTree())
        self._table: lancedb.AsyncTable | None = None
        self._tidied = 0

    @property
    def refusal(self) -> StoreError | None:
        """What an append is refused with; None where something can be appended."""
        return self._store.refusal(self._name)

    @property
    def space(self) -> Space | None:
        """That of the vectors which are read."""
        return self._store.space

    @unbroken
    async def append(self, rows: Sequence[dict[str, Any]], *, durable: bool) -> int:
        """Add rows in one commit.

        Args:
            rows: column to value; absent columns are null. `vector` is one of the space that the
                store works in.
            durable: wait until the disk has them.

        Returns:
            The number of the commit.
        """
        table = await self._opened() or await self._made()
        laid_out = [stored(row, self._store.space) for row in rows]
        data = pa.Table.from_pylist(laid_out, schema=self._columns)
        async with self._store.calling("write", self._name):
            done = await table.add(data, on_bad_vectors="null")
        if durable:
            await self._store.synced()
        return int(done.version)

    @unbroken
    @rescued
    async def version(self) -> int:
        """Return the number of the newest commit; 0 before the first."""
        table = await self._opened()
        if table is None:
            return 0
        async with self._store.calling("read", self._name):
            return int(await table.version())

    @unbroken
    @rescued
    async def read(
        self,
        columns: Sequence[str],
        *,
        any_of: dict[str, Sequence[str]] | None = None,
        since: datetime | None = None,
    ) -> pa.Table:
        """Read rows, in no order.

        Args:
            columns: which of their fields; `vector` is null where another embedder made it.
            any_of: column to the values of which a row must have one.
            since: created then or later.
        """
        table = await self._opened()
        names = columns_of(columns)
        if table is None:
            return in_space(self._empty(names), columns, self._store.space)
        conditions = [
            f"{column} IN ({', '.join(map(quote, values))})" if values else "FALSE"
            for column, values in (any_of or {}).items()
        ]
        if since is not None:
            conditions.append(f"{TIME_COLUMN} >= timestamp '{since.isoformat()}'")
        query = table.query().select(names)
        if conditions:
            query = query.where(" AND ".join(conditions))
        async with self._store.calling("read", self._name):
            rows = whole(await query.to_arrow())
        return in_space(rows, columns, self._store.space)

    def _empty(self, names: Sequence[str]) -> pa.Table:
        return pa.schema([self._columns.field(name) for name in names]).empty_table()

    @rescued
    async def without_vector(self, columns: Sequence[str], where: str) -> pa.Table:
        """Read rows that have no vector in the space that the store works in.

        Args:
            columns: which of their fields.
            where: a condition beside.
        """
        table, space = await self._opened(), self._store.space
        if table is None or space is None:
            return self._empty(columns)
        others = f"({RECORD} IS NULL OR {RECORD} <> {quote(space.embedder)})"
        query = table.query().where(f"{where} AND {others}").select(list(columns))
        async with self._store.calling("read", self._name):
            return await query.to_arrow()

    @unbroken
    async def fill(self, key: str, values: Sequence[str], vectors: Sequence[Vector]) -> None:
        """Give every row its vector that has one of some values; nothing else of it changes.

        Args:
            key: a column.
            values: of it, each once.
            vectors: in their order.
        """
        table, space = await self._opened(), self._store.space
        if table is None or space is None or not values:
            return
        rows = pa.Table.from_pylist(
            [
                stored({key: value, FIRST_COLUMN: vector}, space)
                for value, vector in zip(values, vectors, strict=True)
            ],
            schema=pa.schema([self._columns.field(name) for name in (key, VECTOR, RECORD)]),
        )
        async with self._store.alone("logs"), self._store.calling("write", self._name):
            await table.merge_insert(key).when_matched_update_all().execute(rows)

    @unbroken
    async def prune(self, before: datetime) -> int:
        """Delete what was created before a moment; return how many rows."""
        table = await self._opened()
        if table is None:
            return 0
        where = f"{TIME_COLUMN} < timestamp '{before.isoformat()}'"
        async with self._store.calling("write", self._name):
            found = int(await table.count_rows(where))
            if found:
                await table.delete(where)
        return found

    @unbroken
    async def erase(self, column: str, values: Sequence[str]) -> None:
        """Delete the rows that have one of some values, physically."""
        table = await self._opened()
        if table is None or not values:
            return
        # Rows that are being moved to another file could not be deleted meanwhile.
        async with self._store.alone("logs"), self._store.calling("write", self._name):
            await table.delete(f"{column} IN ({', '.join(map(quote, values))})")
        await self._store.synced()

    @unbroken
    async def tidy(self, *, thorough: bool = False) -> None:
        """Join small files and bring indices up to date, where enough was appended."""
        table = await self._opened()
        if table is None:
            return
        async with self._store.calling("tidy", self._name):
            version = int(await table.version())
            if not thorough and version - self._tidied < _TIDY_EVERY:
                return
            await table.checkout_latest()  # type: ignore[no-untyped-call]
            await check_whole(table)  # what is replaced is removed below
            await ensure(table, self._indices)  # who made the table may have died before
            await table.optimize(cleanup_older_than=_KEEP_FOR_OTHERS)
            self._tidied = int(await table.version())
        if thorough and self._store.processes:
            await self._remove_old_files(table, self._store.processes)

    async def _remove_old_files(self, table: lancedb.AsyncTable, processes: Processes) -> None:
        """Remove what was erased or joined from the disk, where nobody else may be reading it."""
        async with processes.alone_at("create"):  # nobody opens the store meanwhile
            if processes.others_alive():
                return
            await self._store.synced()  # what replaces them is there before they go
            async with self._store.gate.closed():
                with mapped("tidy"):
                    await table.optimize(cleanup_older_than=_KEEP_ALONE)

    async def _opened(self) -> lancedb.AsyncTable | None:
        if self._table is None:
            home = await self._store.home_of(self._name) if self.refusal else None
            self._table = await self._at(home or self._store.database)
        return self._table

    async def _at(self, database: lancedb.AsyncConnection) -> lancedb.AsyncTable | None:
        with mapped("open", self._store.location):
            if self._name not in (await database.list_tables()).tables:
                return None
            async with self._store.alone("create"):
                found = await _whole(database, self._name)
                if (
                    found is not None
                    and self._store.refusal(self._name)
                    and database is self._store.database
                ):
                    # Nothing can be added to one that an older mem-mcp made.
                    return found if self._is_complete(await found.schema()) else None
                return await self._completed(found)

    def _is_complete(self, found: pa.Schema) -> bool:
        return set(self._columns.names) <= set(found.names)

    async def fall_back(self) -> bool:
        """Read what is left of a damaged table from now on; tell whether that is new."""
        if self.refusal or (home := await self._store.home_of(self._name)) is None:
            return False
        self._table = await self._at(home)
        return True

    async def _completed(self, table: lancedb.AsyncTable | None) -> lancedb.AsyncTable | None:
        """Add the columns that a table of an older mem-mcp lacks."""
        if table is not None:
            present = set((await table.schema()).names)
            if missing := [field for field in self._columns if field.name not in present]:
                await table.add_columns(pa.schema(missing))
            if FIRST_COLUMN in present:
                await self._take_over(table)
        return table

    async def _take_over(self, table: lancedb.AsyncTable) -> None:
        """Take over the vectors of an older mem-mcp, which knew one embedder for everything."""
        whose = await self._store.table.schema()
        embedder = (whose.metadata or {}).get(EMBEDDER_KEY)
        where = f"{RECORD} IS NULL AND {FIRST_COLUMN} IS NOT NULL"
        if embedder is not None and await table.count_rows(where):
            vector = f"arrow_cast({FIRST_COLUMN}, 'List(Float32)')"
            values = {VECTOR: vector, RECORD: quote(embedder.decode())}
            await table.update(where=where, updates_sql=values)

    async def _made(self) -> lancedb.AsyncTable:
        if self.refusal:
            raise self.refusal
        with mapped("open", self._store.location):
            async with self._store.alone("create"):
                table = await self._store.database.create_table(
                    self._name, schema=self._columns, exist_ok=True
                )
                await ensure(table, self._indices)
        self._table = table
        return table


async def _whole(database: lancedb.AsyncConnection, name: str) -> lancedb.AsyncTable | None:
    """Open a table; None where only a folder is there, of a process that died as it made it."""
    try:
        return await database.open_table(name)
    except ValueError as error:
        if "not found" in str(error):
            return None
        raise
