"""mem-mcp evaluate: how good recall is on a data set."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mem_mcp.cli.options import Json
from mem_mcp.cli.output import show

if TYPE_CHECKING:
    from mem_mcp.evaluation import Report


def evaluate(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="locomo")],
    data: Annotated[
        Path, typer.Option("--data", metavar="FILE", help="The data set, in its original format.")
    ],
    as_json: Json = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Also write SUITE.json and SUITE.md there."),
    ] = None,
    first: Annotated[
        int | None, typer.Option("--first", help="A quick run: only so many conversations.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the bootstrap intervals.")] = 0,
) -> None:
    """Measure recall on a data set, in a store of its own that is deleted afterwards."""
    from mem_mcp import evaluation  # noqa: PLC0415 - the other commands start without it
    from mem_mcp.evaluation import render  # noqa: PLC0415

    if output:
        output.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    with _bar(suite) as progress:
        report = asyncio.run(
            evaluation.evaluate(suite, data, seed=seed, first=first, progress=progress)
        )
    if output:
        _write(report, render.markdown(report), output)
    show(report, lambda result: [render.text(result)], as_json=as_json)


def _write(report: Report, page: str, folder: Path) -> None:
    content = report.model_dump_json(indent=2) + "\n"
    (folder / f"{report.suite}.json").write_text(content, encoding="utf-8")
    (folder / f"{report.suite}.md").write_text(page, encoding="utf-8")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress on a terminal."""
    with typer.progressbar(
        length=1, label=label, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:

        def show_steps(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show_steps
