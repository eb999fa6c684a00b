"""A client that starts the server as a desktop client does: as a subprocess, over stdio."""

from __future__ import annotations

import asyncio
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mem_mcp.errors import MemError

if TYPE_CHECKING:
    from mcp import Client

PATIENCE_SECONDS = 120
"""Timeout of one connection to the server, from start to end."""
_MODULE = ("-m", "mem_mcp", "serve")


@asynccontextmanager
async def connected(environment: Mapping[str, str]) -> AsyncIterator[Client]:
    """Start the server, and connect to it; the server ends with the block.

    Args:
        environment: variables of the server, beside the few that desktop clients pass on.

    Raises:
        MemError: the server did not start or answer; the message has the last line of its log.
    """
    # Imported late: this takes half a second, which other commands should not spend.
    from mcp import Client, MCPError, StdioServerParameters  # noqa: PLC0415
    from mcp.client.stdio import stdio_client  # noqa: PLC0415

    server = StdioServerParameters(command=sys.executable, args=[*_MODULE], env={**environment})
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        # Most desktop clients use the protocol version with a handshake.
        client = Client(stdio_client(server, errlog=log), mode="legacy")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), client:
                yield client
        except (ExceptionGroup, MCPError, OSError) as error:
            first = _first(error)
            if isinstance(first, MCPError | OSError) and not isinstance(first, BrokenPipeError):
                reason = _last_line(log) or str(first) or f"silent for {PATIENCE_SECONDS} s"
                raise MemError(f"the server did not answer: {reason}") from error
            raise first from None


async def call(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """Call a tool and return its structured result.

    Raises:
        MemError: the tool returned an error; the message is its text.
    """
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise MemError(" ".join(getattr(part, "text", "") for part in result.content))
    return dict(result.structured_content)


def server_command() -> str:
    """Return the shell command that starts this installation's server."""
    script = Path(sys.executable).with_name("mem-mcp")
    return shlex.join([str(script), "serve"] if script.exists() else [sys.executable, *_MODULE])


def _first(error: Exception) -> Exception:
    """Return the first exception inside nested exception groups, which task groups raise."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _last_line(log: IO[str]) -> str:
    log.seek(0)
    lines = log.read().split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
