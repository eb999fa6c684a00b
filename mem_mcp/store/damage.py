"""Which files of a store are damaged, as far as that shows without reading rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mem_mcp.store.layout import (
    Fragment,
    Manifest,
    NotWholeError,
    Part,
    hinted_version,
    manifest_files,
    read_manifest,
)

SUFFIX = ".lance"
"""Of the folder of a table."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that is not whole."""

    path: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


@dataclass(frozen=True, slots=True)
class Survey:
    """What is left of the versions of a table."""

    table: Path
    newest: Manifest | None
    """The last whole one."""
    manifests: tuple[Damage, ...]
    """Those after it."""
    older: tuple[Damage, ...]
    """Manifests before it, which nobody reads any more; but no file can be removed past them."""
    rows: dict[int, tuple[Damage, ...]]
    """Of the fragments of the newest that cannot be read: by number."""
    indices: tuple[Damage, ...]
    versions_lost: int

    @property
    def damages(self) -> list[Damage]:
        """All of them."""
        rows = (each for some in self.rows.values() for each in some)
        return [*self.manifests, *rows, *self.indices, *self.older]


def tables(folder: Path) -> list[Path]:
    """Return the folders of a store's tables."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_dir())


def survey(table: Path, *, every_version: bool = False, distrusted: Collection[int] = ()) -> Survey:
    """Look at the manifests of a table, and at the files that the newest whole one names.

    Args:
        table: its folder.
        every_version: look at older manifests, too.
        distrusted: versions that cannot be opened, whatever their manifests look like.

    Raises:
        OSError: they cannot be read.
    """
    hinted = hinted_version(table)  # before the listing: what it names is there by then
    listed = manifest_files(table)
    damaged: list[Damage] = []
    older: list[Damage] = []
    newest = None
    for version, path in listed:
        try:
            manifest = read_manifest(path, version)
            if version in distrusted:
                raise NotWholeError("is damaged")
            newest = newest or manifest
        except FileNotFoundError:  # removed meanwhile
            continue
        except NotWholeError as error:
            (older if newest else damaged).append(Damage(path, str(error)))
        if newest and not every_version:
            break
    last = max([hinted, *(version for version, _ in listed[:1])])
    if (not listed or hinted > listed[0][0]) and (newest or any((table / "data").glob("*"))):
        place = table / "_versions"
        what = f"the manifest of version {hinted}" if hinted else "every manifest"
        damaged.insert(0, Damage(place, f"lacks {what}"))
    rows = {
        fragment.number: found
        for fragment in (newest.fragments if newest else ())
        if (found := tuple(part_damages(table, fragment.parts)))
    }
    indices = tuple(part_damages(table, newest.indices)) if newest else ()
    lost = last - newest.version if newest else last
    return Survey(table, newest, tuple(damaged), tuple(older), rows, indices, lost)


def part_damages(table: Path, parts: Iterable[Part]) -> Iterator[Damage]:
    """Yield which of some files of a table are gone or have another size than was written."""
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


def readable(table: Path, fragment: Fragment) -> bool:
    """Whether all files of a fragment are there."""
    return not any(part_damages(table, fragment.parts))


def damages(folder: Path, *, every_version: bool = False) -> dict[str, list[Damage]]:
    """Return what is damaged of each table of a store; tables that are whole are left out.

    Args:
        folder: of the store.
        every_version: look at older versions, too.
    """
    found = {}
    for table in tables(folder):
        seen = survey(table, every_version=every_version).damages
        # Seen twice: a commit or a cleanup of another process may be under way.
        if seen and seen == survey(table, every_version=every_version).damages:
            found[table.name.removesuffix(SUFFIX)] = seen
    return found
