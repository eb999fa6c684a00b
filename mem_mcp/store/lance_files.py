"""Lance's files, read without Lance: manifests of tables, and what a data file says of itself.

LanceDB does not tell which file is damaged, and opens no table without a whole manifest. The few
fields that are needed are read here from Lance's protobuf messages (format 2, `table.proto` and
`file2.proto`). What cannot be understood counts as damaged.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias, TypeVar, cast
from uuid import UUID

T = TypeVar("T")
Field: TypeAlias = tuple[int, "int | bytes"]
"""Number and value of a field of a protobuf message."""

SUFFIX = ".lance"
"""Suffix of table folders and data files."""
BACKUP = "damaged-"
"""Prefix of the folders in which a repair keeps its copy of a store."""

_MAGIC = b"LANC"
_FOOTER = struct.Struct("<QHH4s")
_DATA_FOOTER = struct.Struct("<QQQIIHH4s")
_LENGTH = struct.Struct("<I")
_NEWEST = 2**64 - 1
_REVERSED_DIGITS = 20
# Numbers of fields: of a manifest, then of a fragment.
_COLUMNS, _FRAGMENTS, _VERSION, _METADATA, _INDICES, _TIME = 1, 2, 3, 5, 6, 7
_LAST_FRAGMENT, _TRANSACTION = 11, 12
_NUMBER, _FILES, _DELETIONS, _ROWS = 1, 2, 3, 4
_INDEX_FILES = 10
# Wire types of protobuf.
_VARINT, _BYTES = 0, 2
_FIXED_SIZES = {1: 8, 5: 4}


class DamagedFile(Exception):
    """A file is not whole; the message says in what way, such as "is empty"."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file that a manifest names."""

    path: str
    """Path within the table's folder."""
    size: int | None = None
    """Bytes, where the manifest tells them."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Some rows of a table: one or more files of columns, and a list of deleted rows."""

    number: int
    files: tuple[Part, ...]
    deletions: Part | None
    rows: int
    """Rows that are not deleted."""
    message: bytes

    def undeleted(self) -> Fragment:
        """Return the same fragment without deletions."""
        if self.deletions is None:
            return self
        kept = encoded(
            each for each in _ProtobufMessage(self.message).fields if each[0] != _DELETIONS
        )
        return _fragment(_ProtobufMessage(kept))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every file of the fragment."""
        return (*self.files, self.deletions) if self.deletions else self.files


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of one version of a table."""

    path: Path
    version: int
    fragments: tuple[Fragment, ...]
    indices: tuple[Part, ...]
    index_folders: tuple[str, ...]
    """Paths of the indices' folders; of an older Lance's index `indices` names no files."""
    written: datetime | None
    head: bytes
    """Bytes before the message, which refers to places in them."""
    message: tuple[Field, ...]

    def of_fragments(self, fragments: Iterable[Fragment]) -> bytes:
        """Return the content of a manifest with only these fragments, and without indices."""
        fragments = list(fragments)
        dropped = (_FRAGMENTS, _INDICES, _LAST_FRAGMENT)
        kept = [each for each in self.message if each[0] not in dropped]
        kept += [(_FRAGMENTS, each.message) for each in fragments]
        kept.append((_LAST_FRAGMENT, max((each.number for each in fragments), default=0)))
        body = encoded(kept)
        footer = _FOOTER.pack(len(self.head), 0, 2, _MAGIC)
        return self.head + _LENGTH.pack(len(body)) + body + footer

    @property
    def transaction(self) -> str | None:
        """Path of the file that says how the version came to be, within the table's folder."""
        names = [value for number, value in self.message if number == _TRANSACTION]
        name = names[-1] if names else None
        return f"_transactions/{name.decode()}" if isinstance(name, bytes) else None

    def metadata(self, key: bytes) -> bytes:
        """Return what the table's metadata has under a key; empty if it has none."""
        return _entry(self._messages(_METADATA), key)

    def largest(self, key: bytes, column: str) -> int:
        """Return the larger of two numbers under a key, the table's and a column's; 0 if none."""
        fields = (each for each in self._messages(_COLUMNS) if each.text(2) == column)
        found = [self.metadata(key), *(_entry(each.messages(10), key) for each in fields)]
        return max(int(each) if each.isdigit() else 0 for each in found)

    def _messages(self, field: int) -> list[_ProtobufMessage]:
        return [_ProtobufMessage(value) for number, value in self.message
                if number == field and isinstance(value, bytes)]  # fmt: skip

    def with_columns(self, columns: Iterable[bytes]) -> Manifest:
        """Return the same manifest with other columns, as `fragment_of` returns them."""
        others = (each for each in self.message if each[0] != _COLUMNS)
        return replace(self, message=(*((_COLUMNS, each) for each in columns), *others))


