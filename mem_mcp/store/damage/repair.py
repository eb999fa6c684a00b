"""Repair tables: back to the last whole version, with every row that can still be read."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
from pydantic import BaseModel

from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.change_feed import FEED, announced
from mem_mcp.store.damage.salvage import Remains, remains_of
from mem_mcp.store.damage.survey import Survey
from mem_mcp.store.error_mapping import ANOTHER_FOLDER, REPAIR, store_errors
from mem_mcp.store.fsync import disk_sync
from mem_mcp.store.lance_files import BACKUP, copy_tables, manifest_files, table_folders
from mem_mcp.store.locks import LOCKS, join
from mem_mcp.store.older_tables import complete
from mem_mcp.store.schema import Version, active

UNFINISHED = "repair-unfinished"
"""A file in a store whose repair has begun and not ended; it holds the name of the copy."""
_BATCH = 1_000


class MendedTable(BaseModel):
    """What was done to one table."""

    table: str
    damaged: list[str] = []
    """A sentence for each damaged file."""
    versions_lost: int = 0
    """Commits that cannot be read; rows that they wrote may be among `rows_saved`."""
    back_to: datetime | None = None
    """When the last whole version was written, if later ones are lost."""
    rows_saved: int = 0
    """Rows put back beside those of the last whole version, or of its readable files."""
    rows_lost: int = 0
    """Rows known to have been in a file from which they could not be read."""
    memories_lost: list[str] = []
    """Ids of the memories of which something confirmed could not be put back, as far as the feed of
    commits names them."""
    indices_rebuilt: bool = False


class RepairReport(BaseModel):
    """What a repair did to a store."""

    location: str
    copy_at: str | None = None
    """Folder with the tables as they were; None if nothing was damaged."""
    tables: list[MendedTable] = []


async def repair(folder: Path) -> RepairReport:
    """Repair a damaged local store, after copying its tables into a folder in it.

    An interrupted repair is done again from its copy.

    Args:
        folder: folder of the store.

    Raises:
        StoreError: another process uses the store, or it cannot be repaired; it is unchanged.
    """
    if not await asyncio.to_thread(table_folders, folder):
        raise StoreError(f"{str(folder)!r} holds no store", ANOTHER_FOLDER)
    async with AsyncExitStack() as stack:
        processes, refusal = join(folder, stack)
        if processes is None:
            raise refusal or StoreError(f"{str(folder)!r} cannot be repaired")
        await stack.enter_async_context(processes.alone_at("create"))  # so that nobody opens it
        if processes.others_alive():
            raise StoreError(
                f"another mem-mcp process uses {str(folder)!r}, and a repair needs it alone",
                f"close what started it (a client, a server), then run: {REPAIR}",
            )
        with store_errors("repair", str(folder)):
            copy = await asyncio.to_thread(_safe_copy, folder)
            return await _repair_from(copy, folder)


async def _repair_from(copy: Path, folder: Path) -> RepairReport:
    marker, sync = folder / UNFINISHED, disk_sync(folder)
    await asyncio.to_thread(sync)
    marker.write_text(copy.name)
    try:
        tables = await mend(folder, copy)
    except BaseException:
        _put_back(copy, folder)
        marker.unlink()
        raise
    await asyncio.to_thread(sync)
    if tables:  # what it announced are the commits that are gone
        (folder / LOCKS / FEED).unlink(missing_ok=True)
    marker.unlink()
    if not tables:
        await asyncio.to_thread(shutil.rmtree, copy)
    for each in tables:  # the copy was read, and the store is what was damaged
        each.damaged = [damage.replace(str(copy), str(folder)) for damage in each.damaged]
    copy_at = str(copy) if tables else None
    return RepairReport(location=str(folder), copy_at=copy_at, tables=tables)


def _safe_copy(folder: Path) -> Path:
    """Return a new copy of a store's tables, or that of an interrupted repair, which is undone."""
    marker = folder / UNFINISHED
    name = marker.read_bytes().decode(errors="replace") if marker.exists() else ""
    if name in {path.name for path in folder.glob(f"{BACKUP}*")}:
        _put_back(folder / name, folder)
        return folder / name
    number, stamp = 1, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    while (copy := folder / f"{BACKUP}{stamp}{f'-{number}' if number > 1 else ''}").exists():
        number += 1
    copy.mkdir()
    copy_tables(folder, copy, os.link)
    return copy


def _put_back(copy: Path, folder: Path) -> None:
    """Replace the tables of a store by those of its copy."""
    for table in table_folders(folder):
        shutil.rmtree(table)
    copy_tables(copy, folder, os.link)


async def mend(folder: Path, source: Path) -> list[MendedTable]:
    """Make every table of a store whole.

    Args:
        folder: folder of the store; its damaged tables are changed.
        source: a copy of the store, from which is read and which is not changed.

    Returns:
        What was done to each damaged table.

    Raises:
        StoreError: LanceDB or the disk failed.
    """
    done = []
    with (
        store_errors("repair", str(folder)),
        tempfile.TemporaryDirectory(prefix="mem-mcp-") as scratch,
    ):
        for table in table_folders(source):
            place = Path(scratch) / table.stem
            place.mkdir()
            remains = await remains_of(table, place)
            if remains.damaged:
                done.append(await _mend_table(folder / table.name, remains))
    return done


