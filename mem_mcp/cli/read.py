"""mem-mcp recall, list, get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from mem_mcp.api.models import GetResult, ListResult, Memory, RecallResult
from mem_mcp.cli.answers import memory_lines, recall_line
from mem_mcp.cli.options import (
    Agent,
    FilterText,
    IncludeGlobal,
    Json,
    Kinds,
    MaxTokens,
    MemoryId,
    Run,
    Since,
    Tags,
    User,
    json_object,
)
from mem_mcp.cli.output import counted, day, minute, one_line, said, show
from mem_mcp.cli.session import run


def recall(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question, in plain words.")],
    limit: Annotated[int, typer.Option(help="At most so many, 1..200.")] = 10,
    max_tokens: MaxTokens = 0,
    kind: Kinds = None,
    tag: Tags = None,
    filters: FilterText = "",
    since: Since = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Occurred then or earlier.")] = "",
    as_of: Annotated[
        str, typer.Option(metavar="TIME", help="Answer as it would have been then.")
    ] = "",
    min_score: Annotated[float, typer.Option(help="Leave out what is less relevant, 0..1.")] = 0.0,
    include_global: IncludeGlobal = True,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the parts of each score, and its marks.")
    ] = False,
    user: User = "",
    agent: Agent = "",
    run_id: Run = "",
    as_json: Json = False,
) -> None:
    """Find memories by meaning and words, best first."""
    conditions = json_object(filters, "filters")
    result = run(
        lambda memory: memory.recall(
            query,
            limit=limit,
            max_tokens=max_tokens,
            kinds=kind,
            tags=tag,
            filters=conditions,
            since=since,
            until=until,
            as_of=as_of,
            min_score=min_score,
            include_global=include_global,
            explain=explain,
            user_id=user,
            agent_id=agent,
            run_id=run_id,
        )
    )
    show(result, _recalled, as_json=as_json)


def list_memories(
    filters: FilterText = "",
    kind: Kinds = None,
    tag: Tags = None,
    limit: Annotated[int, typer.Option(help="Memories of a page, 1..200.")] = 50,
    cursor: Annotated[str, typer.Option(help="The next page, as the last one named it.")] = "",
    order: Annotated[str, typer.Option(help="newest or oldest first.")] = "newest",
    user: User = "",
    agent: Agent = "",
    run_id: Run = "",
    as_json: Json = False,
) -> None:
    """List memories by the time they were recorded."""
    conditions = json_object(filters, "filters")
    result = run(
        lambda memory: memory.list_memories(
            filters=conditions,
            kinds=kind,
            tags=tag,
            limit=limit,
            cursor=cursor,
            order=order,
            user_id=user,
            agent_id=agent,
            run_id=run_id,
        )
    )
    show(result, _listed, as_json=as_json)


def get_memory(
    memory_id: MemoryId,
    history: Annotated[
        bool, typer.Option("--history", help="All versions, also of a forgotten memory.")
    ] = False,
    user: User = "",
    agent: Agent = "",
    run_id: Run = "",
    as_json: Json = False,
) -> None:
    """Show every field of a memory."""
    result = run(
        lambda memory: memory.get_memory(
            memory_id, history=history, user_id=user, agent_id=agent, run_id=run_id
        )
    )
    show(result, _got, as_json=as_json)


def _recalled(result: RecallResult) -> Iterator[str]:
    if not result.memories:
        yield "nothing found"
    for memory in result.memories:
        yield from memory_lines(memory)
    yield recall_line(result.recall_id)


def _listed(result: ListResult) -> Iterator[str]:
    for memory in result.memories:
        state = "" if memory.status == "active" else f"{memory.status}, "
        text = said(memory.actor_id, memory.text, 100)
        yield f"{memory.memory_id}  {day(memory.occurred_at)}  {state}{memory.kind}  {text}"
    yield f"{len(result.memories):,} of {counted(result.total)}"
    if result.next_cursor:
        yield f"next page: --cursor {result.next_cursor}"


def _got(result: GetResult) -> Iterator[str]:
    filled = result.memory.model_dump(mode="json", exclude_defaults=True)
    width = max(map(len, filled))
    yield from (f"{name:<{width}}  {one_line(str(value))}" for name, value in filled.items())
    if result.versions:
        yield "history"
        yield from map(_version, result.versions)


def _version(memory: Memory) -> str:
    why = f" ({one_line(memory.reason)})" if memory.reason else ""
    when = minute(memory.recorded_at)
    return f"  v{memory.version} {memory.event:<6} {when}  {one_line(memory.text, 100)}{why}"
