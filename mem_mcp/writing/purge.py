"""Delete memories with all that was said of them, and find what still holds their texts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.logs.buffered import WRITTEN_WITHIN_SECONDS
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters

_TELLING = 12
"""Characters from which a text that is a part of another one is its quote, not chance."""
_MOST_SOUGHT = 50
"""Texts to look for in other memories, which costs a search of all of them for each."""


async def texts_of(runtime: Runtime, memory_ids: Sequence[str]) -> list[str]:
    """Return the texts of all versions of some memories, the latest first."""
    rows = await runtime.store.read(
        {"memory_id": {"in": list(memory_ids)}},
        columns=["text"],
        order=[("recorded_at", False)],
    )
    return [text for text in dict.fromkeys(row.memory.text for row in rows) if text.strip()]


async def purge(runtime: Runtime, memory_ids: Sequence[str]) -> None:
    """Delete every version of some memories, and the marks on them."""
    # Marks first: if this fails, the memory is still there, and the call can be repeated.
    await runtime.ratings.erase(memory_ids)
    await runtime.store.delete({"memory_id": {"in": list(memory_ids)}})


async def write_traces(runtime: Runtime) -> None:
    """Wait until the answers given so far are in the log, those of other processes as well."""
    await runtime.traces.flush()
    processes = runtime.store.processes
    if processes is None or processes.others_alive():
        await asyncio.sleep(WRITTEN_WITHIN_SECONDS)


async def strip_logs(runtime: Runtime, texts: Sequence[str]) -> None:
    """Delete answers of recall, and empty the questions and reasons of marks, that hold a text."""
    if not texts:
        return
    await write_traces(runtime)
    rows = await runtime.traces.log.read(["recall_id", "query", "arguments"])
    traced = [
        row["recall_id"]
        for row in rows.to_pylist()
        if _holds(row["query"], texts) or _holds(row["arguments"], [*map(_in_json, texts)])
    ]
    await runtime.traces.log.erase("recall_id", traced)
    marks = await runtime.ratings.every()
    await runtime.ratings.redact(
        [one for one in marks if _holds(one.query, texts) or _holds(one.reason or "", texts)]
    )


async def quoting(runtime: Runtime, whose: Filters, texts: Sequence[str]) -> list[str]:
    """Return the ids of memories that hold one of some texts: as theirs, as evidence or source.

    Args:
        runtime: what to work with.
        whose: which memories to look at.
        texts: the latest so many count.
    """
    sought = texts[:_MOST_SOUGHT]
    if not sought:
        return []
    rows = await runtime.store.scan(whose, ["memory_id", "text", "evidence", "source"])
    evidence = pc.binary_join(rows["evidence"], "\n")
    columns = [pc.fill_null(each, "") for each in (rows["text"], evidence, rows["source"])]
    ids: set[str] = set()
    for text in sought:
        for column, pattern in zip(columns, (text, text, _in_json(text)), strict=True):
            ids.update(rows.filter(_matching(column, {text, pattern}))["memory_id"].to_pylist())
    return sorted(ids)


def _matching(column: pa.ChunkedArray, patterns: Collection[str]) -> pa.ChunkedArray:
    found = None
    for pattern in patterns:
        telling = len(pattern) >= _TELLING
        one = pc.match_substring(column, pattern) if telling else pc.equal(column, pattern)
        found = one if found is None else pc.or_(found, one)
    return found


def _holds(value: str | None, texts: Collection[str]) -> bool:
    return any(value == text or (len(text) >= _TELLING and text in (value or "")) for text in texts)


def _in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
