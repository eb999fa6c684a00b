"""Repeats: what a text that is stored already brings anew when it is said again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mem_mcp.api import checks
from mem_mcp.api.arguments import end
from mem_mcp.api.models import Memory, Status

_LIVE: tuple[Status, ...] = ("active", "pending", "probation")
_ADDED = ("tags", "entities", "relations", "used", "evidence")
_REPLACED = (
    "valid_until", "expires_at", "outcome_type", "task_type", "tool_name", "severity",
    "agent_version", "confidence",
)  # fmt: skip
_ENDS = ("valid_until", "expires_at")


def is_live(memory: Memory, now: datetime) -> bool:
    """Whether a stored memory is neither hidden, archived nor expired."""
    return memory.status in _LIVE and not _is_over(memory.expires_at, now)


def news(stored: Memory, said: Memory, now: datetime) -> dict[str, Any]:
    """Return the fields of a stored memory that change when its text is said again.

    Args:
        stored: its current version, whole.
        said: the memory as it was given now. An end of NEVER takes that of the stored one off.
        now: the moment at which ends are past.

    Returns:
        Lists with what is new in them added, metadata merged by key, other fields replaced where
        they are given. What is hidden, archived, expired or no longer valid comes back, unless it
        is said again as something that is over. Empty where nothing is new.

    Raises:
        InvalidInput: the merged metadata is too large.
    """
    fields: dict[str, Any] = {}
    for name in _ADDED:
        before = getattr(stored, name)
        fields[name] = [*before, *(each for each in getattr(said, name) if each not in before)]
    fields["metadata"] = {**stored.metadata, **said.metadata}
    given = {name: value for name in _REPLACED if (value := getattr(said, name)) is not None}
    if said.occurred_at != said.recorded_at:
        given["occurred_at"] = said.occurred_at
    if is_live(said, now):
        fields |= {name: None for name in _ENDS if _is_over(getattr(stored, name), now)}
        if stored.status not in _LIVE:
            fields["status"] = "active"
    fields |= given | {name: end(given[name]) for name in _ENDS if name in given}
    changed = {name: value for name, value in fields.items() if value != getattr(stored, name)}
    if "metadata" in changed:
        checks.metadata(changed["metadata"])
    return changed


def _is_over(end_: datetime | None, now: datetime) -> bool:
    return end_ is not None and end_ <= now
