"""The server started and asked as a desktop client does it: a subprocess on stdio."""

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
"""How long one visit to the server may take."""
_MODULE = ("-m", "mem_mcp", "serve")


@asynccontextmanager
async def connected(environment: Mapping[str, str]) -> AsyncIterator[Client]:
    """Start the server and shake hands; it ends with the block.

    Args:
        environment: what it gets beside the few variables that desktop clients pass on.

    Raises:
        MemError: it did not start or did not answer; with the last line of its log.
    """
    # Half a second, which only a command that needs it should take.
    from mcp import Client, MCPError, StdioServerParameters  # noqa: PLC0415
    from mcp.client.stdio import stdio_client  # noqa: PLC0415

    server = StdioServerParameters(command=sys.executable, args=[*_MODULE], env={**environment})
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        # Most desktop clients speak the protocol with the handshake.
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
        MemError: the tool refused; with what it said.
    """
    result = await client.call_tool(tool, arguments)
    if result.is_error or result.structured_content is None:
        raise MemError(" ".join(getattr(part, "text", "") for part in result.content))
    return dict(result.structured_content)


def server_command() -> str:
    """Write the command that starts this installation's server, for a client's configuration."""
    script = Path(sys.executable).with_name("mem-mcp")
    return shlex.join([str(script), "serve"] if script.exists() else [sys.executable, *_MODULE])


def _first(error: Exception) -> Exception:
    """Return what was raised; task groups wrap it once for each of them."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _last_line(log: IO[str]) -> str:
    log.seek(0)
    lines = log.read().split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
