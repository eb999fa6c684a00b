"""The store: the only door to LanceDB. It neither embeds nor ranks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.query import ColumnOrdering

from mem_mcp.api.models import Memory
from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.change_feed import Changes, Notices
from mem_mcp.store.concurrency import Gate, unbroken
from mem_mcp.store.failures import mapped, rescued, whole
from mem_mcp.store.filters import Filters, compile_filters
from mem_mcp.store.locks import Processes
from mem_mcp.store.schema import Vector, Version
from mem_mcp.store.vector_columns import Space, stored, with_vector
from mem_mcp.telemetry import span

if TYPE_CHECKING:
    from mem_mcp.store.rescue import Rescue

# Optimistic locking: the writer that loses the race matches no open row, and changes nothing.
_CLOSES_OPEN_ROW = "target.superseded_at IS NULL AND source.superseded_at IS NOT NULL"
# Rows from which looking a key up in the index beats reading all keys (measured at 100,000 and at
# 1,000,000 rows: 12 and 87 ms without, 3 ms and 0.5 for each commit since the last pass with).
_INDEXED_FROM = 300_000
# Partitions searched, and candidates compared exactly (at least 5 a result; `evaluate speed`).
_PROBES = 64
_REFINED = 1_500
_READS_AT_ONCE = 2 * (os.cpu_count() or 1) + 2
_ALL = ""
"""Stands for every table."""
BACKUP = "damaged-"
"""Folders in a store that a repair made first begin with it."""
EXACT_UP_TO = 20_000
"""Rows that a filter may leave for an exact search; 5 to 9 microseconds a row."""
ROW_COLUMNS = tuple(field for field in Memory.model_fields if field != "source")


class Store:
    """One table of memories. Open it with `open_store`.

    Every method raises StoreError where LanceDB or the disk refuses, and InvalidInput for filters
    that do not compile. Reads see every commit of every process.
    """

    def __init__(
        self,
        database: lancedb.AsyncConnection,
        table: lancedb.AsyncTable,
        space: Space | None,
        location: str,
        processes: Processes | None,
        sync: Callable[[], None] | None,
    ) -> None:
        self.database = database
        self.table = table
        self.location = location
        self.processes = processes
        self._sync = sync
        self.gate = Gate()
        self.changes = Changes(Notices(processes.folder / "commits") if processes else None)
        self._turns: dict[str, asyncio.Lock] = {}
        self._reads = asyncio.Semaphore(_READS_AT_ONCE)
        self._durable_version = 0
        self.newest = 0
        """Number of the newest commit that was seen."""
        self._rescue: Rescue | None = None
        self._refusals: dict[str, StoreError] = {}
        self.notes: list[str] = []
        self.work_in(space)

    async def protect(
        self, refusal: StoreError | None, rescue: Rescue | None, damaged: Collection[str] = ()
    ) -> None:
        """Take no writes where these cannot or must not be done.

        Args:
            refusal: what any write is refused with; None where something can be written.
            rescue: reads what is damaged.
            damaged: names of tables.
        """
        self._rescue = rescue
        if refusal:
            self._refusals[_ALL] = refusal
        for name in damaged:
            await self.home_of(name)

    async def home_of(self, name: str) -> lancedb.AsyncConnection | None:
        """Return where a damaged table can be read; None for one that is whole.

        Whoever reads there says so: `notes` are for every answer.
        """
        home = await self._rescue.database(name) if self._rescue else None
        if home is not None and self._rescue is not None and name not in self._refusals:
            self._refusals[name] = self._rescue.refusal(name)
            self.notes.append(str(self._refusals[name]))
        return home

    def refusal(self, name: str = schema.TABLE) -> StoreError | None:
        """Return what a write to a table is refused with; None where something can be written."""
        return self._refusals.get(_ALL) or self._refusals.get(name)

    @property
    def refusals(self) -> list[StoreError]:
        """What speaks against writes to any of the tables."""
        return [*self._refusals.values()]

    async def examine(self) -> list[str]:
        """Read every file of a local store; return what is damaged, a sentence for each table."""
        for name in await self._names():
            await self.home_of(name)
        return self.notes

    async def _names(self) -> list[str]:
        with mapped("read", self.location):
            return [*(await self.database.list_tables()).tables]

    async def fall_back(self) -> bool:
        """Read what is left of a damaged table from now on; tell whether that is new."""
        if schema.TABLE in self._refusals or (home := await self.home_of(schema.TABLE)) is None:
            return False
        with mapped("open", self.location):
            self.table = await home.open_table(schema.TABLE)
        return True

    def work_in(self, space: Space | None) -> None:
        """Read and write the vectors of one embedder from now on; None while there are none."""
        self.space = space
        # Not the table's own: rows laid out by what table.schema() says of the JSON column
        # are stored as damaged JSON.
        self._schema = schema.table_schema(space)

    @unbroken
    async def apply(
        self, add: Sequence[Version], close: Sequence[Version] = (), *, seen: int | None = None
    ) -> bool:
        """Write one commit: new versions, and the versions they supersede.

        Args:
            add: versions whose version_id is new.
            close: stored versions with superseded_at set.
            seen: number of a commit, at or after which the caller found every version_id of `add`
                free.

        Returns:
            True when every new version was written and is durable; False when another writer
            took at least one version_id first: read again and decide again.
        """
        async with self.calling("write"):
            rows = schema.to_arrow([*close, *add], self._schema)
            async with self.alone("write"):
                with span("commit"):
                    if not close and await self._still_free(add, seen):
                        # A third of what a merge takes.
                        version = int((await self.table.add(rows, on_bad_vectors="null")).version)
                        written, added = True, len(add)
                    else:
                        result = await self._merge(rows, closes=bool(close))
                        version, added = int(result.version), result.num_inserted_rows
                        written = bool(added or result.num_updated_rows)
        all_won = bool(added == len(add))
        self.newest = max(self.newest, version)
        if written:
            self.changes.add(version, [*close, *add], add if all_won else ())
        await self.make_durable(version)
        return all_won

    async def _still_free(self, add: Sequence[Version], seen: int | None) -> bool:
        """Tell whether nobody can have taken an id: all writers of a folder wait for each other."""
        if seen is None or self.processes is None:
            return False
        touched = self.changes.touched(seen, int(await self.table.version()))
        return touched is not None and touched.isdisjoint(row.memory.memory_id for row in add)

    async def _merge(self, rows: pa.Table, *, closes: bool) -> Any:  # noqa: ANN401 - LanceDB's
        merge = self.table.merge_insert("version_id").when_not_matched_insert_all()
        if closes:
            merge = merge.when_matched_update_all(where=_CLOSES_OPEN_ROW)
        # The index slows a merge down by each commit that it does not cover yet, and with it
        # LanceDB 0.40 panics on a conditional merge of a JSON column.
        large = await self.table.count_rows() > _INDEXED_FROM
        return await merge.use_index(large and not closes).execute(rows, on_bad_vectors="null")

    @unbroken
    async def delete(self, filters: Filters) -> None:
        """Remove rows; their text may stay in old files until these are cleaned up."""
        async with self.calling("write"), self.alone("write"):
            result = await self.table.delete(compile_filters(filters))
        await self.make_durable(result.version)

    async def settle(self) -> None:
        """Make durable what has been read: an answer may rely on another process's commit."""
        await self.make_durable(await self.version())

    @unbroken
    @rescued
    async def version(self) -> int:
        """Return the number of the newest commit."""
        async with self.calling("read"):
            self.newest = int(await self.table.version())
        return self.newest

    def size(self) -> tuple[int, int]:
        """Return the number of files of a local store and their bytes."""
        files = total = 0
        for root, folders, names in os.walk(self.location):
            folders[:] = [name for name in folders if not name.startswith(BACKUP)]
            for name in names:
                with suppress(FileNotFoundError):  # removed meanwhile, by a commit or a cleanup
                    total += Path(root, name).stat().st_size
                    files += 1
        return files, total

    def rows(self, versions: Sequence[Version], columns: Sequence[str]) -> pa.Table:
        """Lay out versions as `scan` returns them."""
        laid_out = schema.to_arrow(versions, self._schema)
        return with_vector(laid_out, columns, self.space).select(list(columns))

    async def read(
        self,
        filters: Filters,
        *,
        columns: Sequence[str] = ROW_COLUMNS,
        order: Sequence[tuple[str, bool]] = (),
        limit: int | None = None,
    ) -> list[Version]:
        """Read versions.

        Args:
            filters: which.
            columns: fields to read, beside those of the order; others take their defaults.
                `vector` is one only when named.
            order: (column, ascending) pairs.
            limit: at most so many; None for all.
        """
        return schema.from_arrow(await self.scan(filters, columns, order=order, limit=limit))

    @unbroken
    @rescued
    async def scan(
        self,
        filters: Filters,
        columns: Sequence[str],
        *,
        order: Sequence[tuple[str, bool]] = (),
        limit: int | None = None,
    ) -> pa.Table:
        """Read rows as an Arrow table; arguments as in `read`."""
        # LanceDB cannot order an indexed read by a column that it does not return.
        selected = list(dict.fromkeys([*columns, *(name for name, _ in order)]))
        space = self.space
        query = self.table.query().where(compile_filters(filters)).select(stored(selected, space))
        if order:
            query = query.order_by(
                [ColumnOrdering(column_name=name, ascending=ascending) for name, ascending in order]
            )
        if limit is not None:
            query = query.limit(limit)
        async with self.calling("read"):
            return with_vector(whole(await query.to_arrow()), selected, space)

    @unbroken
    @rescued
    async def count(self, filters: Filters) -> int:
        """Count rows."""
        async with self.calling("read"):
            return int(await self.table.count_rows(compile_filters(filters)))

    @unbroken
    @rescued
    async def nearest(
        self,
        vectors: Vector,
        filters: Filters,
        columns: Sequence[str],
        *,
        limit: int,
        least_cosine: float = -1.0,
    ) -> list[list[dict[str, Any]]]:
        """Find the rows nearest to each of some vectors.

        Where the filters leave up to EXACT_UP_TO rows the search is exact; beyond, the index
        answers (recall@10 of 0.98 or more against exact). Asked of few rows, the index would
        silently return wrong ones, and reading these is as fast.

        Args:
            vectors: (n, dimension), normalised.
            filters: applied before the search.
            columns: fields of the result, which also has `cosine`.
            limit: rows for each vector.
            least_cosine: nearest rows below it are left out.

        Returns:
            A list of rows for each vector, nearest first.
        """
        found: list[list[dict[str, Any]]] = [[] for _ in vectors]
        query = self.table.query().nearest_to([np.asarray(row) for row in vectors])
        query = query.distance_range(upper_bound=1.000001 - least_cosine)
        table = await self._searched(query, filters, columns, limit)
        for row in table.sort_by("_distance").to_pylist():
            row["cosine"] = 1.0 - row.pop("_distance")
            found[row.pop("query_index", 0)].append(row)
        return found

    @unbroken
    @rescued
    async def closest(
        self,
        vector: Vector,
        filters: Filters,
        columns: Sequence[str],
        *,
        limit: int,
        at_least: int = 0,
    ) -> pa.Table:
        """Find the rows nearest to one vector, nearest first; as `nearest`, but an Arrow table.

        Args:
            vector: normalised.
            filters: applied before the search.
            columns: fields of the result.
            limit: most rows.
            at_least: rows that the filters surely leave; they are counted where that is few.
        """
        query = self.table.query().nearest_to(np.asarray(vector))
        rows = await self._searched(query, filters, columns, limit, at_least)
        return rows.sort_by("_distance").select(list(columns))

    async def _searched(
        self,
        query: Any,  # noqa: ANN401 - LanceDB's builders change type as they go
        filters: Filters,
        columns: Sequence[str],
        limit: int,
        at_least: int = 0,
    ) -> pa.Table:
        where = compile_filters(filters)
        space = self.space
        query = query.column(space.column) if space else query
        query = query.distance_type("cosine").limit(limit)
        query = query.where(where).select([*stored(columns, space), "_distance"])
        async with self.calling("read"):
            if at_least <= EXACT_UP_TO and await self._few(where):
                query = query.bypass_vector_index()
            else:
                query = query.nprobes(_PROBES).refine_factor(max(5, _REFINED // limit))
            return with_vector(whole(await query.to_arrow()), columns, space)

    async def _few(self, where: str) -> bool:
        if await self.table.count_rows() <= EXACT_UP_TO:
            return True
        return bool(await self.table.count_rows(where) <= EXACT_UP_TO)

    @unbroken
    @rescued
    async def matching(
        self, words: str, filters: Filters, columns: Sequence[str], *, limit: int
    ) -> pa.Table:
        """Find the rows whose text shares words with a query, best match first.

        The order follows the statistics of the whole table, so it may only choose candidates.
        """
        query = self.table.query().nearest_to_text(words).limit(limit)
        space = self.space
        query = query.where(compile_filters(filters)).select([*stored(columns, space), "_score"])
        async with self.calling("read"):
            return with_vector(whole(await query.to_arrow()), columns, space).select(list(columns))

    @asynccontextmanager
    async def alone(self, work: str) -> AsyncIterator[None]:
        """Keep other tasks from one kind of work, and on a local store other processes.

        Commits are safe without: racing ones are rebased, and the later of two with the same
        version_id writes nothing. In turn they are faster and nobody starves.
        """
        lock = self.processes.alone_at(work) if self.processes else nullcontext()
        async with self._turns.setdefault(work, asyncio.Lock()), lock:
            yield

    @asynccontextmanager
    async def calling(self, deed: str, name: str = schema.TABLE) -> AsyncIterator[None]:
        """Wrap one call of LanceDB: its errors are mapped, and the gate stays open.

        Some reads at a time: more would only wait for a processor, and LanceDB keeps the threads
        that it once had, each with megabytes of memory. Writes wait for each other anyway.

        Args:
            deed: what it does; `read` is possible where the table takes no writes.
            name: of the table.
        """
        if deed != "read" and (refusal := self.refusal(name)):
            raise StoreError(refusal.problem, refusal.helps)
        async with self._reads if deed == "read" else nullcontext(), self.gate.passing():
            with mapped(deed, self.location):
                yield

    async def make_durable(self, version: int) -> None:
        """Wait until the disk has all commits up to a version."""
        if version > self._durable_version:
            await self.synced()
            self._durable_version = max(version, self._durable_version)

    @unbroken
    async def synced(self) -> None:
        """Wait until the disk has everything that was written."""
        if self._sync is None:
            return
        try:
            with span("sync"):
                await asyncio.to_thread(self._sync)
        except OSError as error:
            raise StoreError(
                f"{self.location}: written, but the disk did not confirm it: {error.strerror}"
            ) from error
