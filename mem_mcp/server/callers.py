"""Who is calling: the user of a token, and what the token allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.mcpserver import Context

from mem_mcp.api.models import GLOBAL_USER
from mem_mcp.display import one_line
from mem_mcp.errors import InvalidInput, NotPermitted
from mem_mcp.server.token_file import TokenScope

if TYPE_CHECKING:
    from mem_mcp.memory import AsyncMemory

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Caller:
    """The bearer of a token."""

    user_id: str
    scopes: frozenset[str]

    def require(self, scope: TokenScope) -> None:
        """Check that the token allows something.

        Raises:
            NotPermitted: it does not; the message names the scope.
        """
        if scope not in self.scopes:
            raise NotPermitted(
                f"token: this needs the scope {scope!r}, which yours does not have; ask whoever "
                "runs this server for a token with it"
            )

    def admit(self, request: object) -> None:
        """Check that the checked arguments of a call stay within what is the caller's.

        Raises:
            InvalidInput: they name another user.
            NotPermitted: they concern what all users share, and the token does not allow that.
        """
        user_id = getattr(request, "user_id", "") or self.user_id
        if user_id not in (self.user_id, GLOBAL_USER):
            raise InvalidInput(
                "user_id", "is the one that your token is for; leave the argument out"
            )
        if GLOBAL_USER in (user_id, getattr(request, "user_scope", "")):
            self.require("global")

    def own(self, memory: AsyncMemory) -> AsyncMemory:
        """Return a memory for this caller alone."""
        shares = "global" in self.scopes
        return memory.of_user(self.user_id, self.admit, changes_shared=shares)


def client_of(context: Context[Any, Any]) -> str | None:
    """Return the name that the client of a request gives itself, on one line; None if it has none.

    It comes from the handshake of the session, or with the request where there is no session.
    """
    given = context.session.client_params
    return (one_line(given.client_info.name, _LONGEST_NAME) if given else "") or None


def caller() -> Caller | None:
    """Return whose token the request that is being handled came with; None where none is asked."""
    token = get_access_token()
    if token is None or token.subject is None:
        return None
    return Caller(token.subject, frozenset(token.scopes))
