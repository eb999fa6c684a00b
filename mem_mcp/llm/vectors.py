"""Vectors and relevance scores as providers send them: checked, and in the order asked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mem_mcp.errors import LLMBadOutput

BATCH = 96
"""Texts in one request: what the strictest of the common providers takes."""


def in_order(rows: Sequence[Any], field: str, count: int, model: str) -> list[Any]:
    """Return one field of each row, ordered by the rows' index.

    Args:
        rows: dicts or objects with an index.
        field: what to take of each.
        count: how many there must be.
        model: what to name in an error.

    Raises:
        LLMBadOutput: an index is missing, or comes twice.
    """
    by_index = {_get(row, "index"): _get(row, field) for row in rows}
    if len(rows) != count or by_index.keys() != set(range(count)):
        raise LLMBadOutput(f"{model} answered {len(rows)} of {count} texts; use another model")
    return [by_index[index] for index in range(count)]


def _get(row: Any, field: str) -> Any:  # noqa: ANN401 - the library sends either
    return row[field] if isinstance(row, dict) else getattr(row, field)
