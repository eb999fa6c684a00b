"""The command `mem-mcp`, also `python -m mem_mcp`."""

from __future__ import annotations

import os
import sys

from mem_mcp.cli import streams
from mem_mcp.cli.failure import report


def main() -> None:
    """Run the command line. Ctrl-C ends it at any point, without a traceback."""
    # The matrix products of the ranking are small: with several threads, OpenBLAS takes up to a
    # hundred times as long on a busy machine, because the threads wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    streams.speak_utf_8()
    streams.prepare()
    try:
        _run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # raised while help is printed, or before a command starts
        sys.exit(report(error))


def _run(arguments: list[str]) -> None:
    if arguments[:1] == ["serve"]:
        from mem_mcp.cli.serve import main as serve  # noqa: PLC0415 - only one of the two is needed

        sys.exit(serve(arguments[1:]))
    from mem_mcp.cli.app import app  # noqa: PLC0415 - typer would delay the server's start

    app(prog_name="mem-mcp")


if __name__ == "__main__":
    main()
