"""What was installed where, so that just that can be taken away again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mem_mcp.clients import files
from mem_mcp.clients.edit import Edit, Unfit
from mem_mcp.errors import MemError

NAME = "clients.json"


class Record(BaseModel):
    """One entry that was put into one file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    client: str
    path: Path
    keys: tuple[str, ...]
    entry: dict[str, Any]
    start: int
    """Where in the text the change was."""
    inserted: str
    removed: str
    """What stood there before; an entry of the same name."""
    is_new_file: bool
    made_folders: list[Path]
    is_by_command: bool = False
    """Whether the client's own command put it there; what it changed is not known then."""

    @property
    def edit(self) -> Edit:
        """The change of the file's text."""
        return Edit(self.start, self.removed, self.inserted)


class _Content(BaseModel):
    version: int = 1
    records: list[Record] = []


class Installations:
    """The records, in a file of the data directory.

    Args:
        folder: the data directory, which need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def find(self, path: Path, keys: tuple[str, ...]) -> Record | None:
        """Return the record of an entry, if we put it there."""
        return next((one for one in self._read() if (one.path, one.keys) == (path, keys)), None)

    def of(self, client: str) -> list[Record]:
        """Return the records of a client's files."""
        return [one for one in self._read() if one.client == client]

    def clients(self) -> list[str]:
        """Return the names of the clients that have a record."""
        return [*dict.fromkeys(one.client for one in self._read())]

    def add(self, record: Record) -> None:
        """Keep a record; one that the same entry had is replaced."""
        self._write([*self._others(record.path, record.keys), record])

    def remove(self, path: Path, keys: tuple[str, ...]) -> None:
        """Forget the record of an entry."""
        if self.find(path, keys):
            self._write(self._others(path, keys))

    def _others(self, path: Path, keys: tuple[str, ...]) -> list[Record]:
        return [one for one in self._read() if (one.path, one.keys) != (path, keys)]

    def _read(self) -> list[Record]:
        try:
            text = files.read(self._path)
            return _Content.model_validate_json(text).records if text else []
        except (ValidationError, Unfit) as error:
            raise MemError(
                f"{self._path}: cannot be read; remove it, and take entries away by hand"
            ) from error

    def _write(self, records: list[Record]) -> None:
        text = _Content(records=records).model_dump_json(indent=1)
        files.write(self._path, text, files.read(self._path), keep_first=False)
