"""list_memories: list the memories that match filters, page by page."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import replace
from typing import Any

from mem_mcp.api.arguments import names
from mem_mcp.api.manage import ListMemories
from mem_mcp.api.models import Listed, ListResult
from mem_mcp.errors import InvalidInput
from mem_mcp.retrieval.row_filters import chosen, every, listable, owned
from mem_mcp.retrieval.shown import shown
from mem_mcp.runtime import Runtime
from mem_mcp.text import check_text
from mem_mcp.times import parse_time


async def list_memories(runtime: Runtime, request: ListMemories) -> ListResult:
    """List the memories of a scope in the order they were recorded.

    Raises:
        InvalidInput: the filters do not compile, or the cursor is not valid.
    """
    scope = request.scope(runtime.settings.user_id)
    matching = every(
        owned(scope),
        chosen(request.filters, kinds=names(request.kinds), tags=names(request.tags)),
        listable(request.filters or {}),
    )
    ascending = request.order == "oldest"
    rows = await runtime.store.read(
        every(matching, _after(request.cursor, ascending=ascending)),
        order=[("recorded_at", ascending), ("version_id", ascending)],
        limit=request.limit + 1,
    )
    memories = [Listed.model_validate(row.memory) for row in rows[: request.limit]]
    return ListResult(
        memories=shown(memories, replace(runtime.room(), passage=1)),
        next_cursor=_cursor(memories[-1]) if len(rows) > request.limit else None,
        total=await runtime.store.count(matching),
    )


def _cursor(last: Listed) -> str:
    """Return the cursor of the page that follows a memory."""
    place = json.dumps([last.recorded_at.isoformat(), last.version_id])
    return base64.urlsafe_b64encode(place.encode()).decode()


def _after(cursor: str, *, ascending: bool) -> dict[str, Any]:
    """Return the conditions of rows that follow a cursor; none for an empty cursor."""
    if not cursor:
        return {}
    try:
        recorded_at, version_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        moment = parse_time(recorded_at, "cursor")
        check_text(version_id, "cursor")
    except (ValueError, TypeError, AttributeError, binascii.Error) as error:
        raise InvalidInput("cursor", "is none that list_memories returned") from error
    beyond = "gt" if ascending else "lt"
    return {
        "OR": [
            {"recorded_at": {beyond: moment}},
            {"recorded_at": moment, "version_id": {beyond: version_id}},
        ]
    }
