"""Read what is left of a damaged table: file by file, through manifests that name only those."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import lancedb
import pyarrow as pa

from mem_mcp.store import schema
from mem_mcp.store.damage.survey import Survey, part_damages, read_through, survey
from mem_mcp.store.error_mapping import attempt
from mem_mcp.store.lance_files import (
    DamagedFile,
    Fragment,
    Manifest,
    fragment_of,
    manifest_files,
    read_manifest,
)

# A version of a memory is worth nothing without these columns; others take their defaults.
_ESSENTIAL = ("version_id", "memory_id", "version", "event", "text", "kind", "user_id",
              "status", "content_hash", "occurred_at", "recorded_at", "superseded_at")  # fmt: skip
# Words in one query to an index.
_QUERY_WORDS = 500


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of a table."""

    survey: Survey
    damaged: list[str]
    """A sentence for each damaged file; empty for a whole table."""
    index_damaged: bool
    unreadable: list[Fragment]
    """Fragments of the newest whole version that cannot be read completely."""
    rows: list[pa.Table]
    """Rows of these, as far as they can be read, and of files that only other versions name."""


async def remains_of(table: Path, scratch: Path) -> Remains:
    """Return what is left of a table, given its folder and an empty one for views of it."""
    with await lancedb.connect_async(str(scratch)) as views:
        return await _Salvage(table, scratch, views).remains()


