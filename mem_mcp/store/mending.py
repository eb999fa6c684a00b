"""Mending damaged tables: back to the last whole version, with every row that can still be read.

All that is read comes from `source`, which stays as it is; the same is done for a repair, where
`source` is the copy that was made first, and to serve a damaged store from a folder of links.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import lancedb
import pyarrow as pa
from pydantic import BaseModel

from mem_mcp.store import schema
from mem_mcp.store.damage import Survey, survey, tables
from mem_mcp.store.failures import mapped
from mem_mcp.store.filters import quote
from mem_mcp.store.indices import ensure_text_index
from mem_mcp.store.layout import Fragment, manifest_files
from mem_mcp.store.remains import Remains
from mem_mcp.store.schema import Version
from mem_mcp.store.table import Store
from mem_mcp.store.vector_columns import active

_AT_ONCE = 1_000


class Mended(BaseModel):
    """What a repair did to one table."""

    table: str
    damaged: list[str] = []
    """Files, each with what is wrong with it."""
    versions_lost: int = 0
    """Commits that cannot be read; rows that they wrote may be among `rows_saved`."""
    back_to: datetime | None = None
    """When the last whole version was written, where later ones are lost."""
    rows_saved: int = 0
    """Put back beside those of the last whole version, or of its whole files."""
    rows_lost: int = 0
    """Known to have been in a file of which they could not be read."""
    indices_rebuilt: bool = False


async def mend(folder: Path, source: Path) -> list[Mended]:
    """Make every table of a store whole.

    Args:
        folder: a store; what is damaged in it is replaced.
        source: the same, which stays as it is.

    Returns:
        What was done, for each table that was damaged.

    Raises:
        StoreError: LanceDB or the disk refused.
    """
    done = []
    with mapped("repair", str(folder)), tempfile.TemporaryDirectory(prefix="mem-mcp-") as scratch:
        for table in tables(source):
            place = Path(scratch) / table.stem
            place.mkdir()
            mended = await _Repair(folder, table, place).run()
            if mended.damaged:
                done.append(mended)
    return done


class _Repair:
    """The repair of one table."""

    def __init__(self, folder: Path, source: Path, scratch: Path) -> None:
        self._folder = folder
        self._name = source.stem
        self._place = folder / source.name
        self._source = source
        self._survey: Survey = survey(source)
        self._remains = Remains(source, scratch)
        self._done = Mended(table=self._name)

    async def run(self) -> Mended:
        seen, done = await self._surveyed(), self._done
        bad = await self._remains.unreadable(seen)
        done.damaged = [str(each) for each in seen.damages]
        done.damaged += [f"{part.path} cannot be decoded" for part in bad.decoding]
        indices = bool(seen.indices) or (not done.damaged and await self._indices_fail())
        if indices and not seen.indices:
            done.damaged.append(f"{self._place / '_indices'} holds an index that cannot be read")
        if not done.damaged:
            return done
        if seen.manifests:
            done.versions_lost = max(1, seen.versions_lost)
            done.back_to = _written(seen)
        rows = await self._remains.rows(seen, bad.fragments)
        done.rows_lost = sum(each.rows for each in bad.fragments)
        await asyncio.to_thread(self._drop_damaged_manifests)
        database = await lancedb.connect_async(str(self._folder))
        try:
            table = await self._opened(database, rows)
            if table is not None:
                await self._filled(database, table, bad.fragments, rows)
                await self._reindexed(table, all_of_them=indices)
        finally:
            database.close()  # type: ignore[no-untyped-call]
        return done

    async def _surveyed(self) -> Survey:
        """Look at the table, as LanceDB sees it, too."""
        closed = await self._remains.closed_versions()
        self._survey = survey(self._source, every_version=True, distrusted=closed)
        return self._survey

    async def _indices_fail(self) -> bool:
        return self._survey.newest is not None and not await self._remains.indices_work(self._name)

    def _drop_damaged_manifests(self) -> None:
        """Leave the last whole version as the newest; without any, leave nothing of the table."""
        if self._survey.newest is None:
            shutil.rmtree(self._place)
            return
        older = {each.path.name for each in self._survey.older}
        for version, path in manifest_files(self._place):
            if version > self._survey.newest.version or path.name in older:
                path.unlink()
        (self._place / "_versions" / "latest_version_hint.json").unlink(missing_ok=True)

    async def _opened(
        self, database: lancedb.AsyncConnection, rows: Sequence[pa.Table]
    ) -> lancedb.AsyncTable | None:
        if self._survey.newest is not None:
            return await database.open_table(self._name)
        if not rows:
            return None
        columns = rows[0].schema
        if self._name == schema.TABLE:
            columns = schema.table_schema(active(columns))
        return await database.create_table(self._name, schema=columns)

    async def _filled(
        self,
        database: lancedb.AsyncConnection,
        table: lancedb.AsyncTable,
        bad: Sequence[Fragment],
        rows: Sequence[pa.Table],
    ) -> None:
        """Take the files that cannot be read out of the table, and put back what was in them."""
        for each in bad:
            first = each.number << 32
            await table.delete(f"_rowid >= {first} AND _rowid < {first + (1 << 32)}")
        if self._name == schema.TABLE:
            store = Store(database, table, active(await table.schema()), "", None, None)
            saved = await _put_back(store, rows)
            await _join_chains(table)
        else:
            saved = await _append(table, rows)
        self._done.rows_saved = saved
        self._done.rows_lost = max(0, self._done.rows_lost - saved)

    async def _reindexed(self, table: lancedb.AsyncTable, *, all_of_them: bool) -> None:
        """Drop every index where one is damaged: `maintain` makes the others anew."""
        if all_of_them:
            for index in await table.list_indices():
                await table.drop_index(index.name)
            self._done.indices_rebuilt = True
        if self._name == schema.TABLE:
            await ensure_text_index(table)


async def _put_back(store: Store, rows: Sequence[pa.Table]) -> int:
    """Add the versions that are missing, and close those whose end was lost; return how many."""
    best: dict[str, Version] = {}
    for each in (version for some in rows for version in schema.from_arrow(some)):
        known = best.get(each.memory.version_id)
        if known is None or _known_better(each, known):
            best[each.memory.version_id] = each
    there = await store.table.query().select(["version_id", "superseded_at"]).to_arrow()
    closed = dict(zip(*(there[n].to_pylist() for n in there.column_names), strict=True))
    missing = [each for name, each in best.items() if name not in closed]
    ended = [
        each
        for name, each in best.items()
        if name in closed and closed[name] is None and each.memory.superseded_at is not None
    ]
    for some in _parts(ended):
        await store.apply([], some)
    for some in _parts(missing):
        await store.apply(some)
    return len(missing) + len(ended)


def _known_better(one: Version, other: Version) -> bool:
    """Whether a row says more of a version: that it has ended, then its vector."""
    return _completeness(one) > _completeness(other)


def _completeness(one: Version) -> tuple[bool, bool]:
    return one.memory.superseded_at is not None, one.vector is not None


def _parts(versions: Sequence[Version]) -> Iterable[Sequence[Version]]:
    return (versions[at : at + _AT_ONCE] for at in range(0, len(versions), _AT_ONCE))


async def _join_chains(table: lancedb.AsyncTable) -> None:
    """Let the last version that is left of each memory be the current one, and no other."""
    names = ["memory_id", "version", "version_id", "superseded_at", "recorded_at"]
    rows = (await table.query().select(names).to_arrow()).select(names).to_pylist()
    chains: dict[str, list[dict[str, object]]] = {}
    for row in sorted(rows, key=lambda row: row["version"]):
        chains.setdefault(row["memory_id"], []).append(row)
    reopened = [c[-1]["version_id"] for c in chains.values() if c[-1]["superseded_at"] is not None]
    if reopened:
        where = f"version_id IN ({', '.join(quote(str(name)) for name in reopened)})"
        await table.update(where=where, updates_sql={"superseded_at": "CAST(NULL AS timestamp)"})
    for chain in chains.values():
        for row, successor in pairwise(chain):
            if row["superseded_at"] is None:
                at = successor["recorded_at"]
                ended = f"timestamp '{at.isoformat()}'"  # type: ignore[attr-defined]
                where = f"version_id = {quote(str(row['version_id']))}"
                await table.update(where=where, updates_sql={"superseded_at": ended})


async def _append(table: lancedb.AsyncTable, rows: Sequence[pa.Table]) -> int:
    """Add the rows of a log that are missing; return how many."""
    columns = await table.schema()
    there = {_key(row) for row in (await table.query().to_arrow()).to_pylist()}
    missing = []
    for row in (row for some in rows for row in some.to_pylist()):
        if (key := _key(row)) not in there:
            there.add(key)
            missing.append(row)
    if missing:
        await table.add(pa.Table.from_pylist(missing, schema=columns))
    return len(missing)


def _key(row: dict[str, object]) -> str:
    return repr(sorted((k, v) for k, v in row.items() if v is not None))


def _written(seen: Survey) -> datetime | None:
    """Return when the last whole version was written."""
    if seen.newest is None:
        return None
    return seen.newest.written or datetime.fromtimestamp(seen.newest.path.stat().st_mtime, tz=UTC)
