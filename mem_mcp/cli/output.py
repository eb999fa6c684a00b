"""Print results: JSON for programs, short lines for people."""

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
    """Print a result on stdout; for people also the notes of its `degraded`, on stderr.

    Args:
        result: the result.
        lines: returns the lines for people.
        as_json: print one line of JSON instead.
    """
    if as_json:
        # As bytes, so that it is UTF-8 whatever the encoding of the terminal.
        typer.echo(result.model_dump_json().encode())
        return
    for line in lines(result):
        typer.echo(line)
    for note in getattr(result, "degraded", ()):
        typer.echo(f"note: {note}", err=True)


def one_line(text: str, longest: int = 0) -> str:
    """Return a stored text on one line, with control characters replaced.

    Args:
        text: the stored text.
        longest: maximum number of characters; 0 for no limit.
    """
    line = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for char in " ".join(text.split())
    )
    return line if not longest or len(line) <= longest else f"{line[: longest - 1]}…"


def said(actor_id: str | None, text: str, longest: int = 0) -> str:
    """Return a message on one line, after its speaker's name; see `one_line`."""
    return one_line(said_by(actor_id, text), longest)


def day(moment: datetime) -> str:
    """Return the date of a UTC time."""
    return f"{moment:%Y-%m-%d}"


def minute(moment: datetime) -> str:
    """Return a UTC time, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M}Z"


def size(count: int | None) -> str:
    """Return a number of bytes in MB; "?" for None, which is unknown."""
    return "?" if count is None else f"{count / 1e6:,.1f} MB"


def counted(number: int, thing: str = "memory", things: str = "memories") -> str:
    """Return a number with its noun in the singular or plural."""
    return f"{number:,} {thing if number == 1 else things}"


def spent(usage: LLMUsage) -> str:
    """Return the tokens, input + output, and the cost in dollars."""
    tokens = [f"{count:,}" for count in (usage.input_tokens, usage.output_tokens) if count]
    cost = "cost unknown" if usage.cost_usd is None else f"{_amount(usage.cost_usd)} dollars"
    return f"{' + '.join(tokens)} tokens, {cost}" if tokens else cost


def _amount(dollars: float) -> str:
    # A call may cost a millionth of a dollar: two significant digits, without an exponent.
    return f"{dollars:,.2f}" if dollars >= _CENT else f"{Decimal(f'{dollars:.2g}'):f}"
