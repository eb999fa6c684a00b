"""mem-mcp backup, restore: a copy of the whole store in a folder, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mem_mcp.cli.commands import Json
from mem_mcp.cli.output import counted, show, size
from mem_mcp.cli.progress import bar
from mem_mcp.config import load_settings
from mem_mcp.config.paths import local_path
from mem_mcp.errors import MemError, StoreError

if TYPE_CHECKING:
    from mem_mcp.store import BackupReport


def backup(
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help="A folder that is new or empty.")
    ],
    as_json: Json = False,
) -> None:
    """Copy the whole store to a folder.

    Others may go on writing meanwhile: it holds the store as it is at one moment, and all that was
    confirmed before. A list with checksums is in it, by which a restore knows that it is whole.
    """
    from mem_mcp.store import back_up  # noqa: PLC0415 - imports LanceDB

    target = _folder("DEST", destination)
    with bar("copying") as progress:
        report = asyncio.run(back_up(_store(), target, progress))
    show(report, _backed_up, as_json=as_json)


def restore(
    source: Annotated[str, typer.Argument(metavar="SRC", help="The folder of a backup.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up the store that is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the store from a backup.

    Every file of it is checked first. No other process may have the store open.
    """
    from mem_mcp import store  # noqa: PLC0415 - imports LanceDB

    place = _folder("SRC", source)
    with bar("copying") as progress:
        work = store.restore(place, _store(), replace=replace, progress=progress)
        report = asyncio.run(work)
    show(report, _restored, as_json=as_json)


def _folder(argument: str, text: str) -> Path:
    if "://" in text:
        raise MemError(f"{argument}: {text} is an address; name a folder, and copy that there")
    try:
        return local_path(text)
    except ValueError as error:
        raise MemError(f"{argument}: {error}") from error


def _store() -> Path:
    settings = load_settings()
    if settings.storage_uri:
        raise StoreError(
            f"storage_uri: {settings.storage_uri} is not on this machine",
            "mem-mcp export writes all of it, or copy its objects while nothing writes",
        )
    return settings.data_dir


def _backed_up(report: BackupReport) -> Iterator[str]:
    yield f"{_amount(report)} of {report.store} copied to {report.backup}, and checked"
    yield f"as of {report.created_at:%Y-%m-%d %H:%M:%S}Z; mem-mcp restore makes the store from it"


def _restored(report: BackupReport) -> Iterator[str]:
    yield f"{_amount(report)} of {report.backup} checked and copied to {report.store}"
    yield f"it is as of {report.created_at:%Y-%m-%d %H:%M:%S}Z: what was purged since is back"


def _amount(report: BackupReport) -> str:
    return f"{counted(report.files, 'file', 'files')} ({size(report.bytes)})"
