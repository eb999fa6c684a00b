"""What orchestrators and load balancers ask: whether the server lives, and whether it is ready."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mem_mcp import __version__
from mem_mcp.errors import MemError
from mem_mcp.server.draining import Draining
from mem_mcp.server.gate import Verifier
from mem_mcp.server.lazy_memory import LazyMemory

logger = logging.getLogger(__name__)

HEALTH, READY = "/health", "/ready"
# Whoever asks has less patience than a store on a network.
_PATIENCE_SECONDS = 3


class Pages:
    """Answers GET at some paths beside the application; none of them needs a session.

    Args:
        app: what answers everything else.
        pages: applications by their paths.
    """

    def __init__(self, app: ASGIApp, pages: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        page = self._pages.get(scope["path"]) if scope["type"] == "http" else None
        if page is None:
            await self._app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            page = PlainTextResponse("Ask with GET", 405, {"Allow": "GET, HEAD"})
        await page(scope, receive, send)


async def health(_: Request) -> Response:
    """Say that the process lives and answers, whatever it can do."""
    return JSONResponse({"status": "ok", "version": __version__})


class Readiness:
    """Says whether calls can be served, and if not, what is lacking.

    Everybody may ask, so nothing is told that only the log should have: no paths, no addresses, no
    texts of errors.

    Args:
        lazy: the memory; being asked opens it.
        verifier: knows the state of the identity provider.
        draining: whether the server is about to end.
    """

    def __init__(self, lazy: LazyMemory, verifier: Verifier, draining: Draining) -> None:
        self._lazy = lazy
        self._verifier = verifier
        self._draining = draining

    async def page(self, _: Request) -> Response:
        """Answer 200 if calls can be served, else 503; `not_ready` and `notes` say why."""
        lacking, notes = await self._lacking(), {}
        if not self._lazy.settings.embedding.bundled and lacking.get("embedder") == _UNUSABLE:
            # Another's outage: search by words serves on, and no other server would do better.
            notes["embedder"] = lacking.pop("embedder")
        problem, is_locked_out = await self._verifier.provider_problem()
        if problem:
            (lacking if is_locked_out else notes)["identity_provider"] = problem
        content = {"ready": not lacking, "not_ready": lacking, "notes": notes}
        return JSONResponse(
            {name: value for name, value in content.items() if value != {}},
            status_code=503 if lacking else 200,
        )

    async def _lacking(self) -> dict[str, str]:
        if self._draining.begun:
            return {"server": "is about to end"}
        self._lazy.preload()
        if self._lazy.opened is None:
            return {"store": _UNOPENED if self._lazy.failed else "is being opened"}
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._lazy.opened.ping()
        except (MemError, TimeoutError) as error:
            logger.warning("the store does not answer: %s", error or type(error).__name__)
            return {"store": "does not answer; the server's log says why"}
        if self._lazy.degraded is None:
            return {"embedder": "is being loaded"}
        return {"embedder": _UNUSABLE} if self._lazy.degraded else {}


_UNOPENED = "cannot be opened; the server's log says why"
_UNUSABLE = "cannot be used, so search is by words only; mem-mcp doctor says why"
