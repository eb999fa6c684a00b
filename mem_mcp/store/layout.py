"""What a table consists of on the disk: its manifests and the files that they name.

LanceDB does not tell which of its files is damaged, and opens nothing without a whole manifest. The
few fields that are needed are read here from Lance's protobuf messages (format 2, `table.proto` and
`file2.proto`); what is not understood counts as not whole.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

Field: TypeAlias = tuple[int, "int | bytes"]

_MAGIC = b"LANC"
_FOOTER = struct.Struct("<QHH4s")
_DATA_FOOTER = struct.Struct("<QQQIIHH4s")
_LENGTH = struct.Struct("<I")
_NEWEST = 2**64 - 1
_REVERSED_DIGITS = 20
# Fields of the message Manifest.
_FIELDS, _FRAGMENTS, _VERSION, _INDICES, _TIME, _MOST_FRAGMENT = 1, 2, 3, 6, 7, 11
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class NotWholeError(ValueError):
    """A file is not what it should be; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file that a manifest names: its path within the table, and its bytes where known."""

    path: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Fragment:
    """Some rows of a table: a file or more of columns, and which rows of them were deleted."""

    number: int
    files: tuple[Part, ...]
    deletions: Part | None
    rows: int
    """Those that are not deleted."""
    message: bytes

    def undeleted(self) -> Fragment:
        """Return the same with every row that was ever in it."""
        if self.deletions is None:
            return self
        return _fragment(encoded(each for each in fields(self.message) if each[0] != 3))  # noqa: PLR2004

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every file of it."""
        return (*self.files, self.deletions) if self.deletions else self.files


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a table."""

    path: Path
    version: int
    fragments: tuple[Fragment, ...]
    indices: tuple[Part, ...]
    written: datetime | None
    head: bytes
    """What the file has before the message, which refers to places in it."""
    message: tuple[Field, ...]

    def of_fragments(self, chosen: Iterable[Fragment]) -> bytes:
        """Return the content of a manifest of some fragments, without indices."""
        chosen = list(chosen)
        kept = [each for each in self.message if each[0] not in (_FRAGMENTS, _INDICES)]
        kept = [each for each in kept if each[0] != _MOST_FRAGMENT]
        kept += [(_FRAGMENTS, each.message) for each in chosen]
        kept += [(_MOST_FRAGMENT, max((each.number for each in chosen), default=0))]
        body = encoded(kept)
        return (
            self.head + _LENGTH.pack(len(body)) + body + _FOOTER.pack(len(self.head), 0, 2, _MAGIC)
        )

    def with_columns(self, columns: Iterable[bytes]) -> Manifest:
        """Return the same with other columns."""
        others = [each for each in self.message if each[0] != _FIELDS]
        return replace(self, message=(*((_FIELDS, each) for each in columns), *others))


def manifest_files(table: Path) -> list[tuple[int, Path]]:
    """Return the number and the file of each version of a table, newest first."""
    found = []
    for path in (table / "_versions").glob("*.manifest"):
        if path.stem.isascii() and path.stem.isdigit():
            number = int(path.stem)
            # Newer tables count down, so that the newest version is the first of a listing.
            counted_down = len(path.stem) == _REVERSED_DIGITS
            found.append((_NEWEST - number if counted_down else number, path))
    return sorted(found, reverse=True)


def hinted_version(table: Path) -> int:
    """Return the newest version that a table noted; 0 where nothing is noted."""
    try:
        noted = json.loads((table / "_versions" / "latest_version_hint.json").read_bytes())
        return int(noted["version"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def read_manifest(path: Path, version: int) -> Manifest:
    """Read the manifest of a version.

    Raises:
        NotWholeError: it is cut, empty, or not one.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    _check_end(content, _FOOTER.size)
    try:
        return _manifest(path, content, version)
    except (KeyError, struct.error) as error:
        raise NotWholeError("is damaged") from error


def _check_end(content: bytes, least: int) -> None:
    if not content:
        raise NotWholeError("is empty")
    if len(content) < least or content[-4:] != _MAGIC:
        raise NotWholeError("is cut short or damaged")


def _manifest(path: Path, content: bytes, version: int) -> Manifest:
    place = _FOOTER.unpack(content[-_FOOTER.size :])[0]
    message = tuple(fields(_sized(content, place)))
    for number, column in message:
        if number == _FIELDS:
            dict(fields(_bytes(column)))
    numbers = dict(message)
    if numbers.get(_VERSION) != version:
        raise NotWholeError("is not of the version in its name")
    indices = _indices(_sized(content, _number(numbers[_INDICES]))) if _INDICES in numbers else ()
    return Manifest(
        path=path,
        version=version,
        fragments=tuple(_fragment(_bytes(each)) for n, each in message if n == _FRAGMENTS),
        indices=tuple(indices),
        written=_time(_bytes(numbers.get(_TIME, b""))),
        head=content[:place],
        message=message,
    )


