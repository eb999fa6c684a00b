"""Requests that are refused before MCP reads them, in words that MCP clients pass on."""

from __future__ import annotations

from collections.abc import Mapping

from mcp.types import INVALID_REQUEST
from starlette.responses import JSONResponse


def refusal(
    status: int, message: str, headers: Mapping[str, str], request_id: object = None
) -> JSONResponse:
    """Return the answer to a request that is refused.

    Args:
        status: of HTTP.
        message: what was wrong and what to do.
        headers: further ones.
        request_id: the one of JSON-RPC, if it is known.
    """
    error = {"code": INVALID_REQUEST, "message": message}
    content = {"jsonrpc": "2.0", "id": request_id, "error": error}
    return JSONResponse(content, status_code=status, headers=dict(headers))
