"""The application behind HTTP and SSE: names, tokens, limits, and MCP behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.context import ServerRequestContext
from mcp.server.transport_security import TransportSecuritySettings
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.routing import request_response
from starlette.types import ASGIApp, Receive, Scope, Send

from mem_mcp.config import Settings
from mem_mcp.errors import ConfigError
from mem_mcp.server.draining import Drain, Draining
from mem_mcp.server.gate import TokenGate, Verifier, login_routes
from mem_mcp.server.lazy_memory import LazyMemory
from mem_mcp.server.names import LOOPBACK, NamedOnly
from mem_mcp.server.probes import HEALTH, READY, Pages, Readiness, health
from mem_mcp.server.rates import Rates
from mem_mcp.server.scope_check import ScopeCheck

# Agents in an editor sit idle for hours; the SDK would end their session after 30 minutes.
_IDLE_SECONDS = 24 * 3600
_MESSAGES = "/messages/"
MCP, METRICS = "/mcp", "/metrics"


def http_app(
    server: MCPServer[Any],
    lazy: LazyMemory,
    transport: str,
    host: str,
    address: str,
    verifier: Verifier,
    draining: Draining | None = None,
    rates: Rates | None = None,
) -> ASGIApp:
    """Return the whole application that is served.

    Args:
        server: the MCP server.
        lazy: its memory.
        transport: http, sse or http+sse.
        host: where it listens.
        address: of its MCP endpoint.
        verifier: as `verifier_for` returns it for this host.
        draining: knows what runs, and whether the server is about to end; None: it never is.
        rates: count what each token asks for; None: in this process alone.
    """
    # Reads the environment when imported.
    from mem_mcp.server.metrics import Metrics  # noqa: PLC0415

    settings = lazy.settings
    draining = draining or Draining(0)
    rates = rates or Rates(settings.limits)
    lazy.asks = lambda: verifier.asks
    most = settings.limits.body_bytes
    unnamed = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # NamedOnly does it
    sse = server.sse_app(
        transport_security=unnamed, max_request_body_size=most, message_path=_MESSAGES
    )
    app = sse
    if transport != "sse":
        app = server.streamable_http_app(
            transport_security=unnamed,
            stateless_http=settings.http.stateless,
            session_idle_timeout=_IDLE_SECONDS,
            max_request_body_size=most,
        )
    if transport == "http+sse":
        app.router.routes.extend(sse.router.routes)
    routes, metadata_url = login_routes(settings.auth, address)
    app.router.routes.extend(routes)
    public = urlsplit(settings.auth.resource_url).hostname
    names = [*settings.http.hosts, *([public] if public else [])]
    checked = ScopeCheck(app, MCP, most, metadata_url)
    gate = Drain(TokenGate(checked, verifier, rates, metadata_url), draining)
    metrics = Metrics(lazy)
    lazy.observed = metrics.call
    pages = {
        HEALTH: request_response(health),
        READY: request_response(Readiness(lazy, verifier, draining).page),
        METRICS: _guarded(request_response(metrics.page), verifier, host, settings),
    }
    lazy.counted = partial(_counted, draining, rates)
    return NamedOnly(Pages(gate, pages), host, names)


def verifier_for(settings: Settings, host: str, *, insecure: bool = False) -> Verifier:
    """Return what knows the tokens of a server that listens on a host.

    Args:
        settings: of the server.
        host: where it is to listen.
        insecure: let everybody in on a host that is not the loopback, where no token is asked for.

    Raises:
        ConfigError: the host is not the loopback, and there are no tokens; or the identity
            provider's keys cannot be used.
    """
    verifier = Verifier(settings)
    if host in LOOPBACK or verifier.admits_anybody or insecure:
        return verifier
    raise ConfigError(
        f"host: {host!r} can be reached by others, and no token is asked for; make one with "
        "mem-mcp token create --user NAME, listen on 127.0.0.1, or let everybody in with "
        "--insecure"
    )


def _guarded(page: ASGIApp, verifier: Verifier, host: str, settings: Settings) -> ASGIApp:
    """Return a page that needs a token with the scope admin, but from this machine."""
    guarded = AuthenticationMiddleware(
        RequireAuthMiddleware(page, ["admin"]), backend=BearerAuthBackend(verifier)
    )

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        # A proxy on this machine says for whom it asks.
        is_near = host in LOOPBACK and (scope.get("client") or ("",))[0] in LOOPBACK
        is_open = is_near or settings.http.open_metrics
        await (page if is_open else guarded)(scope, receive, send)

    return answer


@contextmanager
def _counted(
    draining: Draining, rates: Rates, calling: ServerRequestContext[Any, Any]
) -> Iterator[None]:
    """Count a request while it runs; for its token, too, where its POST was answered before."""
    token = get_access_token()
    is_answered = calling.request is not None and calling.request.url.path.startswith(_MESSAGES)
    of_token = rates.running(token.client_id) if token and is_answered else nullcontext()
    with draining.call(calling.method), of_token:
        yield
