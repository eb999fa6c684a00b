"""Import and export of memories as JSON Lines, one memory per line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any

from pydantic import ValidationError

from mem_mcp.api import checks, words
from mem_mcp.api.models import (
    ImportResult,
    Kind,
    LineError,
    Memory,
    Outcome,
    Scope,
    Severity,
    Status,
)
from mem_mcp.errors import InvalidInput, MemError
from mem_mcp.operations.remember import store_memories
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.store.table import ROW_COLUMNS
from mem_mcp.text import check_text
from mem_mcp.times import optional_time, utc_now
from mem_mcp.writing.identity import new_memory

BATCH = 512
_BATCH_BYTES = 100_000_000
"""Bytes of lines that are stored together; Arrow allows 2 GB per column."""

# Fields that the importing store sets itself.
_DERIVED = frozenset(
    {"version_id", "memory_id", "version", "event", "embedder", "content_hash", "recorded_at",
     "superseded_at", "request_key", "actor"}
)  # fmt: skip
_FIELDS = tuple(Memory.model_fields)


async def import_lines(
    runtime: Runtime,
    lines: Iterable[bytes],
    *,
    user_id: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> ImportResult:
    """Store one memory per line; bad lines are skipped and listed in the result.

    Args:
        runtime: the open memory.
        lines: JSON objects with the fields of a memory; `content` is accepted for `text`.
        user_id: owner of memories whose line has no user_id; "" for the default user.
        progress: called with the number of lines processed since its last call.
    """
    imported, duplicates, batch_bytes = 0, 0, 0
    errors: list[LineError] = []
    batch: list[tuple[int, Memory]] = []

    async def store() -> None:
        nonlocal imported, duplicates, batch_bytes
        if batch:
            results = (await store_memories(runtime, [memory for _, memory in batch])).results
            added = sum(result.event == "ADD" for result in results)
            imported, duplicates = imported + added, duplicates + len(results) - added
            progress(len(batch))
            batch.clear()
            batch_bytes = 0

    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            batch.append((number, _memory(runtime, line, user_id)))
        except MemError as error:
            errors.append(LineError(line=number, error=str(error)))
            progress(1)
        else:
            batch_bytes += len(line)
        if len(batch) == BATCH or batch_bytes > _BATCH_BYTES:
            await store()
    await store()
    return ImportResult(imported=imported, duplicates=duplicates, errors=errors)


async def export_lines(runtime: Runtime, *, user_id: str = "") -> AsyncIterator[str]:
    """Yield the current memories as JSON, oldest first; empty fields are left out.

    Args:
        runtime: the open memory.
        user_id: owner of the memories; "" for all users.
    """
    owner = {"user_id": user_id} if user_id else {}
    after: dict[str, Any] = {}
    while True:
        rows = await runtime.store.read(
            every(owner, current(), {"status": {"ne": "deleted"}}, after),
            columns=[*ROW_COLUMNS, "source"],
            order=[("recorded_at", True), ("version_id", True)],
            limit=BATCH,
        )
        for row in rows:
            filled = row.memory.model_dump(mode="json", exclude_defaults=True)
            yield json.dumps(filled, ensure_ascii=False)
        if len(rows) < BATCH:
            return
        last = rows[-1].memory
        after = {
            "OR": [
                {"recorded_at": {"gt": last.recorded_at}},
                {"recorded_at": last.recorded_at, "version_id": {"gt": last.version_id}},
            ]
        }


def _memory(runtime: Runtime, line: bytes, user_id: str) -> Memory:
    fields = _object(line)
    if unknown := [name for name in fields if name not in _FIELDS]:
        raise InvalidInput(unknown[0], f"no such field; allowed: {', '.join(_FIELDS)}")
    fields = {k: v for k, v in fields.items() if k not in _DERIVED and v is not None}
    most = runtime.settings.remember.max_characters
    text = checks.required_text(fields.pop("text", ""), "text", most)
    scope = checks.scope(
        runtime.settings.user_id,
        fields.pop("user_id", "") or user_id,
        fields.pop("agent_id", ""),
        fields.pop("run_id", ""),
    )
    return _checked(scope, text, fields)


def _object(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput("format", f"is not UTF-8 (byte {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput("format", f"is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidInput("format", "is not a JSON object")
    if "content" in fields:
        if "text" in fields:
            raise InvalidInput("content", "is another name of text; give one of them")
        fields["text"] = fields.pop("content")
    return fields


def _checked(scope: Scope, text: str, fields: dict[str, Any]) -> Memory:
    readers: dict[str, Callable[[Any], Any]] = {
        "kind": lambda v: words.word(v, "kind", checks.literal(Kind)),
        "status": lambda v: words.word(v, "status", checks.literal(Status)),
        "outcome_type": lambda v: words.word(v, "outcome_type", checks.literal(Outcome)),
        "severity": lambda v: words.word(v, "severity", checks.literal(Severity)),
        "metadata": checks.metadata,
        "relations": checks.relations,
        "position": lambda v: checks.count(v, "position"),
        "confidence": lambda v: checks.fraction(v, "confidence"),
        # No limit on the length: the source of pending input includes its pictures.
        "source": lambda v: check_text(v, "source"),
        "reason": lambda v: check_text(v, "reason"),
    }
    for field in ("tags", "entities", "used", "evidence"):
        readers[field] = partial(checks.names, argument=field)
    for field in ("occurred_at", "valid_until", "expires_at"):
        readers[field] = partial(optional_time, argument=field)
    values = {
        name: readers[name](value) if name in readers else checks.name(value, name)
        for name, value in fields.items()
    }
    values.setdefault("kind", "fact")
    if values["kind"] == "outcome":
        # The default of record_outcome. Recall of lessons skips outcomes without a type.
        values.setdefault("outcome_type", "unknown")
    try:
        return new_memory(scope, text, utc_now(), **values)
    except ValidationError as error:
        raise InvalidInput("format", str(error.errors()[0]["msg"])) from error
