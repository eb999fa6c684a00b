"""get_memory: read one memory and, on request, its history."""

from __future__ import annotations

from mem_mcp.api.manage import GetMemory
from mem_mcp.api.models import GetResult
from mem_mcp.retrieval.access import find
from mem_mcp.runtime import Runtime
from mem_mcp.store.table import ROW_COLUMNS


async def get_memory(runtime: Runtime, request: GetMemory) -> GetResult:
    """Read the current version of a memory; with history all versions, even if forgotten.

    Raises:
        InvalidInput: memory_id is not a valid id, or several ids begin so.
        NotFound: there is no such memory for this caller.
    """
    scope = request.scope(runtime.settings.user_id)
    newest = await find(runtime.store, scope, request.memory_id, deleted=request.history)
    if not request.history:
        return GetResult(memory=newest.memory)
    rows = await runtime.store.read(
        {"memory_id": newest.memory.memory_id, "user_id": newest.memory.user_id},
        columns=[*ROW_COLUMNS, "source"],
        order=[("version", True)],
    )
    return GetResult(memory=newest.memory, versions=[row.memory for row in rows])
