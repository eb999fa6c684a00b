"""update_memory: a new version of a memory with what changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mem_mcp.api import checks
from mem_mcp.api.arguments import end, moment
from mem_mcp.api.manage import UpdateMemory
from mem_mcp.api.models import Memory, UpdateResult
from mem_mcp.errors import InvalidInput, WriteConflict
from mem_mcp.learning.archive import EXPIRED
from mem_mcp.retrieval.access import check_may_change, find
from mem_mcp.runtime import WRITE_ATTEMPTS, Runtime
from mem_mcp.times import utc_now
from mem_mcp.writing.quota import check_quota, is_bounded
from mem_mcp.writing.versions import next_version, with_embedding


async def update_memory(runtime: Runtime, request: UpdateMemory) -> UpdateResult:
    """Change a memory; its earlier versions stay.

    Raises:
        InvalidInput: an argument was refused, or nothing is to change.
        NotFound: no such memory for this caller.
        NotPermitted: a shared memory of another writer.
        QuotaExceeded: the user may not have so many bytes.
        WriteConflict: other writers kept winning.
    """
    scope = request.scope(runtime.settings.user_id)
    change = _check(runtime, request)
    for _ in range(WRITE_ATTEMPTS):
        old = await find(runtime.store, scope, request.memory_id)
        await check_may_change(runtime, scope, old.memory)
        now = utc_now()
        fields = _differences(old.memory, change, now)
        if not fields:
            await runtime.store.settle()
            return UpdateResult(
                memory_id=old.memory.memory_id, event="NONE", version=old.memory.version
            )
        if "text" in fields and old.memory.kind not in ("outcome", "lesson"):
            # Quotes of what it said before are none for what it says now; its history keeps them.
            fields["evidence"] = []
        fields["reason"] = request.reason or None
        vectors, fields = await with_embedding(runtime, old, fields)
        closed, opened = next_version(old, "UPDATE", scope, now, fields=fields, vectors=vectors)
        if is_bounded(runtime):
            await check_quota(runtime, [opened])
        if await runtime.store.apply([opened], close=[closed]):
            return UpdateResult(
                memory_id=opened.memory.memory_id, event="UPDATE", version=opened.memory.version
            )
    raise WriteConflict(f"others keep changing memory {request.memory_id!r}; try again")


def _check(runtime: Runtime, request: UpdateMemory) -> dict[str, Any]:
    most = runtime.settings.remember.max_characters
    change: dict[str, Any] = {
        "text": request.content and checks.required_text(request.content, "content", most),
        "tags": request.tags,
        "metadata": request.metadata,
        "expires_at": moment(request.expires_at),
        "valid_until": moment(request.valid_until),
        "outcome_type": request.outcome,
        "status": request.status,
    }
    change = {name: value for name, value in change.items() if value not in (None, "", {})}
    if not change:
        raise InvalidInput(
            "update_memory",
            "nothing to change; give content, tags, metadata, expires_at, valid_until, outcome "
            "or status",
        )
    return change


def _differences(memory: Memory, change: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    if "outcome_type" in change and memory.kind != "outcome":
        raise InvalidInput("outcome", f"memory {memory.memory_id!r} is a {memory.kind}, no outcome")
    fields = {**change, **_recalled_again(memory, change, now)}
    for name in ("expires_at", "valid_until"):
        if name in fields:
            fields[name] = end(fields[name])
    if "outcome_type" in fields and memory.status == "pending":
        fields = {"status": "active", **fields}  # somebody judged it: no model needs to
    if "metadata" in fields:
        merged = {**memory.metadata, **fields["metadata"]}
        fields["metadata"] = {key: value for key, value in merged.items() if value is not None}
        checks.metadata(fields["metadata"])
    return {name: value for name, value in fields.items() if value != getattr(memory, name)}


def _recalled_again(memory: Memory, change: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return what else has to change so that a memory that is to be recalled again is.

    Raises:
        InvalidInput: it is to be active and expired.
    """
    expiry = change.get("expires_at", memory.expires_at)
    is_over = expiry is not None and expiry <= now
    if change.get("status") == "active" and is_over:
        if "expires_at" in change:
            raise InvalidInput(
                "expires_at", "is past, so the memory would not be active; give a later time"
            )
        return {"expires_at": None}
    # What was archived because it expired comes back with a later end.
    is_archived = memory.status == "archived" and (memory.reason or "").startswith(EXPIRED)
    if is_archived and "expires_at" in change and not is_over and "status" not in change:
        return {"status": "active"}
    return {}
