"""The names by which a server may be called: others in Host or Origin are turned away.

A page of another site that makes a browser resolve its own name to this machine (DNS rebinding)
still sends that name.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - no name; nobody can be called so


class NamedOnly:
    """Lets requests through whose Host, and Origin if there is one, is a name of this server.

    Its names are those of the loopback, the machine's, the address that a connection was made to,
    and the given ones; on any port.

    Args:
        app: what is behind it.
        host: where the server listens.
        further: names that the settings add.
    """

    def __init__(self, app: ASGIApp, host: str, further: Iterable[str]) -> None:
        self._app = app
        own = {*LOOPBACK, *further}
        if host not in LOOPBACK:
            own |= {host.lower(), socket.gethostname().lower()}
        self._names = own.difference(_EVERYWHERE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; 421 for another host, 403 for another origin."""
        refused = self._refused(scope) if scope["type"] in ("http", "websocket") else None
        if refused is None:
            await self._app(scope, receive, send)
        else:
            await refused(scope, receive, send)

    def _refused(self, scope: Scope) -> PlainTextResponse | None:
        headers, here = Headers(scope=scope), (scope.get("server") or ("",))[0]
        names = self._names | {here.lower()}
        # Of several Host headers a proxy may have looked at another one than we do.
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(f"//{hosts[0]}") not in names:
            return PlainTextResponse("Invalid Host header", status_code=421)
        for origin in headers.getlist("origin"):
            if not origin.startswith(("http://", "https://")) or _name(origin) not in names:
                return PlainTextResponse("Invalid Origin header", status_code=403)
        return None


def _name(address: str) -> str | None:
    """Return the name in an address, without its port; None if it is no plain one."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises for one that is none
    except ValueError:
        return None
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return None
    return parts.hostname
