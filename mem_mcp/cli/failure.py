"""How a command that failed says so: one line on stderr, and an exit code."""

from __future__ import annotations

import sys

from mem_mcp.errors import ConfigError, MemError


def report(error: MemError | OSError) -> int:
    """Print what went wrong; return the exit code: 2 for a setting, else 1."""
    print(f"mem-mcp: {message(error)}", file=sys.stderr)
    return 2 if isinstance(error, ConfigError) else 1


def message(error: Exception) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return " ".join(str(error).split())
