"""mem-mcp serve: the MCP server. It starts without typer, which would delay the first answer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mem_mcp.cli.failure import report
from mem_mcp.errors import MemError


def main(arguments: Sequence[str]) -> int:
    """Serve until the client goes; return the exit code."""
    chosen = _parser().parse_args(arguments)
    if chosen.transport == "stdio" and sys.stdin.isatty():
        print(
            "mem-mcp: MCP clients start this; by hand it only waits. Ctrl-D ends", file=sys.stderr
        )
    # Not above: a command line that is wrong, or asks for help, needs none of it.
    from mem_mcp.config import load_settings  # noqa: PLC0415
    from mem_mcp.server.transports import serve  # noqa: PLC0415

    try:
        settings = load_settings()
        if settings.llm.prompts:
            from mem_mcp.prompts import Prompts  # noqa: PLC0415 - few have texts of their own

            Prompts.load(Path(settings.llm.prompts))
        serve(settings, chosen.transport, chosen.host, chosen.port)
    except MemError as error:
        return report(error)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mem-mcp serve",
        description="Serve the memory over MCP. Settings: mem-mcp config shows them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--transport", choices=("stdio", "http", "sse"), default="stdio", help="how clients connect"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="where http and sse listen; this machine only"
    )
    parser.add_argument("--port", type=int, default=8000, help="likewise")
    return parser
