"""mem-mcp import, export: read and write memories as JSON Lines, one memory per line."""

from __future__ import annotations

import codecs
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from pydantic import BaseModel

import mem_mcp
from mem_mcp.api.models import ImportResult
from mem_mcp.cli.commands import Json, User
from mem_mcp.cli.output import counted, one_line, show
from mem_mcp.cli.progress import bar
from mem_mcp.cli.session import run
from mem_mcp.errors import MemError


class Exported(BaseModel):
    """The result of an export."""

    exported: int
    """Memories, each with all its versions."""
    degraded: list[str] = []
    """What could not be read, and how to repair it."""


def import_memories(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON Lines; - reads stdin.")],
    user: Annotated[str, typer.Option("--user", help="Owner of lines that name none.")] = "",
    as_json: Json = False,
) -> None:
    """Store the memories of a file, one a line of JSON.

    A bad line is named and skipped; the exit code is then 1.
    """
    with _source(file) as source, bar("importing") as progress:
        lines = _lines(source, _bytes(file), progress)
        result = run(lambda memory: memory.import_lines(lines, user_id=user))
    show(result, _imported, as_json=as_json)
    if result.errors:
        raise typer.Exit(1)


def export_memories(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Written whole or not at all; - prints.")
    ],
    user: User = "",
    since: Annotated[
        str, typer.Option("--since", help="Only memories that changed then or later.")
    ] = "",
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", "--kinds", help="Only these; may be repeated.")
    ] = None,
    traces: Annotated[bool, typer.Option("--traces", help="Also what was recalled.")] = False,
    as_json: Json = False,
) -> None:
    """Write all memories and their history.

    Each version is a line of JSON, and so is each mark. Everybody's, unless a user is named. An
    import of it into an empty store gives the same answers, and one into any other adds what is
    missing there. Of a damaged store what can be read is written, and the exit code is then 1.
    """
    asked = {"user_id": user, "since": since, "kinds": kinds, "traces": traces}
    with _target(file) as target:
        result = run(lambda memory: _export(memory, target, asked), any_embedder=True)
    if file != "-":
        show(result, lambda r: [f"{counted(r.exported)} exported to {file}"], as_json=as_json)
    elif result.degraded:
        show(result, lambda _: [], as_json=False)  # its notes; the memories are on stdout
    if result.degraded:
        raise typer.Exit(1)


async def _export(memory: mem_mcp.AsyncMemory, target: BinaryIO, asked: dict[str, Any]) -> Exported:
    total = 0 if any(asked.values()) else (await memory.stats()).versions
    done, ids = 0, set[str]()
    with bar("exporting") as progress:
        async for line in memory.export_lines(**asked):
            target.write(line.encode() + b"\n")
            if memory_id := json.loads(line).get("memory_id"):
                done += 1
                ids.add(memory_id)
                progress(done, total)
    return Exported(exported=len(ids), degraded=memory.damage)


@contextmanager
def _source(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        # asyncio's handler runs in the event loop, which a read of stdin blocks.
        signal.signal(signal.SIGINT, _interrupt)
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _bytes(name: str) -> int:
    """Return the size of a file in bytes; 0 for stdin, whose size is unknown."""
    return 0 if name == "-" else Path(name).stat().st_size


def _lines(file: BinaryIO, total: int, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    done = 0
    for line in file:
        yield line if done else line.removeprefix(codecs.BOM_UTF8)
        done += len(line)
        progress(done, total)


@contextmanager
def _target(name: str) -> Iterator[BinaryIO]:
    """Open a file for writing: a temporary file beside it, which replaces it when complete."""
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name).resolve()
    if path.exists() and not path.is_file():
        raise MemError(f"{name}: is not a file; name one, or - to print")
    if not path.parent.is_dir():
        raise MemError(f"{name}: there is no folder {path.parent}")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(handle)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _imported(result: ImportResult) -> Iterator[str]:
    for error in result.errors:
        yield f"line {error.line}: {one_line(error.error)}"
    duplicates, bad = result.duplicates, len(result.errors)
    yield f"{counted(result.imported)} imported, {duplicates:,} known already, {bad:,} bad"
