"""Back up a local store while others write: the files of one moment, and a list that proves them.

Lance changes no file that a commit names. So the newest manifests of all tables, read at one
moment, and the files that they name are the store at that moment, however long the copying takes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from mem_mcp.errors import StoreError
from mem_mcp.store import schema
from mem_mcp.store.damage.survey import damages
from mem_mcp.store.error_mapping import ANOTHER_FOLDER, REPAIR, store_errors
from mem_mcp.store.fsync import disk_sync
from mem_mcp.store.lance_files import (
    SUFFIX,
    DamagedFile,
    Manifest,
    manifest_files,
    read_manifest,
    table_folders,
)
from mem_mcp.store.locks import Processes, join

T = TypeVar("T")

LIST = "backup.json"
"""The list of a backup's files. It is written last: a folder without it is no whole backup."""
FORMAT = "mem-mcp-backup"
VERSION = 1
_CHUNK = 1_000_000
# Looks at all tables until none of them has changed between two.
_LOOKS = 100
Progress = Callable[[int, int], None]
"""Called with the bytes that are done, and in all."""


class Kept(BaseModel):
    """One file of a backup."""

    size: int
    sha256: str


class Contents(BaseModel):
    """The list of a backup."""

    format: str
    version: int
    schema_version: int
    """Of the table of memories."""
    created_at: datetime
    tables: dict[str, int]
    """Table to the number of the commit that it is as of."""
    files: dict[str, Kept]
    """By path within the backup, with slashes."""
    checksum: str = ""
    """Of the rest of the list."""

    def digest(self) -> str:
        """Return the checksum that the list must have."""
        fields = self.model_dump(mode="json", exclude={"checksum"})
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


class BackupReport(BaseModel):
    """What a backup, or a restore of one, came to."""

    store: str
    backup: str
    created_at: datetime
    """When the backup was made: it holds every write that was confirmed before."""
    tables: dict[str, int]
    files: int
    bytes: int


def report(store: Path, backup: Path, contents: Contents) -> BackupReport:
    """Return the report on a backup."""
    return BackupReport(
        store=str(store),
        backup=str(backup),
        created_at=contents.created_at,
        tables=contents.tables,
        files=len(contents.files),
        bytes=sum(each.size for each in contents.files.values()),
    )


async def back_up(
    folder: Path,
    target: Path,
    progress: Progress = lambda _done, _total: None,
    *,
    link: bool = False,
) -> BackupReport:
    """Copy a store as it is at one moment, while other processes go on reading and writing.

    Args:
        folder: folder of the store.
        target: folder of the backup; it is made, or must be empty.
        progress: called while files are copied.
        link: make links to data files where the disk can, which takes no space. It saves from a
            wrong commit, and not from a bad disk.

    Raises:
        StoreError: there is no store, it is damaged, or the target cannot be used; nothing stays
            of the backup.
    """
    _check_target(folder, target)
    if not await asyncio.to_thread(table_folders, folder):
        raise StoreError(f"{str(folder)!r} holds no store", ANOTHER_FOLDER)
    async with AsyncExitStack() as stack:
        processes, _ = join(folder, stack)
        with store_errors("back up", str(folder)):
            if processes:  # so that nobody removes old files meanwhile
                await stack.enter_async_context(processes.alone_at("maintain", retry=0.05))
                await stack.enter_async_context(processes.alone_at("logs", retry=0.05))
            _check_whole(folder)
            moment = await _moment(folder, processes)
            made = _missing_folders(target)
            try:
                contents = await in_thread(
                    lambda advance: _copy(folder, target, moment, advance, link=link), progress
                )
                await asyncio.to_thread(check_files, target, contents)
            except BaseException:
                await asyncio.to_thread(_take_back, target, made)
                raise
    return report(folder, target, contents)


