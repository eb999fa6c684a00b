"""mem-mcp reembed: switch the store to another embedding model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from mem_mcp.api.models import Reembedded
from mem_mcp.cli.commands import Json
from mem_mcp.cli.output import counted, show
from mem_mcp.cli.progress import bar
from mem_mcp.cli.session import run
from mem_mcp.config import load_settings, variable


def reembed(
    model: Annotated[
        str,
        typer.Option("--model", help="bundled, or as LiteLLM names it; default: the setting."),
    ] = "",
    api_base: Annotated[
        str, typer.Option("--api-base", metavar="URL", help="Address of that model's server.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Switch the store to another embedding model.

    It makes every vector anew. The store serves meanwhile with the vectors that it has. What was
    stopped goes on from there.
    """
    settings = load_settings()
    target = model or settings.embedding.model
    configured = settings.embedding.api_base if target == settings.embedding.model else ""
    embedding = {"model": target, "api_base": api_base or configured}
    with bar("embedding") as progress:
        result = run(
            lambda memory: memory.reembed(progress=progress),
            any_embedder=True,
            settings={"embedding": embedding},
        )
    show(result, lambda report: _lines(report, target), as_json=as_json)


def _lines(report: Reembedded, model: str) -> Iterator[str]:
    yield f"{counted(report.embedded, 'version', 'versions')} embedded by {report.embedder}"
    yield f"the store holds its vectors now, of {report.dimension:,} numbers"
    if report.switched:
        yield f"from now on every process needs {variable('embedding.model')}={model}"
        yield "restart those that run: until then they find by the earlier vectors"
    if not report.others_dropped:
        yield "earlier vectors stay while other processes may need them; run it again to drop them"