class _Salvage:
    """Reads a table through views: tables in `scratch` whose manifests name files of the table."""

    def __init__(self, table: Path, scratch: Path, database: lancedb.AsyncConnection) -> None:
        self._table = table
        self._scratch = scratch
        self._database = database
        self._views = 0
        self._manifests = _whole_manifests(table)

    async def remains(self) -> Remains:
        closed = [each for each in self._manifests if await attempt(self._open(each)) is None]
        self._manifests = [each for each in self._manifests if each not in closed]
        distrusted = [each.version for each in closed]
        files = survey(self._table, every_version=True, distrusted=distrusted)
        newest = files.newest
        unreadable = await self._unreadable(newest, files.rows) if newest else []
        garbled = [each for each in unreadable if each.number not in files.rows]
        damaged = [str(each) for each in files.damages]
        damaged += [f"{self._table / each.files[0].path} cannot be decoded" for each in garbled]
        index_damaged = bool(files.indices)
        if newest and not damaged and await attempt(self._load_indices()) is None:
            index_damaged = True
            damaged.append(f"{self._table / '_indices'} holds an index that cannot be read")
        parts = [await self._in_part(newest, each) for each in unreadable if newest]
        if files.manifests:
            parts += await self._unnamed(newest)
        if unreadable:
            parts += await self._older(newest.fragments if newest else ())
        rows = [each for each in parts if each is not None and each.num_rows]
        return Remains(files, damaged, index_damaged, unreadable, rows)

    async def _unreadable(self, newest: Manifest, damaged: Collection[int]) -> list[Fragment]:
        """Return the fragments with damaged files, and then others that cannot be read."""
        present = [each for each in newest.fragments if each.number not in damaged]
        unreadable = [each for each in newest.fragments if each.number in damaged]
        if not await self._can_read(newest, present):
            unreadable += [each for each in present if not await self._can_read(newest, [each])]
        return unreadable

    async def _can_read(self, manifest: Manifest, fragments: Sequence[Fragment]) -> bool:
        return await attempt(self._count(manifest, fragments)) is not None

    async def _count(self, manifest: Manifest, fragments: Sequence[Fragment]) -> int:
        """Read some fragments completely, which fails where one is damaged."""
        content = manifest.of_fragments(fragments)
        return await read_through(await self._view(manifest.path.name, content))

    async def _open(self, manifest: Manifest) -> bool:
        """Open a version, which fails where LanceDB cannot read its manifest."""
        view = await self._view(manifest.path.name, manifest.path.read_bytes())
        await view.list_indices()
        return True

    async def _load_indices(self) -> bool:
        """Load every index of the newest version, which fails where one is damaged."""
        with await lancedb.connect_async(str(self._table.parent)) as database:
            table = await database.open_table(self._table.stem)
            for index in await table.list_indices():
                await table.index_stats(index.name)
                await table.prewarm_index(index.name)
                if index.index_type.upper() == "FTS":  # of which only queries read everything
                    await _query_every_word(table, index.columns[0])
        return True

    async def _older(self, newest: Iterable[Fragment]) -> list[pa.Table | None]:
        """Read the fragments of other versions that the newest whole one does not have."""
        messages = {each.message for each in newest}
        parts = []
        for manifest in self._manifests:
            for each in manifest.fragments:
                if each.message not in messages:
                    messages.add(each.message)
                    parts.append(await self._in_part(manifest, each))
        return parts

    async def _unnamed(self, newest: Manifest | None) -> list[pa.Table | None]:
        """Read the files that no whole version names."""
        named = {part.path for manifest in self._manifests
                 for fragment in manifest.fragments for part in fragment.files}  # fmt: skip
        fragments: list[tuple[Fragment, list[bytes]]] = []
        for path in sorted((self._table / "data").glob("*.lance")):
            if f"data/{path.name}" not in named:
                with suppress(DamagedFile, OSError):
                    fragments.append(fragment_of(len(fragments), path))
        if newest is None and fragments:
            widest = max((columns for _, columns in fragments), key=len)
            newest = (await self._blank()).with_columns(widest)
        return [await self._in_part(newest, fragment) for fragment, _ in fragments if newest]

    async def _in_part(self, manifest: Manifest, fragment: Fragment) -> pa.Table | None:
        """Read the readable columns of a fragment; None if that does not make rows."""
        for each in dict.fromkeys((fragment, fragment.undeleted())):
            if not any(part_damages(self._table, each.parts)):
                rows = await attempt(self._readable(manifest, each))
                if rows is not None:
                    return rows
        return None

    async def _readable(self, manifest: Manifest, fragment: Fragment) -> pa.Table | None:
        view = await self._view(manifest.path.name, manifest.of_fragments([fragment]))
        names = (await view.schema()).names
        columns = [name for name in names if await attempt(read_through(view, [name])) is not None]
        wanted = _ESSENTIAL if "version_id" in names else names  # of a log, all
        if not set(wanted) <= set(columns):
            return None
        rows = await view.query().select(columns).to_arrow()
        rows.validate(full=True)
        return rows

    async def _view(self, name: str, manifest: bytes) -> lancedb.AsyncTable:
        """Open a table of the files that a manifest names, given its file name and content."""
        self._views += 1
        place = self._scratch / f"view{self._views}.lance"
        (place / "_versions").mkdir(parents=True)
        for folder in ("data", "_deletions", "_indices"):
            (place / folder).symlink_to(self._table.absolute() / folder, target_is_directory=True)
        (place / "_versions" / name).write_bytes(manifest)
        return await self._database.open_table(place.stem)

    async def _blank(self) -> Manifest:
        """Return the manifest of a new table without rows."""
        metadata = {schema.VERSION_KEY: str(schema.SCHEMA_VERSION).encode()}
        columns = pa.schema([("nothing", pa.int32())], metadata=metadata)
        await self._database.create_table("blank", schema=columns)
        return _whole_manifests(self._scratch / "blank.lance")[0]


def _whole_manifests(table: Path) -> list[Manifest]:
    manifests = []
    for version, path in manifest_files(table):
        with suppress(DamagedFile, OSError):
            manifests.append(read_manifest(path, version))
    return manifests


async def _query_every_word(table: lancedb.AsyncTable, column: str) -> None:
    texts = (await table.query().select([column]).to_arrow())[column].drop_null().to_pylist()
    words = list(dict.fromkeys(word for text in texts for word in text.split()))
    for at in range(0, len(words), _QUERY_WORDS):
        query = table.query().nearest_to_text(" ".join(words[at : at + _QUERY_WORDS]))
        await query.limit(1).to_arrow()
