"""Find what is damaged in a store: files by their presence and size, rows by reading them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lancedb
import pyarrow as pa

from mem_mcp.store.lance_files import (
    SUFFIX,
    DamagedFile,
    Manifest,
    Part,
    hinted_version,
    manifest_files,
    read_manifest,
    table_folders,
)


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged file."""

    path: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


@dataclass(frozen=True, slots=True)
class Survey:
    """The damaged files of a table."""

    newest: Manifest | None
    """The last whole manifest."""
    manifests: tuple[Damage, ...]
    """Manifests after it."""
    older: tuple[Damage, ...]
    """Manifests before it. Nobody reads them, but LanceDB can remove no old file past them."""
    rows: dict[int, tuple[Damage, ...]]
    """Files of rows of the newest manifest, by fragment number."""
    indices: tuple[Damage, ...]
    versions_lost: int

    @property
    def damages(self) -> list[Damage]:
        """All damaged files."""
        rows = (damage for fragment in self.rows.values() for damage in fragment)
        return [*self.manifests, *rows, *self.indices, *self.older]


def survey(table: Path, *, every_version: bool = False, distrusted: Collection[int] = ()) -> Survey:
    """Check the manifests of a table and the files that the newest whole one names.

    Args:
        table: folder of the table.
        every_version: also check older manifests.
        distrusted: versions to count as damaged, since LanceDB cannot open them.

    Raises:
        OSError: a manifest cannot be read.
    """
    hinted = hinted_version(table)  # before the listing, which then has what it names
    listed = manifest_files(table)
    newest: Manifest | None = None
    damaged: list[Damage] = []
    older: list[Damage] = []
    for version, path in listed:
        try:
            manifest = read_manifest(path, version)
            if version in distrusted:
                raise DamagedFile("is damaged")
            newest = newest or manifest
        except FileNotFoundError:  # another process has just removed it
            continue
        except DamagedFile as error:
            (older if newest else damaged).append(Damage(path, str(error)))
        if newest and not every_version:
            break
    latest = listed[0][0] if listed else 0
    if (not listed or hinted > latest) and (newest or any((table / "data").glob("*"))):
        missing = f"the manifest of version {hinted}" if hinted else "every manifest"
        damaged.insert(0, Damage(table / "_versions", f"lacks {missing}"))
    rows = {
        fragment.number: damages
        for fragment in (newest.fragments if newest else ())
        if (damages := tuple(part_damages(table, fragment.parts)))
    }
    indices = tuple(part_damages(table, newest.indices)) if newest else ()
    lost = max(hinted, latest) - (newest.version if newest else 0)
    return Survey(newest, tuple(damaged), tuple(older), rows, indices, lost)


def part_damages(table: Path, parts: Iterable[Part]) -> Iterator[Damage]:
    """Yield those files of a table that are absent or have another size than the manifest tells."""
    for part in parts:
        path = table / part.path
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            yield Damage(path, "is gone")
            continue
        if not size:
            yield Damage(path, "is empty")
        elif part.size is not None and size != part.size:
            yield Damage(path, f"has {size:,} bytes of {part.size:,}")


def damages(folder: Path, *, every_version: bool = False) -> dict[str, list[Damage]]:
    """Return the damaged files of a store by table, without reading rows; see `survey`."""
    damaged = {}
    for table in table_folders(folder):
        first = survey(table, every_version=every_version).damages
        # Twice, because another process may be about to commit or to remove files.
        if first and first == survey(table, every_version=every_version).damages:
            damaged[table.name.removesuffix(SUFFIX)] = first
    return damaged


def checked_rows(rows: pa.Table) -> pa.Table:
    """Return rows after a check of their texts: of a damaged file LanceDB may return any bytes.

    Raises:
        ValueError: a text is not valid UTF-8.
    """
    for name in rows.column_names:
        if pa.types.is_string(rows.schema.field(name).type):
            rows[name].validate(full=True)
    return rows


async def read_through(table: lancedb.AsyncTable, columns: Sequence[str] = ()) -> int:
    """Read some columns, or all, of every row, which fails if a file is damaged; count the rows."""
    query, rows = table.query(), 0
    async for batch in await (query.select(list(columns)) if columns else query).to_batches():
        batch.validate(full=True)
        rows += batch.num_rows
    return rows
