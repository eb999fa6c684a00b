"""Options that several commands share."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from mem_mcp.errors import InvalidInput

User = Annotated[str, typer.Option("--user", help="Whose memory; empty: the default user.")]
Agent = Annotated[str, typer.Option("--agent", help="Of which agent; empty on reads: any.")]
Run = Annotated[str, typer.Option("--run", help="Of which conversation; empty on reads: any.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help="fact, message, procedure, outcome or lesson; repeat for any of."),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag; repeat for several.")]
FilterText = Annotated[
    str,
    typer.Option(
        "--filters",
        metavar="JSON",
        help="""Conditions, like '{"metadata.team": {"in": ["a", "b"]}}'.""",
    ),
]
Metadata = Annotated[str, typer.Option(metavar="JSON", help="Your own fields, for filters.")]
OccurredAt = Annotated[
    str, typer.Option(metavar="TIME", help="When it happened, ISO 8601 with time zone.")
]
IdempotencyKey = Annotated[
    str,
    typer.Option(
        "--idempotency-key",
        "--key",
        metavar="KEY",
        help="A repeat with the same key is not stored twice.",
    ),
]
Since = Annotated[
    str, typer.Option(metavar="TIME", help="Occurred then or later; ISO 8601 with time zone.")
]
MaxTokens = Annotated[int, typer.Option(help="Budget for their texts; 0: none.")]
IncludeGlobal = Annotated[
    bool, typer.Option("--global/--no-global", help="Also what all users share.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, on one line.")]
MemoryId = Annotated[str, typer.Argument(metavar="MEMORY_ID", help="From recall or list.")]


def json_object(text: str, option: str) -> dict[str, Any] | None:
    """Read the JSON object of an option; None where it was not given."""
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"--{option}", f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"--{option}", """must be a JSON object, like '{"key": "value"}'""")
    return value
