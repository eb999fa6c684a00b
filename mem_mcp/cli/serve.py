"""mem-mcp serve: run the MCP server. It does not import typer, which would delay the start."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from mem_mcp.cli.failure import report
from mem_mcp.errors import MemError

_BY_HAND = """\
mem-mcp: waits for an MCP client. Put `mem-mcp serve` into your client's configuration, and the
client starts it. To see the memory work: mem-mcp demo. All commands: mem-mcp --help.
Ctrl-D ends this."""


class _Parser(argparse.ArgumentParser):
    """Reports a usage error on one line, like every other command."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"mem-mcp: {message}; mem-mcp serve --help shows what there is\n")


def main(arguments: Sequence[str]) -> int:
    """Serve until the client disconnects; return the exit code.

    Args:
        arguments: the command line after `serve`.
    """
    options = _parser().parse_args(arguments)
    # Until the transport handles signals, exit at once: no call has been answered yet.
    exit_codes = {signal.SIGTERM: 0, signal.SIGINT: 128 + signal.SIGINT}
    before = {number: signal.signal(number, _exiting(code)) for number, code in exit_codes.items()}
    if options.transport == "stdio" and sys.stdin.isatty():
        print(_BY_HAND, file=sys.stderr)
    try:
        return _serve(options)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exiting(code: int) -> Callable[[int, object], None]:
    def exit_at_once(_number: int, _frame: object) -> None:
        os._exit(code)

    return exit_at_once


def _serve(options: argparse.Namespace) -> int:
    # Imported late: --help and usage errors do not need them.
    from mem_mcp.cli.late_settings import check_late_settings  # noqa: PLC0415
    from mem_mcp.config import load_settings  # noqa: PLC0415
    from mem_mcp.server.transports import serve  # noqa: PLC0415

    try:
        settings = load_settings()
        check_late_settings(settings)
        return serve(
            settings,
            options.transport,
            options.host,
            options.port,
            insecure=options.insecure,
            workers=options.workers,
        )
    except MemError as error:
        return report(error)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mem-mcp serve",
        description="Serve the memory over MCP. Settings: mem-mcp config shows them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--transport", default="stdio", help="how clients connect: stdio, http, sse or http+sse"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="where http and sse listen; beyond this machine only with tokens",
    )
    parser.add_argument("--port", type=_number, default=8000, help="likewise; 0 takes a free one")
    parser.add_argument(
        "--workers", type=_number, default=1, help="how many processes serve http on that port"
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="let everybody in who reaches --host, where no token is asked for",
    )
    return parser


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is no number") from None
