"""mem-mcp graph: what is stored around an entity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from mem_mcp.api.models import MENTIONED_WITH, GraphEdge, GraphResult
from mem_mcp.cli.options import Agent, Json, Run, User
from mem_mcp.cli.output import counted, one_line, show
from mem_mcp.cli.session import run

# Memories that are named behind an edge.
_MOST_IDS = 3


def graph(
    entity: Annotated[
        str, typer.Argument(metavar="ENTITY", help="A person, place, project or thing.")
    ],
    hops: Annotated[int, typer.Option(help="How far from it, 1..4.")] = 2,
    dot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it for Graphviz as well.")
    ] = None,
    user: User = "",
    agent: Agent = "",
    run_id: Run = "",
    as_json: Json = False,
) -> None:
    """Show the entities and relations around one.

    Each relation with the memories that say so.
    """
    result = run(
        lambda memory: memory.graph(entity, hops=hops, user_id=user, agent_id=agent, run_id=run_id),
        any_embedder=True,
    )
    if dot is not None:
        dot.write_text("\n".join([*_dot(result), ""]), encoding="utf-8")
    show(result, _lines, as_json=as_json)


def _lines(result: GraphResult) -> Iterator[str]:
    if not result.entities:
        yield "no memory speaks of it"
        return
    yield from map(_line, result.edges)
    entities = counted(len(result.entities), "entity", "entities")
    yield f"{entities}, {counted(len(result.edges), 'edge', 'edges')}"


def _line(edge: GraphEdge) -> str:
    source, relation, target = map(one_line, (edge.source, edge.relation, edge.target))
    arrow = "--" if edge.relation == MENTIONED_WITH else "->"
    more = len(edge.memory_ids) - _MOST_IDS
    by = ", ".join(edge.memory_ids[:_MOST_IDS]) + (f" and {more:,} more" if more > 0 else "")
    return f"{source} -- {relation} {arrow} {target}  ({by})"


def _dot(result: GraphResult) -> Iterator[str]:
    yield "digraph memory {"
    yield from (f"  {_quoted(entity)};" for entity in result.entities)
    for edge in result.edges:
        style = ", dir=none, style=dashed" if edge.relation == MENTIONED_WITH else ""
        ends = f"{_quoted(edge.source)} -> {_quoted(edge.target)}"
        yield f"  {ends} [label={_quoted(edge.relation)}{style}];"
    yield "}"


def _quoted(text: str) -> str:
    """Write a name as a string of the DOT language."""
    escaped = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
