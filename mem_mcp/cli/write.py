"""mem-mcp remember, forget."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, cast

import typer

from mem_mcp.api.models import ForgetResult, Infer, RememberResult
from mem_mcp.cli.options import (
    Agent,
    FilterText,
    IdempotencyKey,
    Json,
    Metadata,
    OccurredAt,
    Run,
    Tags,
    User,
    json_object,
)
from mem_mcp.cli.output import counted, one_line, show
from mem_mcp.cli.session import run
from mem_mcp.errors import InvalidInput


def remember(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to store; - reads stdin.")],
    user: User = "",
    agent: Agent = "",
    run_id: Run = "",
    kind: Annotated[str, typer.Option(help="fact, message or procedure.")] = "",
    tag: Tags = None,
    metadata: Metadata = "",
    occurred_at: OccurredAt = "",
    expires_at: Annotated[
        str, typer.Option(metavar="TIME", help="When to stop recalling it.")
    ] = "",
    infer: Annotated[
        str, typer.Option(help="always: let the language model extract facts; auto, never.")
    ] = "auto",
    instructions: Annotated[str, typer.Option(help="Extra rules for that.")] = "",
    idempotency_key: IdempotencyKey = "",
    as_json: Json = False,
) -> None:
    """Store a text, once."""
    content = _stdin() if text == "-" else text
    fields = json_object(metadata, "metadata")
    result = run(
        lambda memory: memory.remember(
            content,
            kind=kind,
            tags=tag,
            metadata=fields,
            occurred_at=occurred_at,
            expires_at=expires_at,
            infer=cast("Infer", infer),
            instructions=instructions,
            idempotency_key=idempotency_key,
            user_id=user,
            agent_id=agent,
            run_id=run_id,
        )
    )
    show(result, _remembered, as_json=as_json)


def forget(
    memory_id: Annotated[
        str, typer.Argument(metavar="[MEMORY_ID]", help="Which; or use --filters.")
    ] = "",
    filters: FilterText = "",
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Forget what --filters match; without, only count.")
    ] = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete every version, history too.")
    ] = False,
    user: User = "",
    agent: Agent = "",
    run_id: Run = "",
    as_json: Json = False,
) -> None:
    """Stop recalling a memory, or all that match.

    Its history stays, unless it is purged.
    """
    conditions = json_object(filters, "filters")
    result = run(
        lambda memory: memory.forget(
            memory_id,
            filters=conditions,
            confirm=confirm,
            purge=purge,
            user_id=user,
            agent_id=agent,
            run_id=run_id,
        )
    )
    show(result, _forgotten, as_json=as_json)


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise InvalidInput("TEXT", f"stdin is not UTF-8 (byte {error.start})") from error


def _remembered(result: RememberResult) -> Iterator[str]:
    for one in result.results:
        yield f"{'stored as' if one.event == 'ADD' else 'known already as'} {one.memory_id}"
        for near in one.similar:
            yield f"  similar ({near.score:.2f}): {one_line(near.text, 100)}  [{near.memory_id}]"


def _forgotten(result: ForgetResult) -> Iterator[str]:
    if not result.dry_run:
        yield f"{counted(result.forgotten)} forgotten"
        return
    yield f"{counted(result.forgotten)} would be forgotten; repeat with --confirm to forget them"
    yield from (f"  {memory_id}" for memory_id in result.memory_ids)
