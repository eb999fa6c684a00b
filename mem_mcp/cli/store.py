"""mem-mcp stats, maintain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mem_mcp.cli.options import Json
from mem_mcp.cli.output import counted, show, size
from mem_mcp.cli.session import run
from mem_mcp.models import Maintained, Stats


def stats(as_json: Json = False) -> None:
    """Count what the store holds."""
    result = run(lambda memory: memory.stats())
    show(result, _stats, as_json=as_json)


def maintain(as_json: Json = False) -> None:
    """Compact the store and bring its indices up to date.

    What has no vector is embedded. The server does all this by itself from time to time.
    """
    result = run(lambda memory: memory.maintain())
    show(result, _maintained, as_json=as_json)


def _stats(found: Stats) -> Iterator[str]:
    yield f"store     {found.location}, {size(found.data_bytes)}, commit {found.table_version}"
    yield (
        f"memories  {found.memories:,} of {counted(found.users, 'user', 'users')}; "
        f"{counted(found.versions, 'version', 'versions')} in all"
    )
    yield f"kinds     {_counts(found.by_kind)}"
    yield f"status    {_counts(found.by_status)}"
    yield f"embedder  {found.embedder or 'cannot work; mem-mcp doctor says why'}"
    if found.without_vector:
        yield f"no vector {found.without_vector:,}; mem-mcp maintain embeds them"


def _counts(by: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in by.items()) or "-"


def _maintained(done: Maintained) -> Iterator[str]:
    if done.embedded:
        yield f"embedded   {counted(done.embedded)}"
    if not done.ran:
        yield f"left alone: {done.reason}"
        return
    yield f"files      {done.files_before:,} -> {done.files_after:,}"
    yield f"directory  {size(done.bytes_before)} -> {size(done.bytes_after)}"
