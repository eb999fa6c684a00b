"""The store: reads and commits versions of memories. It neither embeds nor ranks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.query import ColumnOrdering

from mem_mcp.api.models import Memory
from mem_mcp.api.vitals import Fragments
from mem_mcp.errors import StoreError
from mem_mcp.store import older_tables, schema
from mem_mcp.store.best_rows import best_rows
from mem_mcp.store.change_feed import FEED, Changes, Notices
from mem_mcp.store.concurrency import Gate, unbroken
from mem_mcp.store.damage.rescue import Rescue, with_fallback
from mem_mcp.store.damage.survey import checked_rows
from mem_mcp.store.error_mapping import store_errors
from mem_mcp.store.filters import Filters, compile_filters
from mem_mcp.store.lance_files import BACKUP
from mem_mcp.store.lease import Lease
from mem_mcp.store.locks import RETRY_SECONDS, Processes
from mem_mcp.store.retries import retried
from mem_mcp.store.schema import Space, Vector, Version, stored_names, with_vector
from mem_mcp.telemetry import span

# Rows from which a merge finds keys faster in the index than by reading all of them (measured:
# 12 ms at 100,000 and 87 ms at 1,000,000 rows without; with it 3 ms, and 0.5 ms for each commit
# since the last maintenance).
_INDEXED_FROM = 300_000
# Partitions to search, and candidates to compare exactly, at least 5 a result (`evaluate speed`).
_PROBES = 64
_REFINED = 1_500
_READS_AT_ONCE = 2 * (os.cpu_count() or 1) + 2
EXACT_UP_TO = 20_000
"""Rows up to which a search is exact; 5 to 9 microseconds a row."""
ROW_COLUMNS = tuple(field for field in Memory.model_fields if field != "source")


class Store:
    """The table of memories. Open it with `open_store`.

    Reads see every commit of every process. Of their arguments, `filters` are conditions that a
    row must meet, `columns` are the fields to read, `vector` only if it is named, and `limit` is
    the most rows to return.

    Every method raises StoreError if LanceDB or the disk fails, and InvalidInput for filters that
    do not compile.
    """

    def __init__(
        self,
        database: lancedb.AsyncConnection,
        table: lancedb.AsyncTable,
        space: Space | None,
        location: str,
        processes: Processes | None,
        sync: Callable[[], None] | None,
        rescue: Rescue,
        lease: Lease | None = None,
        creating: Lease | None = None,
    ) -> None:
        self.database = database
        self.table = table
        self.location = location
        self.processes = processes
        self.lease = lease
        """Of the one process that maintains a store in a bucket; None for any other store."""
        self._creating = creating
        self._sync = sync
        self.rescue = rescue
        self.gate = Gate()
        self.changes = Changes(Notices(processes.folder / FEED) if processes else None)
        self._turns: dict[str, asyncio.Lock] = {}
        self._reads = asyncio.Semaphore(_READS_AT_ONCE)
        self._durable_version = 0
        self.newest = 0
        """Number of the newest commit that this process has seen."""
        self._lacks: frozenset[str] = frozenset()
        self.moving = False
        """Whether the space may not be the active one yet; see `is_active`."""
        self.work_in(space)

    def work_in(self, space: Space | None) -> None:
        """Read and write the vectors of one embedder from now on; None for no vectors."""
        self.space = space
        # Not the table's own schema: what it says of the JSON column makes LanceDB store damaged
        # JSON.
        self._schema = schema.table_schema(space, self._lacks)

    def fit(self, columns: pa.Schema) -> None:
        """Go without the columns that the table lacks, as a read-only store of old does."""
        wanted = older_tables.lacking(columns, schema.table_schema(None))
        self._lacks = frozenset(field.name for field in wanted)
        self.work_in(self.space)

    async def fall_back(self) -> None:
        """Read from the mended copy from now on, if the table is damaged."""
        if copy := await self.rescue.fall_back(schema.TABLE):
            with store_errors("open", self.location):
                self.table = await copy.open_table(schema.TABLE)
                self.fit(await self.table.schema())

    @unbroken
    async def apply(
        self, add: Sequence[Version], close: Sequence[Version] = (), *, seen: int | None = None
    ) -> bool:
        """Write one commit: new versions, and the versions that they supersede.

        Args:
            add: versions with a new version_id.
            close: stored versions with superseded_at set.
            seen: number of a commit at or after which no version_id of `add` was taken.

        Returns:
            True if every new version is written and durable. False if another writer took a
            version_id first: read again and decide again.
        """
        rows = schema.to_arrow([*close, *add], self._schema)
        version, added, written = await self._commit(rows, add, close, seen)
        # Where the answer to a commit is lost, the next attempt finds it done.
        all_won = added == len(add) or await self._are_ours(add)
        self.newest = max(self.newest, version)
        if written or all_won:
            self.changes.add(version, [*close, *add], add if all_won else ())
        await self.make_durable(version)
        return all_won

    @retried
    async def _commit(
        self, rows: pa.Table, add: Sequence[Version], close: Sequence[Version], seen: int | None
    ) -> tuple[int, int, bool]:
        """Return the commit's number, how many rows it has added, and whether it changed any."""
        async with self.call("write"), self.alone("write"):
            with span("commit"):
                if not close and await self._still_free(add, seen):
                    # This takes a third of the time of a merge.
                    version = int((await self.table.add(rows, on_bad_vectors="null")).version)
                    return version, len(add), True
                result = await self._merge(rows, closes=bool(close))
                added = int(result.num_inserted_rows)
                return int(result.version), added, bool(added or result.num_updated_rows)

    async def _are_ours(self, add: Sequence[Version]) -> bool:
        """Return whether just these versions are stored, though this commit did not add them."""
        if self.processes is not None:  # an answer from a disk is not lost
            return False
        ours = {row.memory.version_id: (row.memory.recorded_at, row.memory.text) for row in add}
        stored = await self.read(
            {"version_id": {"in": sorted(ours)}}, columns=("version_id", "recorded_at", "text")
        )
        return ours == {
            row.memory.version_id: (row.memory.recorded_at, row.memory.text) for row in stored
        }

    async def _still_free(self, add: Sequence[Version], seen: int | None) -> bool:
        """Return whether no id can have been taken, since writers on a folder take turns."""
        if seen is None or self.processes is None:
            return False
        touched = self.changes.touched(seen, int(await self.table.version()))
        return touched is not None and touched.isdisjoint(row.memory.memory_id for row in add)

    async def _merge(self, rows: pa.Table, *, closes: bool) -> Any:  # noqa: ANN401 - LanceDB's
        merge = self.table.merge_insert("version_id").when_not_matched_insert_all()
        if closes:
            merge = merge.when_matched_update_all(where=schema.CLOSES_OPEN_ROW)
        # Each commit that the index does not cover yet slows a merge with it down. LanceDB 0.40
        # panics on a conditional merge of a JSON column with the index.
        large = await self.table.count_rows() > _INDEXED_FROM
        return await merge.use_index(large and not closes).execute(rows, on_bad_vectors="null")

    @unbroken
    @retried
    async def delete(self, filters: Filters) -> None:
        """Delete rows. Their text may stay in old files until maintenance removes these."""
        async with self.call("write"), self.alone("write"):
            result = await self.table.delete(compile_filters(filters))
        await self.make_durable(result.version)

    async def settle(self) -> None:
        """Make durable what was read, since an answer may rely on a commit of another process."""
        await self.make_durable(await self.version())

    @unbroken
    @with_fallback
    @retried
    async def version(self) -> int:
        """Return the number of the newest commit."""
        async with self.call("read"):
            self.newest = int(await self.table.version())
        return self.newest

    @unbroken
    @with_fallback
    async def fragments(self) -> Fragments:
        """Count the rows and the fragments of the table, from its manifest."""
        async with self.call("read"):
            stats: Any = await self.table.stats()  # a dict, whatever its type says
        parts = stats["fragment_stats"]
        return Fragments(
            rows=stats["num_rows"],
            fragments=parts["num_fragments"],
            small=parts["num_small_fragments"],
            bytes=stats["total_bytes"],
        )

    def size(self) -> tuple[int, int]:
        """Return the number and the bytes of the files of a local store."""
        files = total = 0
        for root, folders, names in os.walk(self.location):
            folders[:] = [name for name in folders if not name.startswith(BACKUP)]
            for name in names:
                with suppress(FileNotFoundError):  # another process has just removed it
                    total += Path(root, name).stat().st_size
                    files += 1
        return files, total

    def rows(self, versions: Sequence[Version], columns: Sequence[str]) -> pa.Table:
        """Return versions as the rows that `scan` returns."""
        rows = schema.to_arrow(versions, self._schema)
        return self._asked(rows, columns, self.space).select(list(columns))

    def _stored(self, columns: Sequence[str], space: Space | None) -> list[str]:
        return stored_names([name for name in columns if name not in self._lacks], space)

    def _asked(self, rows: pa.Table, columns: Sequence[str], space: Space | None) -> pa.Table:
        """Return rows of `_stored` with all columns; those that the table lacks are null."""
        rows = with_vector(rows, [name for name in columns if name not in self._lacks], space)
        for name in self._lacks.intersection(columns):
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        return rows

    async def read(
        self,
        filters: Filters,
        *,
        columns: Sequence[str] = ROW_COLUMNS,
        order: Sequence[tuple[str, bool]] = (),
        limit: int | None = None,
    ) -> list[Version]:
        """Read versions; fields that are not read take their defaults.

        `order` has pairs of a column, which is read, too, and whether it ascends.
        """
        return schema.from_arrow(await self.scan(filters, columns, order=order, limit=limit))

    @unbroken
    @with_fallback
    @retried
    async def scan(
        self,
        filters: Filters,
        columns: Sequence[str],
        *,
        order: Sequence[tuple[str, bool]] = (),
        limit: int | None = None,
    ) -> pa.Table:
        """Read rows as an Arrow table; the arguments are those of `read`."""
        # LanceDB cannot order an indexed read by a column that is not selected.
        selected = list(dict.fromkeys([*columns, *(name for name, _ in order)]))
        space = self.space
        query = self.table.query().where(compile_filters(filters))
        query = query.select(self._stored(selected, space))
        if order:
            query = query.order_by(
                [ColumnOrdering(column_name=name, ascending=ascending) for name, ascending in order]
            )
        if limit is not None:
            query = query.limit(limit)
        async with self.call("read"):
            return self._asked(checked_rows(await query.to_arrow()), selected, space)

    @unbroken
    @with_fallback
    @retried
    async def count(self, filters: Filters) -> int:
        """Return the number of rows."""
        async with self.call("read"):
            return int(await self.table.count_rows(compile_filters(filters)))

    @unbroken
    @with_fallback
    @retried
    async def nearest(
        self,
        vectors: Vector,
        filters: Filters,
        columns: Sequence[str],
        *,
        limit: int,
        least_cosine: float = -1.0,
    ) -> list[list[dict[str, Any]]]:
        """Return the rows nearest to each of several normalised vectors, nearest first.

        The rows also have `cosine`, which is not below `least_cosine`. The search is exact if the
        filters leave up to EXACT_UP_TO rows. Beyond, it uses the index, with a recall@10 of 0.98 or
        more; for few rows the index would return wrong ones.
        """
        found: list[list[dict[str, Any]]] = [[] for _ in vectors]
        query = self.table.query().nearest_to([np.asarray(row) for row in vectors])
        query = query.distance_range(upper_bound=1.000001 - least_cosine)
        table = await self._search(query, filters, columns, limit)
        for row in table.sort_by("_distance").to_pylist():
            row["cosine"] = 1.0 - row.pop("_distance")
            found[row.pop("query_index", 0)].append(row)
        return found

    @unbroken
    @with_fallback
    @retried
    async def closest(
        self,
        vector: Vector,
        filters: Filters,
        columns: Sequence[str],
        *,
        limit: int,
        at_least: int = 0,
    ) -> pa.Table:
        """Return the rows nearest to one vector as an Arrow table, nearest first; see `nearest`.

        `at_least` rows surely meet the filters; above EXACT_UP_TO that saves a count.
        """

        async def search(names: Sequence[str], most: int, within: Filters) -> pa.Table:
            query = self.table.query().nearest_to(np.asarray(vector))
            known = at_least if within is filters else 0
            return await self._search(query, within, names, most, known)

        rows = await best_rows(search, "_distance", filters, columns, limit)
        return rows.select(list(columns))

    async def _search(
        self,
        query: Any,  # noqa: ANN401 - LanceDB's builders change their type
        filters: Filters,
        columns: Sequence[str],
        limit: int,
        at_least: int = 0,
    ) -> pa.Table:
        where = compile_filters(filters)
        space = self.space
        query = query.column(space.column) if space else query
        query = query.distance_type("cosine").limit(limit)
        query = query.where(where).select([*self._stored(columns, space), "_distance"])
        async with self.call("read"):
            if at_least <= EXACT_UP_TO and await self._leaves_few(where):
                query = query.bypass_vector_index()
            else:
                query = query.nprobes(_PROBES).refine_factor(max(5, _REFINED // limit))
            return self._asked(checked_rows(await query.to_arrow()), columns, space)

    async def _leaves_few(self, where: str) -> bool:
        if await self.table.count_rows() <= EXACT_UP_TO:
            return True
        return bool(await self.table.count_rows(where) <= EXACT_UP_TO)

    @unbroken
    @with_fallback
    @retried
    async def matching(
        self, words: str, filters: Filters, columns: Sequence[str], *, limit: int
    ) -> pa.Table:
        """Return the rows whose text shares words with a query, best match first.

        The order follows the statistics of the whole table, so use it to choose candidates only.
        """
        space = self.space

        async def search(names: Sequence[str], most: int, within: Filters) -> pa.Table:
            query = self.table.query().nearest_to_text(words).limit(most)
            query = query.where(compile_filters(within))
            query = query.select([*self._stored(names, space), "_score"])
            async with self.call("read"):
                return self._asked(checked_rows(await query.to_arrow()), names, space)

        rows = await best_rows(search, "_score", filters, columns, limit)
        return rows.select(list(columns))

    @asynccontextmanager
    async def alone(self, work: str, *, retry: float = RETRY_SECONDS) -> AsyncIterator[None]:
        """Exclude other tasks from a kind of work, and on a local store other processes.

        In a bucket other processes are kept only from `create`: of two that make a table at once
        LanceDB lets the second put an empty one in the place of the first (seen with lancedb 0.40).

        While another process is at it, this one looks every `retry` seconds whether it still is.

        Commits are safe without it: racing ones are rebased, and the later of two with the same
        version_id writes nothing. Taking turns is faster, and no writer starves.
        """
        processes = self.processes
        lock: AbstractAsyncContextManager[None] = nullcontext()
        if processes:
            lock = processes.alone_at(work, retry=retry)
        elif self._creating and work == "create":
            lock = self._creating.alone()
        async with self._turns.setdefault(work, asyncio.Lock()), lock:
            yield

    @asynccontextmanager
    async def call(self, action: str, name: str = schema.TABLE) -> AsyncIterator[None]:
        """Wrap a call of LanceDB: map its errors, and keep the gate from closing.

        Any action but `read` is refused where the named table takes no writes. The number of
        concurrent reads is bounded: more would only wait for a processor, and LanceDB never ends
        its threads, which take megabytes each. Writes take turns anyway.
        """
        if action != "read" and (refusal := self.rescue.refusal(name)):
            raise StoreError(refusal.problem, refusal.helps)
        async with self._reads if action == "read" else nullcontext(), self.gate.passing():
            with store_errors(action, self.location):
                yield

    async def make_durable(self, version: int) -> None:
        """Wait until every commit up to a version is on the disk."""
        if version > self._durable_version:
            await self.sync_disk()
            self._durable_version = max(version, self._durable_version)

    @unbroken
    async def sync_disk(self) -> None:
        """Wait until everything written is on the disk."""
        if self._sync is None:
            return
        try:
            with span("sync"):
                await asyncio.to_thread(self._sync)
        except OSError as error:
            raise StoreError(
                f"{self.location}: written, but the disk did not confirm it: {error.strerror}"
            ) from error
