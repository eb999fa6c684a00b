"""export: memories with their history, their marks and what was recalled, as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from typing import Any

import pyarrow.compute as pc

from mem_mcp.api.arguments import moment, names
from mem_mcp.api.models import Memory
from mem_mcp.api.transfer import FEEDBACK, FORMAT, TRACE, VERSION, Export
from mem_mcp.logs.feedback import Rating
from mem_mcp.retrieval.row_filters import every
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters
from mem_mcp.store.table import ROW_COLUMNS
from mem_mcp.times import utc_now

_AT_ONCE = 256
"""Memories that are read at once, each with all its versions."""


async def export_lines(runtime: Runtime, request: Export) -> AsyncIterator[str]:
    """Yield a header, then every version of each memory, the memories oldest first, and the rest.

    The versions of a memory follow one another, so that a part of the lines is of use, too. Empty
    fields are left out.
    """
    yield _line({"format": FORMAT, "version": VERSION, "exported_at": utc_now().isoformat()})
    ids = await _memory_ids(runtime, request)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        by_id: dict[str, list[Memory]] = {memory_id: [] for memory_id in part}
        rows = await runtime.store.read(
            {"memory_id": {"in": part}},
            columns=[*ROW_COLUMNS, "source"],
            order=[("version", True)],
        )
        for row in rows:
            by_id[row.memory.memory_id].append(row.memory)
        for versions in by_id.values():
            for memory in versions:
                yield _line(memory.model_dump(mode="json", exclude_defaults=True))
    async for line in _marks(runtime, request, frozenset(ids)):
        yield line
    if request.traces:
        async for line in _traces(runtime, request):
            yield line


async def _memory_ids(runtime: Runtime, request: Export) -> list[str]:
    """Return the ids of the memories to write, the first recorded first."""
    kinds, since = names(request.kinds), moment(request.since)
    asked: Filters = every(
        {"user_id": request.user_id} if request.user_id else {},
        {"kind": {"in": kinds}} if kinds else {},
    )
    rows = await runtime.store.scan(asked, ["memory_id", "recorded_at"])
    spans = rows.group_by("memory_id").aggregate([("recorded_at", "min"), ("recorded_at", "max")])
    if since is not None:
        spans = spans.filter(pc.field("recorded_at_max") >= since)
    order = [("recorded_at_min", "ascending"), ("memory_id", "ascending")]
    ids: list[str] = spans.sort_by(order)["memory_id"].to_pylist()
    return ids


async def _marks(runtime: Runtime, request: Export, ids: Collection[str]) -> AsyncIterator[str]:
    for entry in await runtime.ratings.every(request.user_id):
        if entry.memory_id in ids:
            yield _line({FEEDBACK: _fields(entry)})


def _fields(entry: Rating) -> dict[str, Any]:
    fields = {
        name: getattr(entry, name)
        for name in ("memory_id", "owner", "rating", "reason", "query", "user_id", "agent_id")
    }
    return {
        **{name: value for name, value in fields.items() if value is not None},
        "created_at": entry.created_at.isoformat(),
    }


async def _traces(runtime: Runtime, request: Export) -> AsyncIterator[str]:
    for trace in await runtime.traces.every(request.user_id, moment(request.since)):
        fields = runtime.traces.row(trace)
        del fields["vector"]
        fields["created_at"] = trace.created_at.isoformat()
        yield _line({TRACE: {name: value for name, value in fields.items() if value is not None}})


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False)
