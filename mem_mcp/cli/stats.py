"""mem-mcp stats: print what the store holds, and optionally draw its trends."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mem_mcp.cli.commands import Json
from mem_mcp.cli.output import show
from mem_mcp.cli.session import run
from mem_mcp.cli.stats_plot import check_plot, draw
from mem_mcp.cli.stats_text import stats_lines


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