async def in_thread(work: Callable[[Progress], T], progress: Progress) -> T:
    """Run work in a thread; if its caller is cancelled it stops at its next report and is awaited.

    Args:
        work: takes a function to report its progress with, which may raise.
        progress: where this goes.
    """
    stopped = threading.Event()

    def advance(done: int, total: int) -> None:
        if stopped.is_set():
            raise StoreError("stopped")
        progress(done, total)

    task = asyncio.create_task(asyncio.to_thread(work, advance))
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait([task])
        task.exception()  # marks it as retrieved
        raise
    return task.result()


def read_contents(source: Path) -> Contents:
    """Read the list of a backup.

    Raises:
        StoreError: it is no backup, is not whole, or was made by a newer version.
    """
    file = source / LIST
    if not source.is_dir():
        raise StoreError(f"{str(source)!r} is no folder with a backup", "name that of a backup")
    try:
        text = file.read_bytes()
    except FileNotFoundError as error:
        raise StoreError(
            f"{str(source)!r} lacks {LIST}: it is no backup, or making it was interrupted",
            "take another one",
        ) from error
    except OSError as error:
        raise StoreError(f"{str(file)!r} cannot be read ({error.strerror})") from error
    damaged = StoreError(f"{str(file)!r} is cut or was changed", "take another backup")
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise damaged from error
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise damaged
    version, columns = fields.get("version"), fields.get("schema_version")
    for name, number, known in (
        ("format", version, VERSION),
        ("schema", columns, schema.SCHEMA_VERSION),
    ):
        if isinstance(number, int) and number > known:
            raise StoreError(
                f"{str(source)!r} was written by a newer mem-mcp ({name} {number}, this one knows "
                f"{known})",
                "upgrade mem-mcp",
            )
    try:
        contents = Contents.model_validate(fields)
    except ValidationError as error:
        raise damaged from error
    if contents.digest() != contents.checksum or not all(map(_is_of_a_table, contents.files)):
        raise damaged
    return contents


def check_files(source: Path, contents: Contents) -> None:
    """Read every file of a backup.

    Raises:
        StoreError: a file is missing or is not what the list says; all such are counted.
    """
    wrong = [line for name, kept in contents.files.items() if (line := _wrong(source, name, kept))]
    if wrong:
        more = f", and {len(wrong) - 1:,} more files are wrong" if len(wrong) > 1 else ""
        raise StoreError(f"the backup is damaged: {wrong[0]}{more}", "take another backup")


def copy_file(source: Path, target: Path) -> Kept:
    """Copy a file, and return what was written."""
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as file, target.open("xb") as copy:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
            size += len(chunk)
    return Kept(size=size, sha256=digest.hexdigest())


