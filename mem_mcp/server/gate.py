"""The gate of the HTTP server: who has no valid token is turned away before anything is read."""

from __future__ import annotations

import logging

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from mem_mcp.config import Settings
from mem_mcp.errors import MemError
from mem_mcp.server.token_file import Token, TokenFile, TokenScope, WatchedTokens, digest, matching
from mem_mcp.times import utc_now

logger = logging.getLogger(__name__)
# More is no token; hashing it would be work for nothing.
_LONGEST_TOKEN = 16_384
_SETTING_ALLOWS: tuple[TokenScope, ...] = ("read", "write")


class Verifier:
    """Says whose a bearer token is, by the file of tokens and the settings.

    Args:
        settings: of the server.
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
        self._tokens = WatchedTokens(TokenFile(settings.token_file), fixed, _log)

    @property
    def asks(self) -> bool:
        """Whether tokens are asked for: if any were ever made, or an identity provider is named.

        A server that asked once does not stop, also when the last token is revoked.
        """
        self._tokens.now()
        return self._tokens.were_there

    @property
    def admits_anybody(self) -> bool:
        """Whether there is a way in at the moment."""
        return bool(self._tokens.now())

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose a token is and what it allows; None if it is not valid now."""
        if not token or len(token) > _LONGEST_TOKEN:
            return None
        found = matching(self._tokens.now(), token)
        if found is None:
            return None
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
    """

    def __init__(self, app: ASGIApp, verifier: Verifier) -> None:
        self._open = app
        self._verifier = verifier
        self._guarded = AuthenticationMiddleware(
            AuthContextMiddleware(RequireAuthMiddleware(app, [])),
            backend=BearerAuthBackend(verifier),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; a wrong token is answered like a missing one."""
        asked = scope["type"] == "http" and self._verifier.asks
        await (self._guarded if asked else self._open)(scope, receive, send)


def _log(error: MemError) -> None:
    logger.error("%s; nobody is let in by it until then", error)
