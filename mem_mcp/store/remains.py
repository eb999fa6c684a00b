"""Reading what is left of a damaged table: file by file, through manifests that name only those."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lancedb
import pyarrow as pa

from mem_mcp.store import schema
from mem_mcp.store.damage import Survey, readable
from mem_mcp.store.failures import check_whole
from mem_mcp.store.filters import quote
from mem_mcp.store.layout import (
    Fragment,
    Manifest,
    NotWholeError,
    Part,
    fragment_of,
    manifest_files,
    read_manifest,
)

# Without these a version of a memory means nothing; others take their defaults.
_ESSENTIAL = ("version_id", "memory_id", "version", "event", "text", "kind", "user_id",
              "status", "content_hash", "occurred_at", "recorded_at", "superseded_at")  # fmt: skip
# Words or labels of one question to an index.
_ASKED = 500
_EVERY_PARTITION = 1_000_000
_FAILS = (RuntimeError, ValueError, OSError)
"""What LanceDB raises for files that are not what they should be."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Files of rows that cannot be read, whole or in part."""

    fragments: list[Fragment]
    decoding: list[Part]
    """Those that have their size, but not their content."""


class Remains:
    """The files of a table, read through views of one's own choice.

    Args:
        table: its folder, to which nothing is written.
        scratch: an empty folder for the views.
    """

    def __init__(self, table: Path, scratch: Path) -> None:
        self._table = table
        self._scratch = scratch
        self._views = 0
        self._manifests: list[Manifest] | None = None
        self._database: lancedb.AsyncConnection | None = None

    async def unreadable(self, seen: Survey) -> Unreadable:
        """Find the fragments of the newest whole version that cannot be read."""
        if seen.newest is None:
            return Unreadable([], [])
        bad = [each for each in seen.newest.fragments if each.number in seen.rows]
        good = [each for each in seen.newest.fragments if each.number not in seen.rows]
        if await self._can_be_read(seen.newest, good):
            return Unreadable(bad, [])
        decoding = [each for each in good if not await self._can_be_read(seen.newest, [each])]
        parts = [Part(str(self._table / each.files[0].path)) for each in decoding]
        return Unreadable(bad + decoding, parts)

    async def closed_versions(self) -> set[int]:
        """Return the versions that LanceDB cannot open, though their manifests look whole."""
        closed = set()
        for manifest in self._whole_manifests():
            try:
                await (await self._view(manifest, [])).schema()
            except _FAILS:
                closed.add(manifest.version)
        return closed

    async def indices_work(self, name: str) -> bool:
        """Tell whether every index of the newest version can be loaded and asked."""
        database = await lancedb.connect_async(str(self._table.parent))
        try:
            table = await database.open_table(name)
            for index in await table.list_indices():
                await table.index_stats(index.name)
                for column in index.columns:
                    await _ask(table, column, index.index_type)
        except _FAILS:
            return False
        finally:
            database.close()  # type: ignore[no-untyped-call]
        return True

    async def rows(self, seen: Survey, bad: Sequence[Fragment]) -> list[pa.Table]:
        """Read rows that the whole files of the newest whole version lack, and some that they have.

        They come from files that can be read in part, from files of older versions, and from those
        that only a lost version named.
        """
        if not bad and not seen.manifests:
            return []
        found = []
        if seen.newest is not None:
            found += [await self._in_part(seen.newest, each) for each in bad]
        if seen.manifests:
            found += await self._unnamed(seen)
        if bad:
            found += await self._older(seen)
        return [rows for rows in found if rows is not None and rows.num_rows]

    async def _older(self, seen: Survey) -> list[pa.Table | None]:
        """Read the files of older versions that the newest does not name."""
        known = {each.message for each in seen.newest.fragments} if seen.newest else set()
        found = []
        for manifest in self._whole_manifests():
            for each in manifest.fragments:
                if each.message not in known:
                    known.add(each.message)
                    found.append(await self._in_part(manifest, each))
        return found

    async def _unnamed(self, seen: Survey) -> list[pa.Table | None]:
        """Read the files that no whole version names."""
        named = {part.path for each in self._whole_manifests() for f in each.fragments
                 for part in f.files}  # fmt: skip
        fragments: list[tuple[Fragment, list[bytes]]] = []
        for path in sorted((self._table / "data").glob("*.lance")):
            if f"data/{path.name}" not in named:
                try:
                    fragments.append(fragment_of(len(fragments), path))
                except (NotWholeError, OSError):
                    continue
        template = seen.newest
        if template is None and fragments:
            widest = max((columns for _, columns in fragments), key=len)
            template = (await self._blank()).with_columns(widest)
        if template is None:
            return []
        return [await self._in_part(template, fragment) for fragment, _ in fragments]

    def _whole_manifests(self) -> list[Manifest]:
        if self._manifests is None:
            self._manifests = self._read_manifests()
        return self._manifests

    def _read_manifests(self) -> list[Manifest]:
        found = []
        for version, path in manifest_files(self._table):
            try:
                found.append(read_manifest(path, version))
            except (NotWholeError, OSError):
                continue
        return found

    async def _in_part(self, manifest: Manifest, fragment: Fragment) -> pa.Table | None:
        """Read a fragment: whole, or without the columns that cannot be read, or not at all."""
        for each in dict.fromkeys((fragment, fragment.undeleted())):
            if not readable(self._table, each):
                continue
            try:
                view = await self._view(manifest, [each])
                names = (await view.schema()).names
                columns = [name for name in names if await _reads(view, [name])]
                if _means_something(names, columns) and await _reads(view, columns):
                    return await view.query().select(columns).to_arrow()
            except _FAILS:
                continue
        return None

    async def _can_be_read(self, manifest: Manifest, fragments: Sequence[Fragment]) -> bool:
        if not fragments:
            return True
        try:
            view = await self._view(manifest, fragments)
        except _FAILS:
            return False
        return await _reads(view, (await view.schema()).names)

    async def _view(self, manifest: Manifest, fragments: Sequence[Fragment]) -> lancedb.AsyncTable:
        """Open a table of some fragments."""
        self._views += 1
        name = f"view{self._views}"
        place = self._scratch / f"{name}.lance"
        versions = place / "_versions"
        versions.mkdir(parents=True)
        for folder in ("data", "_deletions"):
            (place / folder).symlink_to(self._table.absolute() / folder, target_is_directory=True)
        (versions / manifest.path.name).write_bytes(manifest.of_fragments(fragments))
        return await (await self._scratched()).open_table(name)

    async def _scratched(self) -> lancedb.AsyncConnection:
        if self._database is None:
            self._database = await lancedb.connect_async(str(self._scratch))
        return self._database

    async def _blank(self) -> Manifest:
        """Return the manifest of a table of ours without rows."""
        metadata = {schema.VERSION_KEY: str(schema.SCHEMA_VERSION).encode()}
        columns = pa.schema([("nothing", pa.int32())], metadata=metadata)
        await (await self._scratched()).create_table("blank", schema=columns)
        ((version, path), *_) = manifest_files(self._scratch / "blank.lance")
        return read_manifest(path, version)


