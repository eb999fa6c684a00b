"""Versions: the next version of a memory closes the one before it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from mem_mcp.api.models import Event, Memory, Scope
from mem_mcp.current_client import current_client
from mem_mcp.runtime import Runtime
from mem_mcp.store import TextVectors, Version
from mem_mcp.text import content_hash
from mem_mcp.writing.text_vectors import embed_said


def next_version(
    old: Version,
    event: Event,
    scope: Scope,
    now: datetime,
    *,
    fields: dict[str, Any],
    vectors: TextVectors,
) -> tuple[Version, Version]:
    """Return the old version, closed, and the next one; both belong into one commit.

    Args:
        old: the current version, with every field.
        event: why there is a next one.
        scope: who asks; through which client is known of this call.
        now: transaction time; where clocks disagree, a time after the old version's is taken.
        fields: the fields of the next version that differ; `reason` is None unless it is given.
        vectors: of the next version.
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
            "client": current_client(),
            "recorded_at": moment,
            "request_key": None,
        }
    )
    return Version(closed, *old.vectors), Version(opened, *vectors)


def deletion(
    old: Version, scope: Scope, now: datetime, reason: str | None = None
) -> tuple[Version, Version]:
    """Return the old version, closed, and a last one that says that the memory is deleted."""
    # The last version goes without the source, which may be megabytes; the old one keeps it.
    fields = {"status": "deleted", "reason": reason, "source": None}
    return next_version(old, "DELETE", scope, now, fields=fields, vectors=TextVectors())


async def with_embedding(
    runtime: Runtime, old: Version, fields: dict[str, Any]
) -> tuple[TextVectors, dict[str, Any]]:
    """Return the vectors of the next version, and its fields with the hash of a new text.

    Args:
        runtime: what to work with.
        old: the current version; its vectors stay if the text does.
        fields: the fields of the next version that differ.
    """
    if "text" not in fields:
        return old.vectors, fields
    text = fields["text"]
    (vectors,), _ = await embed_said(runtime, [(old.memory.actor_id, text)])
    return vectors, {**fields, "content_hash": content_hash(text)}