async def _mend_table(place: Path, remains: Remains) -> MendedTable:
    newest, name = remains.survey.newest, place.stem
    done = MendedTable(table=name, damaged=remains.damaged, indices_rebuilt=remains.index_damaged)
    if remains.survey.manifests:
        done.versions_lost = max(1, remains.survey.versions_lost)
        if newest:
            changed = datetime.fromtimestamp(newest.path.stat().st_mtime, tz=UTC)
            done.back_to = newest.written or changed
    await asyncio.to_thread(_drop_damaged_manifests, place, remains.survey)
    with await lancedb.connect_async(str(place.parent)) as database:
        if newest:
            done.rows_saved = await _restore(await database.open_table(name), remains)
        elif remains.rows:
            columns = remains.rows[0].schema
            if name == schema.TABLE:
                columns = schema.table_schema(active(columns))
            table = await database.create_table(name, schema=columns)
            done.rows_saved = await _restore(table, remains)
    if name == schema.TABLE:
        done.memories_lost = await asyncio.to_thread(_lost, place, remains)
    done.rows_lost = max(0, sum(each.rows for each in remains.unreadable) - done.rows_saved)
    return done


def _drop_damaged_manifests(place: Path, survey: Survey) -> None:
    """Make the last whole version the newest one; without any, remove the table."""
    if survey.newest is None:
        shutil.rmtree(place)
        return
    older = {each.path.name for each in survey.older}
    for version, path in manifest_files(place):
        if version > survey.newest.version or path.name in older:
            path.unlink()
    (place / "_versions" / "latest_version_hint.json").unlink(missing_ok=True)


async def _restore(table: lancedb.AsyncTable, remains: Remains) -> int:
    """Delete the fragments that cannot be read, and add the rows that can; return how many."""
    if table.name == schema.TABLE:
        await complete(table)
    for each in remains.unreadable:
        first = each.number << 32
        await table.delete(f"_rowid >= {first} AND _rowid < {first + (1 << 32)}")
    if remains.index_damaged:  # `maintain` makes them anew
        for index in await table.list_indices():
            await table.drop_index(index.name)
    if table.name != schema.TABLE:
        return await _add_missing_rows(table, remains.rows)
    saved = await _add_missing_versions(table, remains.rows)
    await _join_chains(table)
    await schema.ensure_text_index(table)
    return saved


def _lost(place: Path, remains: Remains) -> list[str]:
    """Return the memories of the announced commits that are gone, but for those put back.

    A memory that is not in the table at all need not be lost: it may have been purged.
    """
    try:
        lines = (place.parent / LOCKS / FEED).read_bytes()
    except OSError:
        return []
    whole = remains.survey.newest.version if remains.survey.newest else 0
    saved = {name for rows in remains.rows for name in rows["memory_id"].to_pylist()}
    return [
        *dict.fromkeys(
            memory_id
            for number, memories in announced(lines)
            for memory_id, _, _ in memories
            if number > whole and memory_id not in saved
        )
    ]


async def _add_missing_versions(table: lancedb.AsyncTable, rows: Sequence[pa.Table]) -> int:
    """Add missing versions, and close those whose end was lost; return how many."""
    versions = [version for each in rows for version in schema.from_arrow(each)]
    # Of several rows of one version the most complete; of equal ones the first.
    best: dict[str, Version] = {}
    for each in sorted(versions, key=_completeness, reverse=True):
        best.setdefault(each.memory.version_id, each)
    there = (await table.query().select(["version_id", "superseded_at"]).to_arrow()).to_pylist()
    ends = {row["version_id"]: row["superseded_at"] for row in there}
    useful = [
        each
        for name, each in best.items()
        if name not in ends or (ends[name] is None and each.memory.superseded_at is not None)
    ]
    columns = schema.table_schema(active(await table.schema()))
    for at in range(0, len(useful), _BATCH):
        merge = table.merge_insert("version_id").when_not_matched_insert_all()
        merge = merge.when_matched_update_all(where=schema.CLOSES_OPEN_ROW)
        batch = schema.to_arrow(useful[at : at + _BATCH], columns)
        await merge.use_index(use_index=False).execute(batch, on_bad_vectors="null")
    return len(useful)


def _completeness(version: Version) -> tuple[bool, bool]:
    return version.memory.superseded_at is not None, version.vector is not None


async def _join_chains(table: lancedb.AsyncTable) -> None:
    """Make the last version that is left of each memory current, and no other."""
    names = ["memory_id", "version", "version_id", "superseded_at", "recorded_at"]
    rows = (await table.query().select(names).to_arrow()).to_pylist()
    chains: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["version"]):
        chains.setdefault(row["memory_id"], []).append(row)
    ends: dict[str, datetime | None] = {}
    for chain in chains.values():
        for row, successor in pairwise([*chain, None]):
            if row and (row["superseded_at"] is None) != (successor is None):
                ends[row["version_id"]] = successor["recorded_at"] if successor else None
    if ends:
        columns = schema.table_schema(None)
        columns = pa.schema([columns.field(name) for name in ("version_id", "superseded_at")])
        values = [pa.array([*ends]), pa.array([*ends.values()], schema.TIME)]
        changed = pa.Table.from_arrays(values, schema=columns)
        merge = table.merge_insert("version_id").when_matched_update_all()
        await merge.use_index(use_index=False).execute(changed)


async def _add_missing_rows(table: lancedb.AsyncTable, rows: Sequence[pa.Table]) -> int:
    """Add the missing rows of a log; return how many."""
    there = {_key(row) for row in (await table.query().to_arrow()).to_pylist()}
    by_key = {_key(row): row for each in rows for row in each.to_pylist()}
    missing = [row for key, row in by_key.items() if key not in there]
    if missing:
        await table.add(pa.Table.from_pylist(missing, schema=await table.schema()))
    return len(missing)


def _key(row: dict[str, object]) -> str:
    return repr(sorted((name, value) for name, value in row.items() if value is not None))
