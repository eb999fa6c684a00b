"""Closing one version and opening the next, in one commit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from mem_mcp.models import Event, Memory, Scope
from mem_mcp.store import Vector, Version


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
