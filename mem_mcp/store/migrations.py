"""Bring a store of an older mem-mcp up to date: once, in one process, when it is opened.

Whether a step is still to be done is read from the table's columns and their metadata, which a step
changes last. So what was interrupted is done again by whoever opens the store next.

A step that changes rows comes after a backup beside the store. One that only adds (an empty column,
a name in the metadata) needs none: it writes a new list of columns and leaves each row and file as
it was, and a backup reads every byte, which would keep a client with a large store waiting.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from mem_mcp.errors import StoreError
from mem_mcp.store import content_hashes, older_tables, schema
from mem_mcp.store.backup import back_up, read_contents
from mem_mcp.store.concurrency import unbroken
from mem_mcp.store.lease import Lease
from mem_mcp.store.locks import UPGRADING, Processes
from mem_mcp.store.retries import retried
from mem_mcp.store.table import Store
from mem_mcp.store.vector_migration import add_passages, is_without_passages

BEFORE = "before-upgrade"
"""Follows the name of the store's folder in the name of the backup beside it."""
# Seconds between two looks whether the process that does it is still at it.
_LOOK_AGAIN = 0.1
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A change of the stored table. It can be repeated, and does nothing where it is done."""

    name: str
    """What it does, for the log."""
    leads_to: int
    """Schema that a program must know to open the store afterwards. What an older program can go on
    working with does not raise it, since several versions may share a store."""
    is_due: Callable[[pa.Schema], bool]
    """Tells from the columns whether it is still to be done."""
    run: Callable[[Store], Awaitable[None]]
    changes_rows: bool


@retried
async def _complete(store: Store) -> None:
    async with store.call("write"), store.alone("write"):
        await older_tables.complete(store.table)


def _is_incomplete(columns: pa.Schema) -> bool:
    unnamed = schema.unnamed_space(columns)
    return unnamed is not None or bool(older_tables.lacking(columns, schema.table_schema(None)))


def _has_no_passages(columns: pa.Schema) -> bool:
    """Return whether the column is missing, or will be once the vectors have a name."""
    return schema.unnamed_space(columns) is not None or is_without_passages(columns)


STEPS: Sequence[Step] = (
    Step(
        name="columns added, and vectors named after their embedder",
        leads_to=2,
        is_due=_is_incomplete,
        run=_complete,
        changes_rows=False,
    ),
    Step(
        name="column of passages added",
        leads_to=2,
        is_due=_has_no_passages,
        run=add_passages,
        changes_rows=False,
    ),
    Step(
        name="content hashes made anew",
        leads_to=2,
        is_due=content_hashes.are_stale,
        run=content_hashes.renew,
        changes_rows=True,
    ),
)
"""Every step from the first schema to this one, in order."""


def copies_before_upgrades(folder: Path) -> list[Path]:
    """Return the backups beside a store that were made before its rows were changed."""
    prefix = f"{folder.name}-{BEFORE}-"
    try:
        return sorted(each for each in folder.parent.iterdir() if each.name.startswith(prefix))
    except OSError:  # the folder above may be closed to this user
        return []


@unbroken
async def migrate(store: Store) -> None:
    """Do the steps that are due, unless the store takes no writes.

    One process does them. Others that open the store meanwhile wait, and those that have it open go
    on. What an older program could live with may fail: a later start tries it again.

    Raises:
        StoreError: a step failed without which this program cannot work with the store.
    """
    if store.rescue.refusal(schema.TABLE):
        return
    try:
        if store.lease:
            await _migrate_bucket(store, Lease(store.lease.bucket, "migrate"))
        elif await _due(store) or _marker(store.processes):
            async with store.alone("migrate", retry=_LOOK_AGAIN):
                await _migrate(store)
    except (StoreError, OSError) as error:
        if schema.number(await _columns(store)) < schema.SCHEMA_VERSION:
            raise
        logger.warning("the store is not brought up to date, which is tried again: %s", error)


async def _migrate_bucket(store: Store, lease: Lease) -> None:
    while await _due(store):
        async with lease.held(wait=True) as has_it:
            if has_it:
                return await _migrate(store)
        await asyncio.sleep(lease.pause)
    return None


async def _migrate(store: Store) -> None:
    for step in await _due(store):  # another process may have been first
        if step.changes_rows:
            await _back_up(store)
        await step.run(store)
        if schema.number(await _columns(store)) < step.leads_to:
            async with store.call("write"), store.alone("write"):
                await schema.set_number(store.table, step.leads_to)
        await store.settle()
        logger.info("the store was brought up to date: %s", step.name)
    if marker := _marker(store.processes):
        place = Path(store.location).with_name(marker.read_text(encoding="utf-8"))
        marker.unlink()
        logger.warning(
            "the store was made by an older mem-mcp and was brought up to date; as it was before, "
            "it is in %r: remove that folder when you miss nothing",
            str(place),
        )


async def _due(store: Store) -> list[Step]:
    columns = await _columns(store)
    number = schema.number(columns)
    return [step for step in STEPS if number < step.leads_to or step.is_due(columns)]


@retried
async def _columns(store: Store) -> pa.Schema:
    async with store.call("read"):
        return await store.table.schema()


def _marker(processes: Processes | None) -> Path | None:
    """Return the file that names the backup; None if no rows are being changed."""
    marker = processes.folder / UPGRADING if processes else None
    return marker if marker and marker.exists() else None


async def _back_up(store: Store) -> None:
    """Back up a local store beside itself, unless an interrupted attempt has done it.

    An object store has no place beside it; whoever runs one backs it up before an upgrade.
    """
    if store.processes is None:
        return
    folder = Path(store.location)
    prefix = f"{folder.name}-{BEFORE}-"
    if marker := _marker(store.processes):
        name = marker.read_text(encoding="utf-8", errors="replace")
        if name.startswith(prefix) and Path(name).name == name:
            try:
                await asyncio.to_thread(read_contents, folder.with_name(name))
            except StoreError:  # it was interrupted before it was whole
                shutil.rmtree(folder.with_name(name), ignore_errors=True)
            else:
                return
    place, number = folder.with_name(f"{prefix}{datetime.now(UTC):%Y%m%dT%H%M%SZ}"), 1
    while place.exists():
        number += 1
        place = place.with_name(f"{place.name.removesuffix(f'.{number - 1}')}.{number}")
    (store.processes.folder / UPGRADING).write_text(place.name, encoding="utf-8")
    await store.sync_disk()
    await back_up(folder, place, link=True)
