"""Which rows a call may see, as conditions of the store's filter language."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mem_mcp.models import GLOBAL_USER, RECALLABLE, Scope
from mem_mcp.store import Filters, check_filters, fields_of


def owned(scope: Scope, *, include_global: bool = False) -> dict[str, Any]:
    """Rows of a scope; an absent agent or run means any."""
    users = {scope.user_id, GLOBAL_USER} if include_global else {scope.user_id}
    conditions: dict[str, Any] = {"user_id": {"in": sorted(users)}}
    if scope.agent_id is not None:
        conditions["agent_id"] = scope.agent_id
    if scope.run_id is not None:
        conditions["run_id"] = scope.run_id
    return conditions


def current(as_of: datetime | None = None) -> dict[str, Any]:
    """Rows that are believed now, or were at a past moment."""
    if as_of is None:
        return {"superseded_at": {"exists": False}}
    return {
        "recorded_at": {"lte": as_of},
        "OR": [{"superseded_at": {"exists": False}}, {"superseded_at": {"gt": as_of}}],
    }


def recallable(moment: datetime, as_of: datetime | None = None) -> dict[str, Any]:
    """Current rows that recall may return at a moment."""
    return every(
        current(as_of),
        {"status": {"in": list(RECALLABLE)}},
        {"OR": [{"expires_at": {"exists": False}}, {"expires_at": {"gt": as_of or moment}}]},
    )


def listable(filters: Filters) -> dict[str, Any]:
    """Current rows that were not forgotten, unless the caller's filters ask about that."""
    asked = fields_of(filters)
    conditions = {} if "superseded_at" in asked else current()
    if "status" not in asked:
        conditions["status"] = {"ne": "deleted"}
    return conditions


def chosen(
    filters: Filters | None,
    *,
    kinds: list[Any],
    tags: list[str],
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[str, Any]:
    """Rows that the caller's own conditions allow.

    Raises:
        InvalidInput: the filters do not compile.
    """
    if filters:
        check_filters(filters)
    occurred = {"gte": since, "lte": until}
    return every(
        filters or {},
        {"kind": {"in": kinds}} if kinds else {},
        {"tags": {"in": tags}} if tags else {},
        *({"occurred_at": {word: time}} for word, time in occurred.items() if time),
    )


def every(*conditions: Filters) -> dict[str, Any]:
    """All of several conditions."""
    present = [condition for condition in conditions if condition]
    return {"AND": present} if present else {}
