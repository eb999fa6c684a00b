"""A client that starts the server as a desktop client does: as a subprocess, over stdio.

Or that reaches one which is running, as a client with its address does.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
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
async def connected(
    environment: Mapping[str, str], command: Sequence[str] = (sys.executable, *_MODULE)
) -> AsyncIterator[Client]:
    """Start the server, and connect to it; the server ends with the block.

    Args:
        environment: variables of the server, beside the few that desktop clients pass on.
        command: starts it; this installation's, if none is given.

    Raises:
        MemError: the server did not start or answer; the message has the last line of its log.
    """
    # Imported late: this takes half a second, which other commands should not spend.
    from mcp import Client, StdioServerParameters  # noqa: PLC0415
    from mcp.client.stdio import stdio_client  # noqa: PLC0415

    program, *arguments = command
    server = StdioServerParameters(command=program, args=arguments, env={**environment})
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        # Most desktop clients use the protocol version with a handshake.
        client = Client(stdio_client(server, errlog=log), mode="legacy")
        async with _answering(client, log):
            yield client


@asynccontextmanager
async def reached(url: str, token: str = "") -> AsyncIterator[Client]:
    """Connect to a server that runs.

    Args:
        url: its address.
        token: sent as its bearer, if any.

    Raises:
        MemError: it was not reached, or refused the token.
    """
    from httpx2 import AsyncClient, HTTPError, Response  # noqa: PLC0415 - see `connected`
    from mcp import Client  # noqa: PLC0415
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:

        async def note(response: Response) -> None:
            if response.is_error:
                log.write(f"{response.status_code} {response.reason_phrase}\n")

        hooks = {"response": [note]}
        async with AsyncClient(
            headers=headers, timeout=PATIENCE_SECONDS, event_hooks=hooks
        ) as http:
            client = Client(streamable_http_client(url, http_client=http), mode="legacy")
            try:
                async with _answering(client, log):
                    yield client
            except HTTPError as error:
                raise MemError(f"the server did not answer: {error}") from error


@asynccontextmanager
async def _answering(client: Client, log: IO[str]) -> AsyncIterator[None]:
    """Hold a connection for as long as the patience lasts; say what was wrong with it."""
    from mcp import MCPError  # noqa: PLC0415 - see `connected`

    try:
        async with asyncio.timeout(PATIENCE_SECONDS), client:
            yield
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


def program_command() -> str:
    """Return the shell command that starts this installation's program."""
    script = Path(sys.executable).with_name("mem-mcp")
    return shlex.join([str(script)] if script.exists() else [sys.executable, *_MODULE[:-1]])


def _first(error: Exception) -> Exception:
    """Return the first exception inside nested exception groups, which task groups raise."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _last_line(log: IO[str]) -> str:
    log.seek(0)
    lines = log.read().split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
