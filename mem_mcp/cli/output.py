"""What commands print: JSON for programs, short lines for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

import typer
from pydantic import BaseModel

from mem_mcp.api.models import LLMUsage
from mem_mcp.text import said_by

T = TypeVar("T", bound=BaseModel)
_CENT = 0.01


def show(result: T, lines: Callable[[T], Iterable[str]], *, as_json: bool) -> None:
    """Print a result.

    Args:
        result: what to print.
        lines: makes the lines for people.
        as_json: print one line of JSON instead.
    """
    if as_json:
        # As bytes: programs are promised UTF-8, whatever the terminal speaks.
        typer.echo(result.model_dump_json().encode())
        return
    for line in lines(result):
        typer.echo(line)
    for note in getattr(result, "degraded", ()):
        typer.echo(f"note: {note}", err=True)


def one_line(text: str, longest: int = 0) -> str:
    """Put a stored text on one line; what would steer the terminal is replaced.

    Args:
        text: what is stored.
        longest: cut to so many characters; 0 for all.
    """
    line = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for char in " ".join(text.split())
    )
    return line if not longest or len(line) <= longest else f"{line[: longest - 1]}…"


def said(actor_id: str | None, text: str, longest: int = 0) -> str:
    """Name the speaker before the text of a message."""
    return one_line(said_by(actor_id, text), longest)


def day(moment: datetime) -> str:
    """Write the date of a time, in UTC."""
    return f"{moment:%Y-%m-%d}"


def minute(moment: datetime) -> str:
    """Write a time to the minute, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M}Z"


def size(count: int | None) -> str:
    """Write a number of bytes; None is unknown."""
    return "?" if count is None else f"{count / 1e6:,.1f} MB"


def counted(number: int, thing: str = "memory", things: str = "memories") -> str:
    """Write a number with its noun."""
    return f"{number:,} {thing if number == 1 else things}"


def spent(used: LLMUsage) -> str:
    """Write tokens, sent and received, and cost."""
    tokens = [f"{count:,}" for count in (used.input_tokens, used.output_tokens) if count]
    cost = "cost unknown" if used.cost_usd is None else f"{_amount(used.cost_usd)} dollars"
    return f"{' + '.join(tokens)} tokens, {cost}" if tokens else cost


def _amount(dollars: float) -> str:
    # One call may cost a millionth: two digits that say something, never an exponent.
    return f"{dollars:,.2f}" if dollars >= _CENT else f"{Decimal(f'{dollars:.2g}'):f}"
