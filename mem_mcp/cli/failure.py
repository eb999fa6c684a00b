"""Report the error of a command: one line on stderr, and an exit code."""

from __future__ import annotations

import sys

from mem_mcp.errors import ConfigError, MemError


def report(error: MemError | OSError) -> int:
    """Print an error on stderr; return the exit code: 2 for a wrong setting, else 1."""
    print(f"mem-mcp: {message(error)}", file=sys.stderr)
    return 2 if isinstance(error, ConfigError) else 1


def message(error: Exception) -> str:
    """Return the message of an error on one line."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return " ".join(str(error).split())
