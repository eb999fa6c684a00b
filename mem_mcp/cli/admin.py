"""mem-mcp stats, maintain, reprocess, why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from mem_mcp.api.models import Maintained, Reprocessed, Why
from mem_mcp.cli.answers import sum_of
from mem_mcp.cli.options import Json, MemoryId, User
from mem_mcp.cli.output import counted, one_line, show, size
from mem_mcp.cli.session import run
from mem_mcp.cli.spent import spent
from mem_mcp.cli.stats_plot import check_plot, draw
from mem_mcp.cli.stats_text import stats_lines

_MOST_SHOWN = 20


def stats(
    as_json: Json = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE.svg", help="Also draw feedback and success by week."),
    ] = None,
) -> None:
    """Count what the store holds, and how its memories are used."""
    if plot:
        check_plot(plot)
    result = run(lambda memory: memory.stats())
    if plot:
        draw(result.learning, plot)
    show(result, stats_lines, as_json=as_json)


def maintain(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compact the store, and archive what has expired or harms.

    Indices are brought up to date, and what has no vector is embedded; the server does that much
    by itself from time to time. What is archived comes back with update_memory.
    """
    result = run(lambda memory: memory.maintain(dry_run=dry_run))
    show(result, _maintained, as_json=as_json)


def reprocess(
    pending: Annotated[
        bool, typer.Option("--pending/--no-pending", help="What waits for the model.")
    ] = True,
    outcomes: Annotated[
        bool, typer.Option("--outcomes", help="Also outcomes that a model judged, again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let the language model read what had to wait for it."""
    result = run(lambda memory: memory.reprocess(pending=pending, outcomes=outcomes))
    show(result, _reprocessed, as_json=as_json)
    if result.waiting and pending:
        raise typer.Exit(1)


def why(
    recall_id: Annotated[str, typer.Argument(metavar="RECALL_ID", help="From recall.")],
    memory_id: MemoryId,
    user: User = "",
    as_json: Json = False,
) -> None:
    """Say why a memory was, or was not, in an answer."""
    result = run(lambda memory: memory.why(recall_id, memory_id, user_id=user))
    show(result, _why, as_json=as_json)


def _maintained(done: Maintained) -> Iterator[str]:
    would = "would be " if done.dry_run else ""
    if done.embedded:
        yield f"{would}embedded  {counted(done.embedded)}"
    if done.archived or done.dry_run:
        yield f"{would}archived  {counted(len(done.archived))}"
    for one in done.archived[:_MOST_SHOWN]:
        yield f"  {one.memory_id}  {one_line(one.text, 60)}"
        yield f"    {one_line(one.reason.removeprefix('archived: '))}"
    if len(done.archived) > _MOST_SHOWN:
        yield f"  and {len(done.archived) - _MOST_SHOWN:,} more; --json names all"
    if done.pruned_traces:
        yield f"{would}dropped   {counted(done.pruned_traces, 'old trace', 'old traces')}"
    if not done.ran:
        yield "nothing was changed" if done.dry_run else f"left alone: {done.reason}"
        return
    yield f"files      {done.files_before:,} -> {done.files_after:,}"
    yield f"directory  {size(done.bytes_before)} -> {size(done.bytes_after)}"


def _reprocessed(done: Reprocessed) -> Iterator[str]:
    yield f"read     {counted(done.processed, 'request', 'requests')}"
    yield f"waiting  {counted(done.waiting)}"
    if done.llm:
        yield f"model    {counted(done.llm.calls, 'call', 'calls')}, {spent(done.llm)}"
    yield from (f"  {one_line(note)}" for note in done.degraded)


def _why(answer: Why) -> Iterator[str]:
    yield one_line(answer.verdict)
    yield f"  question  {one_line(answer.query, 200)}"
    if answer.scores:
        yield f"  score     {answer.score:.3f} = {sum_of(answer.scores)}"
    yield from (f"  {one_line(detail)}" for detail in answer.details)