async def _reads(table: lancedb.AsyncTable, columns: Sequence[str]) -> bool:
    """Tell whether every row of some columns can be read, and is what its type says."""
    try:
        await check_whole(table, columns)
    except _FAILS:
        return False
    return True


def _means_something(names: Sequence[str], columns: Sequence[str]) -> bool:
    """Whether the columns that can be read are enough; of a log, all are needed."""
    wanted = _ESSENTIAL if "version_id" in names else names
    return set(wanted) <= set(columns)


async def _ask(table: lancedb.AsyncTable, column: str, kind: str) -> None:
    """Put questions to the index of a column that read every part of it."""
    rows = table.query().select([column])
    match kind.upper():
        case "FTS":
            texts = (await rows.to_arrow())[column].drop_null().to_pylist()
            for words in _batches(word for text in texts for word in text.split()):
                await table.query().nearest_to_text(" ".join(words)).limit(1).to_arrow()
        case "LABELLIST":
            lists = (await rows.to_arrow())[column].drop_null().to_pylist()
            for labels in _batches(label for each in lists for label in each):
                among = ", ".join(quote(label) for label in labels)
                await table.count_rows(f"array_has_any({column}, [{among}])")
        case "BTREE" | "BITMAP":
            is_text = pa.types.is_string((await table.schema()).field(column).type)
            least = "''" if is_text else "timestamp '0001-01-01T00:00:00Z'"
            await table.count_rows(f"{column} >= {least}")
        case _:
            (vector,) = (await rows.where(f"{column} IS NOT NULL").limit(1).to_arrow())[column]
            query = table.query().nearest_to(vector.values.to_numpy()).column(column)
            await query.nprobes(_EVERY_PARTITION).limit(1).to_arrow()


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    distinct = list(dict.fromkeys(values))
    return (distinct[at : at + _ASKED] for at in range(0, len(distinct), _ASKED))
