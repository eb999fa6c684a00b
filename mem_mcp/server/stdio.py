"""stdio, with an answer also to a request that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

Incoming = MemoryObjectSendStream[SessionMessage | Exception]


async def serve_stdio(server: MCPServer[Any]) -> None:
    """Serve on standard input and output until the input ends.

    The SDK drops a line that it cannot parse, such as one with a lone surrogate or nested thousands
    deep, and its sender would wait for an answer until it gives up.
    """
    lowlevel = server._lowlevel_server  # noqa: SLF001 - MCPServer offers no way to pass streams
    async with stdio_server() as (lines, answers), anyio.create_task_group() as group:
        sender: Incoming
        receiver: MemoryObjectReceiveStream[SessionMessage | Exception]
        sender, receiver = anyio.create_memory_object_stream(0)
        group.start_soon(_forward, lines, sender, answers)
        await lowlevel.run(receiver, answers, lowlevel.create_initialization_options())


async def _forward(lines: Any, sender: Incoming, answers: Any) -> None:  # noqa: ANN401 - the SDK's
    async with sender:
        async for line in lines:
            if not isinstance(line, Exception):
                await sender.send(line)
            elif (request_id := _request_id(line)) is not None:
                await answers.send(SessionMessage(_unreadable(request_id)))


def _unreadable(request_id: str | int) -> JSONRPCError:
    message = "not readable: a lone surrogate, or nested too deep? send well-formed JSON"
    error = ErrorData(code=PARSE_ERROR, message=message)
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=error)


def _request_id(error: Exception) -> str | int | None:
    """Read the id that the sender of an unreadable line waits for, if that much can be read."""
    if not isinstance(error, ValidationError):
        return None
    try:
        sent = json.loads(error.errors()[0]["input"])
    except (ValueError, TypeError, RecursionError):
        return None
    request_id = sent.get("id") if isinstance(sent, dict) else None
    return request_id if isinstance(request_id, str | int) else None
