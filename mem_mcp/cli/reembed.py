"""mem-mcp reembed: switch the store to another embedding model."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

import typer

from mem_mcp.api.models import Reembedded
from mem_mcp.cli.commands import Json
from mem_mcp.cli.output import counted, show
from mem_mcp.cli.progress import bar
from mem_mcp.cli.session import run
from mem_mcp.config import BUNDLED, load_settings, variable


def reembed(
    model: Annotated[
        str,
        typer.Option("--model", help="bundled, or as LiteLLM names it; default: the setting."),
    ] = "",
    api_base: Annotated[
        str | None,
        typer.Option(
            "--api-base",
            metavar="URL",
            help="Address of that model's server; default: the setting; '': its provider's own.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Switch the store to another embedding model.

    It makes every vector anew. The store serves meanwhile with the vectors that it has. What was
    stopped goes on from there.
    """
    settings = load_settings()
    target = model or settings.embedding.model
    address = settings.embedding.api_base if api_base is None else api_base

    def announce(versions: int) -> None:
        if versions:
            typer.echo(f"note: {_sends(versions, target, address)}", err=True)

    with bar("embedding") as progress:
        result = run(
            lambda memory: memory.reembed(progress=progress, announce=announce),
            any_embedder=True,
            settings={"embedding": {"model": target, "api_base": address}},
        )
    show(result, lambda report: _lines(report, target, address), as_json=as_json)


def _sends(versions: int, model: str, address: str) -> str:
    """Say where texts are about to go, and how many."""
    texts = counted(versions, "text", "texts")
    if model == BUNDLED:
        return f"{texts} to embed on this machine; none leaves it"
    return f"{texts} to send to {model} at {address or _usual_address(model)}"


def _usual_address(model: str) -> str:
    """Name the address that LiteLLM takes where the settings name none."""
    provider = model.partition("/")[0].upper().replace("-", "_")
    for name in (f"{provider}_API_BASE", f"{provider}_BASE_URL"):
        if address := os.environ.get(name):
            return f"{address} ({name})"
    return f"its provider's own address, for {variable('embedding.api_base')} is empty"


def _lines(report: Reembedded, model: str, address: str) -> Iterator[str]:
    yield f"{counted(report.embedded, 'version', 'versions')} embedded by {report.embedder}"
    yield f"the store holds its vectors now, of {report.dimension:,} numbers"
    if report.switched:
        yield f"from now on every process needs {variable('embedding.model')}={model}"
        if model != BUNDLED:
            yield f"and {variable('embedding.api_base')}={address}"
        yield "restart those that run: until then they find by the earlier vectors"
    if not report.others_dropped:
        yield "earlier vectors stay while other processes may need them; run it again to drop them"