def table_folders(folder: Path) -> list[Path]:
    """Return the folders of a store's tables."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_dir())


def copy_tables(source: Path, target: Path, link: Callable[[str, str], None]) -> None:
    """Copy the tables of a store to another folder.

    For data files, which LanceDB never changes, `link(file, place)` makes links where it can.
    """

    def copy(file: str, place: str) -> None:
        if file.endswith(SUFFIX):
            with suppress(OSError):  # on Windows few users may make links
                link(file, place)
                return
        with suppress(FileNotFoundError):  # another process has just removed it
            shutil.copy2(file, place)

    for table in table_folders(source):
        shutil.copytree(table, target / table.name, copy_function=copy)


def manifest_files(table: Path) -> list[tuple[int, Path]]:
    """Return number and manifest of each version of a table, newest first."""
    files = []
    for path in (table / "_versions").glob("*.manifest"):
        if path.stem.isascii() and path.stem.isdigit():
            number = int(path.stem)
            # Newer tables count down, so that the newest version is the first of a listing.
            counted_down = len(path.stem) == _REVERSED_DIGITS
            files.append((_NEWEST - number if counted_down else number, path))
    return sorted(files, reverse=True)


def hinted_version(table: Path) -> int:
    """Return the newest version that the table's hint file names; 0 without one."""
    try:
        hint = json.loads((table / "_versions" / "latest_version_hint.json").read_bytes())
        return int(hint["version"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def read_manifest(path: Path, version: int) -> Manifest:
    """Read the manifest of a version.

    Raises:
        DamagedFile: the file is empty, cut short or damaged.
        OSError: the file cannot be read.
    """
    with _parsing(path, _FOOTER) as content:
        (place, *_) = _FOOTER.unpack(content[-_FOOTER.size :])
        message = _sized(content, place)
        if message.number(_VERSION) != version:
            raise DamagedFile("is not of the version in its name")
        message.messages(_COLUMNS)  # fails where they are damaged
        sections = [_sized(content, place) for place in message.values(_INDICES, int)]
        times = [each.number(1) for each in message.messages(_TIME)]
        return Manifest(
            path=path,
            version=version,
            fragments=tuple(_fragment(each) for each in message.messages(_FRAGMENTS)),
            indices=tuple(part for section in sections for part in _index_files(section)),
            index_folders=tuple(
                f"_indices/{_index_name(each)}" for one in sections for each in one.messages(1)
            ),
            written=datetime.fromtimestamp(times[-1], tz=UTC) if any(times) else None,
            head=content[:place],
            message=tuple(message.fields),
        )


def fragment_of(number: int, path: Path) -> tuple[Fragment, list[bytes]]:
    """Return a fragment of a data file that no manifest names, and the columns of the file.

    Raises:
        DamagedFile: the file is damaged.
        OSError: the file cannot be read.
    """
    with _parsing(path, _DATA_FOOTER) as content:
        _, _, buffers, *_ = _DATA_FOOTER.unpack(content[-_DATA_FOOTER.size :])
        place, size = struct.unpack_from("<QQ", content, buffers)
        described = _ProtobufMessage(content[place : place + size])
        columns = described.messages(1)[-1].messages(1)
        groups = {each.number(4) for each in columns}  # of lists and structs only leaves are stored
        leaves = [each.number(3) for each in columns if each.number(3) not in groups]
        places = range(len(leaves))
        packed = [b"".join(map(_varint, numbers)) for numbers in (leaves, places)]
        file = encoded([(1, path.name.encode()), (2, packed[0]), (3, packed[1]), (4, 2), (5, 2)])
        fragment = encoded([(_NUMBER, number), (_FILES, file), (_ROWS, described.number(2))])
        return _fragment(_ProtobufMessage(fragment)), [each.encoded for each in columns]


class _ProtobufMessage:
    """A protobuf message. Its methods raise DamagedFile for a value of another type."""

    def __init__(self, content: bytes) -> None:
        self.encoded = content
        self.fields = list(_fields(content))

    def values(self, field: int, kind: type[T]) -> list[T]:
        """Return the values of a field."""
        values = [value for number, value in self.fields if number == field]
        if not all(isinstance(value, kind) for value in values):
            raise DamagedFile("is damaged")
        return cast("list[T]", values)

    def number(self, field: int) -> int:
        """Return the number in a field; 0 if the field is absent."""
        return [0, *self.values(field, int)][-1]

    def messages(self, field: int) -> list[_ProtobufMessage]:
        """Return the messages in a field."""
        return [_ProtobufMessage(value) for value in self.values(field, bytes)]

    def text(self, field: int) -> str:
        """Return the text in a field that must be there."""
        return self.values(field, bytes)[-1].decode()


def _entry(entries: Iterable[_ProtobufMessage], key: bytes) -> bytes:
    """Return what a map has under a key; empty if it has none."""
    found = [each.values(2, bytes) for each in entries if each.values(1, bytes) == [key]]
    return found[-1][-1] if found and found[-1] else b""


def encoded(message: Iterable[Field]) -> bytes:
    """Encode a protobuf message whose fields are numbers or bytes."""
    return b"".join(
        _varint(number << 3 | _VARINT) + _varint(value)
        if isinstance(value, int)
        else _varint(number << 3 | _BYTES) + _varint(len(value)) + value
        for number, value in message
    )


@contextmanager
def _parsing(path: Path, footer: struct.Struct) -> Iterator[bytes]:
    content = path.read_bytes()
    if not content:
        raise DamagedFile("is empty")
    if len(content) < footer.size or content[-4:] != _MAGIC:
        raise DamagedFile("is cut short or damaged")
    try:
        yield content
    except (struct.error, IndexError, ValueError, OverflowError, OSError) as error:
        raise DamagedFile("is damaged") from error


def _sized(content: bytes, place: int) -> _ProtobufMessage:
    """Return the message at a place, which begins with its length."""
    start = place + _LENGTH.size
    (size,) = _LENGTH.unpack(content[place:start])
    if start + size > len(content):
        raise DamagedFile("is damaged")
    return _ProtobufMessage(content[start : start + size])


def _fragment(message: _ProtobufMessage) -> Fragment:
    number, rows, deletions = message.number(_NUMBER), message.number(_ROWS), None
    for each in message.messages(_DELETIONS):
        ending = "bin" if each.number(1) else "arrow"
        name = f"{number}-{each.number(2)}-{each.number(3)}.{ending}"
        deletions = Part(f"_deletions/{name}")
        rows -= each.number(4)
    files = (
        Part(f"data/{each.text(1)}", each.number(6) or None) for each in message.messages(_FILES)
    )
    return Fragment(number, tuple(files), deletions, rows, message.encoded)


def _index_files(section: _ProtobufMessage) -> Iterator[Part]:
    for index in section.messages(1):
        for file in index.messages(_INDEX_FILES):
            path = f"_indices/{_index_name(index)}/{file.text(1)}"
            yield Part(path, file.number(2) or None)


def _index_name(index: _ProtobufMessage) -> UUID:
    return UUID(bytes=index.messages(1)[-1].values(1, bytes)[-1])


def _fields(message: bytes) -> Iterator[Field]:
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _read_varint(message, at)
            yield key >> 3, value
            continue
        size, at = _read_varint(message, at) if kind == _BYTES else (_FIXED_SIZES.get(kind), at)
        if size is None or at + size > len(message):
            raise DamagedFile("is damaged")
        yield key >> 3, message[at : at + size]
        at += size


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(message[at : at + 10]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:  # noqa: PLR2004 - the last byte has no high bit
            return value, at + shift + 1
    raise DamagedFile("is damaged")


def _varint(value: int) -> bytes:
    if value < 128:  # noqa: PLR2004 - seven bits a byte
        return bytes([value])
    return bytes([value & 127 | 128]) + _varint(value >> 7)
