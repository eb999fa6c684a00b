"""Calls that a token does not allow at all: 403, which tells a client for which scope to ask."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from pydantic import AnyHttpUrl
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mem_mcp.errors import NotPermitted
from mem_mcp.server.callers import Caller
from mem_mcp.server.refusals import refusal
from mem_mcp.server.token_file import TokenScope
from mem_mcp.server.tools import OFFERS

# Whoever has both is refused nothing before the call is looked at.
_COMMON = {"read", "write"}


class ScopeCheck:
    """Refuses what needs a scope that a token lacks, whatever the arguments.

    What depends on the arguments, such as writing for all users, is refused by the call itself, as
    is everything over SSE, where the request is answered before the call begins. Only the bodies
    of tokens that cannot both read and write are looked into.

    Args:
        app: what is behind it.
        path: of the endpoint whose requests are checked.
        most: bytes of the largest body that is looked into; the application refuses larger ones.
        metadata_url: where clients read at which provider to log in; None if nowhere.
    """

    def __init__(
        self, app: ASGIApp, path: str, most: int, metadata_url: AnyHttpUrl | None = None
    ) -> None:
        self._app = app
        self._path = path
        self._most = most
        self._metadata_url = metadata_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        user = scope.get("user")
        is_call = scope.get("method") == "POST" and scope["path"].rstrip("/") == self._path
        if (
            not is_call
            or not isinstance(user, AuthenticatedUser)
            or user.access_token.subject is None
            or _COMMON.issubset(user.scopes)
        ):
            await self._app(scope, receive, send)
            return
        message = await _whole(receive, self._most)
        asked = _parsed(message["body"]) if not message["more_body"] else None
        calling = Caller(user.access_token.subject, frozenset(user.scopes))
        needed = _needed(asked)
        try:
            if needed is not None:
                calling.require(needed)
        except NotPermitted as error:
            headers = {"WWW-Authenticate": self._challenge({*calling.scopes, needed})}
            refused = refusal(403, str(error), headers, asked.get("id") if asked else None)
            await refused(scope, receive, send)
            return
        await self._app(scope, _again(message, receive), send)

    def _challenge(self, scopes: Iterable[str | None]) -> str:
        named = " ".join(sorted(filter(None, scopes)))
        parts = {"error": "insufficient_scope", "scope": named}
        if self._metadata_url is not None:
            parts["resource_metadata"] = str(self._metadata_url)
        return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parts.items())


async def _whole(receive: Receive, most: int) -> Message:
    """Return the body in one message; `more_body` if it is larger than that, or was cut."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= most:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
    return {"type": "http.request", "body": b"".join(chunks), "more_body": more}


def _again(message: Message, receive: Receive) -> Receive:
    """Return what gives a message, which it then forgets, and after it what comes."""
    read = [message]

    async def receive_again() -> Message:
        return read.pop() if read else await receive()

    return receive_again


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _needed(asked: dict[str, Any] | None) -> TokenScope | None:
    """Return the scope without which a request comes to nothing; None if there is none."""
    params = asked.get("params") if asked else None
    if asked is None or not isinstance(params, dict) or asked.get("method") != "tools/call":
        return None
    name = params.get("name")
    offer = OFFERS.get(name) if isinstance(name, str) else None
    return offer.scope if offer else None
