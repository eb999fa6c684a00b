"""The Typer application with all commands; `__main__` runs `serve` without it."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mem_mcp import __version__
from mem_mcp.cli import (
    backup,
    config,
    demo,
    doctor,
    evaluate,
    install,
    reembed,
    serve,
    stats,
    token,
    transfer,
)
from mem_mcp.cli.commands import COMMANDS, command
from mem_mcp.cli.failure import report
from mem_mcp.errors import MemError


class _Commands(TyperGroup):
    """Shows the errors that any command raises on purpose."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer hides the type
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader closed the pipe; typer exits without a message
            raise
        except (MemError, OSError) as error:
            raise typer.Exit(report(error)) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mem-mcp {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Give any MCP agent a memory."""


def _serve(ctx: typer.Context) -> None:
    """Serve the memory over MCP: stdio, or HTTP."""
    raise typer.Exit(serve.main(ctx.args))


# serve.py parses its own options with argparse.
_unparsed = {"allow_extra_args": True, "ignore_unknown_options": True}
app.command("serve", context_settings=_unparsed, add_help_option=False)(_serve)
app.command("demo")(demo.demo)
app.command("install")(install.install)
app.command("uninstall")(install.uninstall)
for _name, _spec in COMMANDS.items():
    app.command(_name, short_help=_spec.brief or None)(command(_spec))
app.command("import")(transfer.import_memories)
app.command("export")(transfer.export_memories)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("stats")(stats.stats)
app.command("reembed")(reembed.reembed)
app.command("doctor")(doctor.doctor)
app.command("config")(config.config)
app.add_typer(token.app, name="token")
app.command("evaluate")(evaluate.evaluate)