def _link_file(source: Path, target: Path) -> Kept:
    """Make a link to a file, or copy it where none can be made; return what it holds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or on Windows a user who may make none
        return copy_file(source, target)
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Kept(size=file.tell(), sha256=digest)


def _wrong(source: Path, name: str, kept: Kept) -> str:
    path = source / name
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except FileNotFoundError:
        return f"{str(path)!r} is missing"
    except OSError as error:
        return f"{str(path)!r} cannot be read ({error.strerror})"
    if size != kept.size:
        return f"{str(path)!r} has {size:,} bytes of {kept.size:,}"
    return "" if digest == kept.sha256 else f"{str(path)!r} was changed"


def _is_of_a_table(name: str) -> bool:
    """Return whether a path can only lie in the folder of a table."""
    path = PurePosixPath(name)
    odd = {"..", "."} & {*name.split("/")} or "\\" in name or ":" in name or "\0" in name
    return not odd and not path.is_absolute() and path.parts[:1][0].endswith(SUFFIX)


def _check_target(folder: Path, target: Path) -> None:
    place, store = target.resolve(), folder.resolve()
    if place == store or store in place.parents:
        raise StoreError(
            f"{str(target)!r} lies in the store {str(folder)!r}", "name a folder elsewhere"
        )
    try:
        filled = target.exists() and (not target.is_dir() or any(target.iterdir()))
    except OSError as error:
        raise StoreError(f"{str(target)!r} cannot be read ({error.strerror})") from error
    if filled:
        raise StoreError(f"{str(target)!r} is there and not an empty folder", "name a new one")


def _check_whole(folder: Path) -> None:
    for damaged in damages(folder).values():
        raise StoreError(f"the store is damaged: {damaged[0]}", f"mend it first: {REPAIR}")


async def _moment(folder: Path, processes: Processes | None) -> dict[str, Manifest]:
    """Return the newest manifest of each table, all of one moment."""
    async with AsyncExitStack() as stack:
        if processes:
            await stack.enter_async_context(processes.alone_at("write"))
        for _ in range(_LOOKS):
            moment = _newest(folder)
            # Rows are appended to logs without a lock.
            if moment is not None and _numbers(folder) == {
                name: manifest.version for name, manifest in moment.items()
            }:
                return moment
            await asyncio.sleep(0)
    raise StoreError("others kept writing while the backup looked for a moment", "try again")


def _numbers(folder: Path) -> dict[str, int]:
    files = {table.name: manifest_files(table) for table in table_folders(folder)}
    return {name: listed[0][0] for name, listed in files.items() if listed}


def _newest(folder: Path) -> dict[str, Manifest] | None:
    moment = {}
    for table in table_folders(folder):
        listed = manifest_files(table)
        if not listed:  # another process is making it
            continue
        try:
            moment[table.name] = read_manifest(listed[0][1], listed[0][0])
        except FileNotFoundError:
            return None
        except DamagedFile as error:
            raise StoreError(f"{listed[0][1]} {error}", f"mend it first: {REPAIR}") from error
    return moment


def _files(table: Path, manifest: Manifest) -> Iterator[Path]:
    yield manifest.path
    for fragment in manifest.fragments:
        yield from (table / part.path for part in fragment.parts)
    for place in manifest.index_folders:
        yield from (path for path in (table / place).rglob("*") if path.is_file())
    if manifest.transaction and (path := table / manifest.transaction).is_file():
        yield path


def _copy(
    folder: Path, target: Path, moment: dict[str, Manifest], progress: Progress, *, link: bool
) -> Contents:
    created = datetime.now(UTC)
    paths = [path for name, each in moment.items() for path in _files(folder / name, each)]
    paths = list(dict.fromkeys(paths))
    total, done = sum(path.stat().st_size for path in paths), 0
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{str(target)!r} cannot be made ({error.strerror})", "name another folder"
        ) from error
    files = {}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        take = _link_file if link and name.endswith(SUFFIX) else copy_file
        files[name] = take(path, target / name)
        done += files[name].size
        progress(done, total)
    main = moment.get(f"{schema.TABLE}{SUFFIX}")
    number = main.largest(schema.VERSION_KEY, schema.RECORD) if main else 0
    contents = Contents(
        format=FORMAT,
        version=VERSION,
        schema_version=number or schema.SCHEMA_VERSION,
        created_at=created,
        tables={name.removesuffix(SUFFIX): each.version for name, each in moment.items()},
        files=files,
    )
    contents.checksum = contents.digest()
    sync = disk_sync(target)
    sync()  # the list must not be there before the files are
    (target / LIST).write_text(contents.model_dump_json(indent=1), encoding="utf-8")
    sync()
    return contents


def _missing_folders(target: Path) -> Path | None:
    """Return the topmost folder that making the target makes; None if it is there."""
    missing = [place for place in (target, *target.parents) if not place.exists()]
    return missing[-1] if missing else None


def _take_back(target: Path, made: Path | None) -> None:
    """Remove what a failed backup has written, which is all that is in its folder."""
    with suppress(OSError):
        if made is not None:
            shutil.rmtree(made)
            return
        for path in target.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
