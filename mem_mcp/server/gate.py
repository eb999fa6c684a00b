"""The gate of the HTTP server: who has no valid token is turned away before anything is read."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.routes import build_resource_metadata_url, create_protected_resource_routes
from mcp.server.auth.settings import AuthSettings as SDKAuthSettings
from pydantic import AnyHttpUrl
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mem_mcp.config import AuthSettings, Settings
from mem_mcp.errors import MemError
from mem_mcp.server.rates import Rates, Throttle
from mem_mcp.server.token_file import (
    SCOPES,
    Token,
    TokenFile,
    TokenScope,
    WatchedTokens,
    digest,
    matching,
)
from mem_mcp.times import utc_now

if TYPE_CHECKING:
    from mem_mcp.server.identity_provider import IdentityProvider

logger = logging.getLogger(__name__)
# More is no token; hashing it would be work for nothing.
_LONGEST_TOKEN = 16_384
# Whoever asks whether the server is ready waits no longer.
_PATIENCE_SECONDS = 3
# How to log in is for those who have not.
_FOR_ALL = "/.well-known/"
_METADATA = f"{_FOR_ALL}oauth-protected-resource"
_SETTING_ALLOWS: tuple[TokenScope, ...] = ("read", "write")


class Verifier:
    """Says whose a bearer token is, by the file of tokens, the settings and the identity provider.

    Args:
        settings: of the server.

    Raises:
        ConfigError: the identity provider's keys cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        fixed = [
            Token(
                id=f"setting-{digest(token)[:12]}",
                user=user,
                scopes=[*_SETTING_ALLOWS],
                sha256=digest(token),
                created_at=utc_now(),
            )
            for token, user in settings.auth.tokens.items()
        ]
        self._provider: IdentityProvider | None = None
        if settings.auth.issuer:
            # Most servers need no cryptography.
            from mem_mcp.server.identity_provider import IdentityProvider  # noqa: PLC0415

            self._provider = IdentityProvider(settings.auth)
        self._tokens = WatchedTokens(TokenFile(settings.token_file), fixed, _log)

    @property
    def asks(self) -> bool:
        """Whether tokens are asked for: if any were ever made, or an identity provider is named.

        A server that asked once does not stop, also when the last token is revoked.
        """
        self._tokens.now()
        return self._tokens.were_there or self._provider is not None

    @property
    def admits_anybody(self) -> bool:
        """Whether there is a way in at the moment."""
        return bool(self._tokens.now()) or self._provider is not None

    async def provider_problem(self) -> tuple[str, bool]:
        """Return what is wrong with the identity provider's keys, and whether nobody gets in by it.

        The text is "" where nothing is wrong, and names no address. Waits a few seconds for keys if
        none are known.
        """
        if self._provider is None:
            return "", False
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._provider.refresh()
        if self._provider.has_keys:
            old = "its keys cannot be read anew; those that are known go on"
            return old if self._provider.problem else "", False
        return "its keys cannot be read; the server's log says why", not self._tokens.now()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose a token is and what it allows; None if it is not valid now."""
        if not token or len(token) > _LONGEST_TOKEN:
            return None
        found = matching(self._tokens.now(), token)
        if found is None:
            return await self._provider.verify(token) if self._provider else None
        return AccessToken(
            token="",  # nothing below needs it
            client_id=found.id,
            subject=found.user,
            scopes=list(found.scopes),
            expires_at=int(found.expires_at.timestamp()) if found.expires_at else None,
        )


class TokenGate:
    """Lets through who bears a valid token, or everybody where none is asked for.

    Args:
        app: what is behind it.
        verifier: knows the tokens.
        rates: count what each token asks for.
        metadata_url: where clients read at which provider to log in; None if nowhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        verifier: Verifier,
        rates: Rates,
        metadata_url: AnyHttpUrl | None = None,
    ) -> None:
        self._open = app
        self._verifier = verifier
        self._guarded = AuthenticationMiddleware(
            RequireAuthMiddleware(Throttle(AuthContextMiddleware(app), rates), [], metadata_url),
            backend=BearerAuthBackend(verifier),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; a wrong token is answered like a missing one."""
        is_open = scope["type"] != "http" or scope["path"].startswith(_FOR_ALL)
        asked = not is_open and self._verifier.asks
        await (self._guarded if asked else self._open)(scope, receive, send)


def _log(error: MemError) -> None:
    logger.error("%s; nobody is let in by it until then", error)


def login_routes(auth: AuthSettings, address: str) -> tuple[list[Route], AnyHttpUrl | None]:
    """Return the routes that say at which identity provider clients log in, and their address.

    Args:
        auth: the settings; there are no routes without an issuer.
        address: of the MCP endpoint, where the settings name none.
    """
    if not auth.issuer:
        return [], None
    is_address = auth.audience.startswith(("http://", "https://"))
    urls = SDKAuthSettings(
        issuer_url=AnyHttpUrl(auth.issuer),
        resource_server_url=AnyHttpUrl(
            auth.resource_url or (auth.audience if is_address else address)
        ),
        validate_token_resource=False,  # the verifier checks the audience
    )
    resource = urls.resource_server_url
    if resource is None:
        raise TypeError("no resource")
    routes = create_protected_resource_routes(
        resource, [urls.issuer_url], list(SCOPES), resource_name="mem-mcp"
    )
    plain = Route(_METADATA, endpoint=routes[0].endpoint, methods=["GET", "OPTIONS"])
    return [*routes, plain], build_resource_metadata_url(resource)
