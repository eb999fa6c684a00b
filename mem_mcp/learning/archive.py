"""Archiving: out of recall with what has expired, and with what harms more than it helps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mem_mcp.api.models import RECALLABLE, Archived, Scope, Tally
from mem_mcp.config import ArchiveSettings
from mem_mcp.learning.signal_counts import (
    help_and_harm,
    marks,
    outcomes,
    ratings,
    recalled,
    shortened,
    tallies,
    trace_window,
)
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.times import utc_now
from mem_mcp.writing.versions import succeed

AT_ONCE = 1_000
"""Rows of one read or commit."""
_ACTOR = Scope(user_id="maintain")
_RECALLED = every(current(), {"status": {"in": [*RECALLABLE]}})


@dataclass(frozen=True, slots=True)
class _Due:
    version_id: str
    archived: Archived


async def archive(runtime: Runtime, *, dry_run: bool = False) -> list[Archived]:
    """Archive what the settings' section `archive` says.

    Args:
        runtime: what to work with.
        dry_run: only say what would be archived.

    Returns:
        What was archived. What others change meanwhile is left for the next pass.

    Raises:
        StoreError: LanceDB or the disk refused; some may have been archived.
    """
    settings, now = runtime.settings.archive, utc_now()
    due = await _expired(runtime, now) if settings.expired else []
    if settings.harmful and runtime.traces.keep is not None:
        known = {one.version_id for one in due}
        due += [one for one in await _harmful(runtime, now) if one.version_id not in known]
    if dry_run:
        return [one.archived for one in due]
    done: list[Archived] = []
    for start in range(0, len(due), AT_ONCE):
        done += await _apply(runtime, due[start : start + AT_ONCE], now)
    return done


async def _expired(runtime: Runtime, now: datetime) -> list[_Due]:
    rows = await runtime.store.scan(
        every(_RECALLED, {"expires_at": {"lte": now}}),
        ["version_id", "memory_id", "text", "expires_at"],
    )
    return [_due(row, f"expired on {row['expires_at']:%Y-%m-%d}") for row in rows.to_pylist()]


async def _harmful(runtime: Runtime, now: datetime) -> list[_Due]:
    settings = runtime.settings.archive
    marked = marks(await ratings(runtime), await outcomes(runtime))
    suspects = [id_ for id_, tally in tallies(marked).items() if _harms(tally, settings, ratio=0)]
    if not suspects:
        return []
    ids = pa.array(suspects, pa.string())
    _, answers = await recalled(runtime, now - trace_window(runtime))
    marked, answers = (
        table.filter(pc.is_in(table["memory_id"], ids)) for table in (marked, answers)
    )
    # What was said before a memory changed, or was brought back, is not held against it.
    changed = await _last_changes(runtime, suspects)
    counts = Counter(_since(answers, changed)["memory_id"].to_pylist())
    said = tallies(_since(marked, changed))
    return [
        _due(row, _reason(counts[row["memory_id"]], said[row["memory_id"]]))
        for row in changed.to_pylist()
        if counts[row["memory_id"]] >= settings.least_recalls
        and _harms(said.get(row["memory_id"], Tally()), settings, settings.harm_ratio)
    ]


def _harms(tally: Tally, settings: ArchiveSettings, ratio: float) -> bool:
    good, bad = help_and_harm(tally)
    return bad >= settings.least_harm and bad >= ratio * good


async def _last_changes(runtime: Runtime, ids: Sequence[str]) -> pa.Table:
    """Read the versions of memories that recall sees, and since when each is the current one."""
    columns = ["version_id", "memory_id", "text", "recorded_at"]
    parts = [
        await runtime.store.scan(
            every(_RECALLED, {"memory_id": {"in": [*ids[start : start + AT_ONCE]]}}), columns
        )
        for start in range(0, len(ids), AT_ONCE)
    ]
    return pa.concat_tables(parts)


def _since(events: pa.Table, changed: pa.Table) -> pa.Table:
    changes = changed.select(["memory_id", "recorded_at"])
    joined = events.join(changes, "memory_id", join_type="inner")
    return joined.filter(pc.greater_equal(joined["at"], joined["recorded_at"]))


def _due(row: dict[str, Any], reason: str) -> _Due:
    archived = Archived(
        memory_id=row["memory_id"], text=shortened(row["text"]), reason=f"archived: {reason}"
    )
    return _Due(row["version_id"], archived)


def _reason(recalls: int, said: Tally) -> str:
    against = said.negative + said.very_negative
    marks_against = f"{against} mark{'' if against == 1 else 's'} against"
    parts = [f"recalled {recalls} times", f"{marks_against} and {said.positive} for it"]
    if said.successes or said.failures:
        parts.append(f"outcomes that used it: {said.failures} failure, {said.successes} success")
    return ", ".join(parts)


async def _apply(runtime: Runtime, due: Sequence[_Due], now: datetime) -> list[Archived]:
    store, planned = runtime.store, {one.version_id: one.archived for one in due}
    # Only where it is still the current version: somebody may just have prolonged it.
    rows = await store.read(
        every(_RECALLED, {"version_id": {"in": [*planned]}}), columns=EVERY_FIELD
    )
    pairs = [
        succeed(
            row,
            "UPDATE",
            _ACTOR,
            now,
            fields={"status": "archived", "reason": planned[row.memory.version_id].reason},
            vector=row.vector,
        )
        for row in rows
    ]
    if not pairs:
        return []
    won = [new.memory for _, new in pairs]
    if not await store.apply([new for _, new in pairs], close=[old for old, _ in pairs]):
        # Others took some of these version_ids first: what is there now tells which.
        rows = await store.read(
            {"version_id": {"in": [memory.version_id for memory in won]}},
            columns=["version_id", "recorded_at"],
        )
        ours = {(row.memory.version_id, row.memory.recorded_at) for row in rows}
        won = [memory for memory in won if (memory.version_id, memory.recorded_at) in ours]
    by_memory = {one.memory_id: one for one in planned.values()}
    return [by_memory[memory.memory_id] for memory in won]