def fragment_of(number: int, path: Path) -> tuple[Fragment, list[bytes]]:
    """Lay out a fragment of one file of rows that no manifest names; also return its columns.

    Raises:
        NotWholeError: the file is damaged.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    _check_end(content, _DATA_FOOTER.size)
    try:
        columns, rows = _described(content)
        described = [dict(fields(each)) for each in columns]
    except (KeyError, struct.error) as error:
        raise NotWholeError("is damaged") from error
    groups = {each.get(4) for each in described}  # of lists and structs only the leaves are stored
    leaves = [each.get(3, 0) for each in described if each.get(3, 0) not in groups]
    file = encoded(
        [
            (1, path.name.encode()),
            (2, b"".join(_varint(_number(each)) for each in leaves)),
            (3, b"".join(_varint(place) for place in range(len(leaves)))),
            (4, 2),
            (5, 2),
        ]
    )
    return _fragment(encoded([(1, number), (2, file), (4, rows)])), columns


def _described(content: bytes) -> tuple[list[bytes], int]:
    """Return what a file of rows says of itself: its columns, and how many rows it has."""
    _, _, buffers, *_ = _DATA_FOOTER.unpack(content[-_DATA_FOOTER.size :])
    place, size = struct.unpack_from("<QQ", content, buffers)
    described = dict(fields(content[place : place + size]))
    columns = [_bytes(each) for n, each in fields(_bytes(described[1])) if n == 1]
    return columns, _number(described.get(2, 0))


def fields(message: bytes) -> Iterator[Field]:
    """Yield each field of a protobuf message: its number and its value.

    Raises:
        NotWholeError: it is none.
    """
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        if key & 7 == _VARINT:
            value, at = _read_varint(message, at)
            yield key >> 3, value
            continue
        if key & 7 == _BYTES:
            size, at = _read_varint(message, at)
        elif key & 7 in (_FIXED64, _FIXED32):
            size = 8 if key & 7 == _FIXED64 else 4
        else:
            raise NotWholeError("is damaged")
        if at + size > len(message):
            raise NotWholeError("is damaged")
        yield key >> 3, message[at : at + size]
        at += size


def encoded(message: Iterable[Field]) -> bytes:
    """Write a protobuf message of numbers and of what has a length."""
    parts = []
    for number, value in message:
        if isinstance(value, int):
            parts += [_varint(number << 3 | _VARINT), _varint(value)]
        else:
            parts += [_varint(number << 3 | _BYTES), _varint(len(value)), value]
    return b"".join(parts)


def _fragment(message: bytes) -> Fragment:
    found = list(fields(message))
    number, rows = _number(dict(found).get(1, 0)), _number(dict(found).get(4, 0))
    files = []
    for n, each in found:
        if n == 2:  # noqa: PLR2004 - the field's number
            file = dict(fields(_bytes(each)))
            size = _number(file.get(6, 0)) or None
            files.append(Part(f"data/{_text(file[1])}", size))
    deletions = None
    if deleted := dict(found).get(3):
        deletions = _deletions(number, _bytes(deleted))
        rows -= _number(dict(fields(_bytes(deleted))).get(4, 0))
    return Fragment(number, tuple(files), deletions, rows, message)


def _deletions(fragment: int, message: bytes) -> Part:
    found = dict(fields(message))
    ending = "bin" if found.get(1, 0) else "arrow"
    read, name = (_number(found.get(each, 0)) for each in (2, 3))
    return Part(f"_deletions/{fragment}-{read}-{name}.{ending}")


def _indices(section: bytes) -> Iterator[Part]:
    for _, each in fields(section):
        index = list(fields(_bytes(each)))
        name = _uuid(_bytes(dict(fields(_bytes(dict(index)[1])))[1]))
        for n, file in index:
            if n == 10:  # noqa: PLR2004 - the field's number
                found = dict(fields(_bytes(file)))
                yield Part(f"_indices/{name}/{_text(found[1])}", _number(found.get(2, 0)) or None)


def _time(message: bytes) -> datetime | None:
    seconds = _number(dict(fields(message)).get(1, 0))
    try:
        return datetime.fromtimestamp(seconds, tz=UTC) if seconds else None
    except (ValueError, OverflowError, OSError) as error:
        raise NotWholeError("is damaged") from error


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _sized(content: bytes, place: int) -> bytes:
    if place + _LENGTH.size > len(content):
        raise NotWholeError("is damaged")
    (size,) = _LENGTH.unpack_from(content, place)
    start = place + _LENGTH.size
    if start + size > len(content):
        raise NotWholeError("is damaged")
    return content[start : start + size]


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:  # noqa: PLR2004 - ten bytes at most
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the last byte has no high bit
            return value, at
        shift += 7
    raise NotWholeError("is damaged")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise NotWholeError("is damaged")
    return value


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise NotWholeError("is damaged")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise NotWholeError("is damaged") from error
