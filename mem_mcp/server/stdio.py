"""stdio: every line is answered, also those that were read before the input ended."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server import MCPServer
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp.types import JSONRPCError, JSONRPCMessage, JSONRPCRequest, JSONRPCResponse, RequestId

from mem_mcp.server.framing import Line, Lines, understand
from mem_mcp.server.wires import Wires

logger = logging.getLogger(__name__)

Incoming = MemoryObjectSendStream[SessionMessage | Exception]
Answers = MemoryObjectSendStream[SessionMessage | bytes]
Outgoing = MemoryObjectReceiveStream[SessionMessage | bytes]

# Open as long as the connection is, and then answered by its end.
_SUBSCRIPTION = "subscriptions/listen"


async def serve_stdio(
    server: MCPServer[Any], wires: Wires, *, patience: float, longest: int
) -> None:
    """Serve until the input ends, or nobody reads the output, and what was read is answered.

    Args:
        server: what answers.
        wires: where requests come from and answers go to.
        patience: seconds to wait at the end for an answer, and for each next one.
        longest: bytes that a line may have; a longer one is refused.
    """
    lowlevel = server._lowlevel_server  # noqa: SLF001 - MCPServer offers no way to pass streams
    connection = _Connection(wires, patience, longest)
    incoming: Incoming
    answers: Answers
    incoming, requests = anyio.create_memory_object_stream(0)
    answers, outgoing = anyio.create_memory_object_stream(0)
    async with anyio.create_task_group() as group:
        group.start_soon(connection.receive, incoming, answers.clone())
        group.start_soon(connection.send, outgoing)
        await lowlevel.run(requests, answers, lowlevel.create_initialization_options())


class _Connection:
    """Which requests wait for their answers."""

    def __init__(self, wires: Wires, patience: float, longest: int) -> None:
        self._wires = wires
        self._patience = patience
        self._longest = longest
        self._waiting: Counter[RequestId] = Counter()
        self._answered = anyio.Event()
        self._reading = anyio.CancelScope()
        self._unread = False

    async def receive(self, incoming: Incoming, refusals: Answers) -> None:
        """Pass on what can be read, and refuse the rest; then wait for the answers."""
        lines = Lines(self._longest)
        async with incoming, refusals:
            while chunk := await self._next():
                for line in lines.feed(chunk):
                    await self._take(line, incoming, refusals)
            await self._take(lines.end(), incoming, refusals)
            await self._all_answered()

    async def send(self, outgoing: Outgoing) -> None:
        """Write answers, until there will be none."""
        async with outgoing:
            async for each in outgoing:
                if isinstance(each, bytes):
                    await self._write(each)
                    continue
                message = each.message
                await self._write(
                    message.model_dump_json(by_alias=True, exclude_unset=True).encode()
                )
                if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
                    await self._settle(message.id)

    async def _next(self) -> bytes:
        if not self._unread:
            with anyio.CancelScope() as self._reading:
                try:
                    return await self._wires.read()
                except OSError as error:
                    logger.warning("the input cannot be read any more: %s", error)
        return b""

    async def _take(self, line: Line, incoming: Incoming, refusals: Answers) -> None:
        if not line.data.strip():
            return
        read = understand(line, self._longest)
        if isinstance(read, list):
            for refusal in read:
                await refusals.send(refusal)
        else:
            await incoming.send(SessionMessage(read, self._expected(read)))

    async def _write(self, line: bytes) -> None:
        if self._unread:
            return
        try:
            await self._wires.write(line + b"\n")
        except OSError as error:
            if not isinstance(error, BrokenPipeError):  # which is how clients go
                logger.warning("answers cannot be written any more: %s", error)
            self._unread = True
            self._reading.cancel()

    def _expected(self, message: JSONRPCMessage) -> ServerMessageMetadata | None:
        if not isinstance(message, JSONRPCRequest) or message.method == _SUBSCRIPTION:
            return None
        self._waiting[message.id] += 1
        # One that its sender cancels has no answer.
        return ServerMessageMetadata(on_request_unanswered=partial(self._settle, message.id))

    async def _settle(self, request_id: RequestId) -> None:
        if self._waiting[request_id] > 1:
            self._waiting[request_id] -= 1
        else:
            del self._waiting[request_id]
        self._answered.set()

    async def _all_answered(self) -> None:
        while waiting := self._waiting.total():
            self._answered = anyio.Event()
            with anyio.move_on_after(self._patience) as waited:
                await self._answered.wait()
            if waited.cancelled_caught:
                logger.warning("the input ended, and %d requests are given up", waiting)
                return
