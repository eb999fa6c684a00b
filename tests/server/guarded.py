"""A real HTTP server on loopback, in the test's own process, and clients with tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import uvicorn
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from mem_mcp import Settings
from mem_mcp.server import transports
from mem_mcp.server.app import build_server
from mem_mcp.server.connections import bounded
from mem_mcp.server.http import http_app, verifier_for
from mem_mcp.server.lazy_memory import LazyMemory
from mem_mcp.server.token_file import SCOPES, TokenFile

WIRE = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "by hand", "version": "1"},
}


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": method, "method": method, "params": params}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Guarded:
    """A running server.

    Args:
        settings: of its memory.
        url: where MCP is spoken.
    """

    def __init__(self, settings: Settings, url: str, lazy: LazyMemory) -> None:
        self.settings = settings
        self.url = url
        self.lazy = lazy
        self.file = TokenFile(settings.token_file)

    def token(self, user: str, *scopes: str, **more: Any) -> str:
        return self.file.create(user, scopes or SCOPES, **more)[0]

    def revoke(self, user: str) -> None:
        self.file.revoke(lambda token: token.user == user)

    @asynccontextmanager
    async def client(self, token: str, mode: str = "auto") -> AsyncIterator[Client]:
        if self.url.endswith("/sse"):
            async with Client(sse_client(self.url, headers=bearer(token))) as client:
                yield client
            return
        async with httpx2.AsyncClient(headers=bearer(token), timeout=60) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    async def post(self, message: Any, **headers: str) -> httpx2.Response:
        """Send a message by hand."""
        async with httpx2.AsyncClient(headers={**WIRE, **headers}, timeout=60) as http:
            if isinstance(message, bytes):
                return await http.post(self.url, content=message)
            return await http.post(self.url, json=message)


@asynccontextmanager
async def serving(
    settings: Settings,
    transport: str = "http",
    host: str = "127.0.0.1",
    *,
    insecure: bool = False,
    connections: int = 100,
) -> AsyncIterator[Guarded]:
    verifier = verifier_for(settings, host, insecure=insecure)
    lazy = LazyMemory(settings)
    listening = transports.listen("127.0.0.1", 0)
    address = (
        f"http://127.0.0.1:{listening.getsockname()[1]}{transports.PATHS[transport].split()[0]}"
    )
    app = http_app(build_server(lazy), lazy, transport, host, address, verifier)
    config = uvicorn.Config(
        app, http=bounded(connections), log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield Guarded(settings, address, lazy)
    finally:
        server.should_exit = True
        await running
        await lazy.close()
