"""Closing one version and opening the next, in one commit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from mem_mcp.api.models import Event, Memory, Scope
from mem_mcp.runtime import Runtime
from mem_mcp.store import Vector, Version
from mem_mcp.text import content_hash
from mem_mcp.writing.identity import spoken


def succeed(
    old: Version,
    event: Event,
    scope: Scope,
    now: datetime,
    *,
    fields: dict[str, Any],
    vector: Vector | None,
) -> tuple[Version, Version]:
    """Return the closed old version and the one that follows it.

    Args:
        old: the current version, with every field.
        event: what makes the new one.
        scope: who asks.
        now: transaction time; moved behind the old version's where clocks disagree.
        fields: what differs in the new version.
        vector: the new version's.
    """
    moment = max(now, old.memory.recorded_at + timedelta(microseconds=1))
    version = old.memory.version + 1
    closed = old.memory.model_copy(update={"superseded_at": moment})
    opened: Memory = old.memory.model_copy(
        update={
            "reason": None,
            **fields,
            "version_id": f"{old.memory.memory_id}.{version}",
            "version": version,
            "event": event,
            "actor": scope.user_id,
            "recorded_at": moment,
            "request_key": None,
        }
    )
    return Version(closed, old.vector), Version(opened, vector)


def end(
    old: Version, scope: Scope, now: datetime, reason: str | None = None
) -> tuple[Version, Version]:
    """Return the closed old version and the one that says that the memory is no more."""
    # The version that ends keeps its source, which may be megabytes.
    fields = {"status": "deleted", "reason": reason, "source": None}
    return succeed(old, "DELETE", scope, now, fields=fields, vector=None)


async def reworded(
    runtime: Runtime, old: Version, fields: dict[str, Any]
) -> tuple[Vector | None, dict[str, Any]]:
    """Return the vector of the version that follows, and its fields with what depends on the text.

    Args:
        runtime: what to work with.
        old: the current version.
        fields: what differs in the new one.
    """
    if "text" not in fields:
        return old.vector, fields
    text = fields["text"]
    (vector,), _ = await runtime.embed([spoken(old.memory.model_copy(update={"text": text}))])
    return vector, {**fields, "content_hash": content_hash(text)}
