"""Archiving: memories that expired, or did more harm than good, leave recall."""

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
from mem_mcp.current_client import through
from mem_mcp.display import one_line
from mem_mcp.learning.signal_counts import (
    all_signals,
    help_and_harm,
    outcomes,
    ratings,
    recalled,
    tallies,
    trace_window,
)
from mem_mcp.retrieval.access import EVERY_FIELD
from mem_mcp.retrieval.row_filters import current, every
from mem_mcp.runtime import Runtime
from mem_mcp.times import utc_now
from mem_mcp.writing.versions import next_version

AT_ONCE = 1_000
"""Rows of one read or commit."""
EXPIRED = "archived: expired"
"""How the reason of what was archived at its expiry begins."""
_ACTOR = Scope(user_id="maintain")
_RECALLABLE = every(current(), {"status": {"in": [*RECALLABLE]}})


@dataclass(frozen=True, slots=True)
class _Due:
    version_id: str
    archived: Archived


async def archive(runtime: Runtime, *, dry_run: bool = False) -> list[Archived]:
    """Archive memories as the section `archive` of the settings says.

    Args:
        runtime: what to work with.
        dry_run: return what would be archived, and change nothing.

    Returns:
        What was archived. Memories that others change meanwhile are left for the next pass.

    Raises:
        StoreError: LanceDB or the disk refused; some memories may have been archived.
    """
    settings, now = runtime.settings.archive, utc_now()
    due = await _expired(runtime, now) if settings.expired else []
    if settings.harmful and runtime.traces.keep is not None:
        expired = {one.version_id for one in due}
        due += [one for one in await _harmful(runtime, now) if one.version_id not in expired]
    if dry_run:
        return [one.archived for one in due]
    archived: list[Archived] = []
    for start in range(0, len(due), AT_ONCE):
        archived += await _apply(runtime, due[start : start + AT_ONCE], now)
    return archived


async def _expired(runtime: Runtime, now: datetime) -> list[_Due]:
    rows = await runtime.store.scan(
        every(_RECALLABLE, {"expires_at": {"lte": now}}),
        ["version_id", "memory_id", "text", "expires_at"],
    )
    return [_due(row, f"{EXPIRED} on {row['expires_at']:%Y-%m-%d}") for row in rows.to_pylist()]


async def _harmful(runtime: Runtime, now: datetime) -> list[_Due]:
    settings = runtime.settings.archive
    signals = all_signals(await ratings(runtime), await outcomes(runtime))
    suspects = [id_ for id_, tally in tallies(signals).items() if _harms(tally, settings, ratio=0)]
    if not suspects:
        return []
    _, recalls = await recalled(runtime, now - trace_window(runtime))
    # What came before a memory changed, or was shown again, does not count against it.
    versions = await _current_versions(runtime, suspects)
    recall_counts = Counter(_since_change(recalls, versions)["memory_id"].to_pylist())
    tally_of = tallies(_since_change(signals, versions))
    return [
        _due(row, _reason(recall_counts[row["memory_id"]], tally_of[row["memory_id"]]))
        for row in versions.to_pylist()
        if recall_counts[row["memory_id"]] >= settings.least_recalls
        and _harms(tally_of.get(row["memory_id"], Tally()), settings, settings.harm_ratio)
    ]


def _harms(tally: Tally, settings: ArchiveSettings, ratio: float) -> bool:
    help_, harm = help_and_harm(tally)
    return harm >= settings.least_harm and harm >= ratio * help_


async def _current_versions(runtime: Runtime, ids: Sequence[str]) -> pa.Table:
    """Read the current versions of memories: version_id, memory_id, text, recorded_at."""
    columns = ["version_id", "memory_id", "text", "recorded_at"]
    parts = [
        await runtime.store.scan(
            every(_RECALLABLE, {"memory_id": {"in": [*ids[start : start + AT_ONCE]]}}), columns
        )
        for start in range(0, len(ids), AT_ONCE)
    ]
    return pa.concat_tables(parts)


def _since_change(events: pa.Table, versions: pa.Table) -> pa.Table:
    """Return the events (memory_id, at) on these versions since they were recorded."""
    changes = versions.select(["memory_id", "recorded_at"])
    joined = events.join(changes, "memory_id", join_type="inner")
    return joined.filter(pc.greater_equal(joined["at"], joined["recorded_at"]))


def _due(row: dict[str, Any], reason: str) -> _Due:
    archived = Archived(memory_id=row["memory_id"], text=one_line(row["text"]), reason=reason)
    return _Due(row["version_id"], archived)


def _reason(recalls: int, tally: Tally) -> str:
    against = tally.negative + tally.very_negative
    marks_against = f"{against} mark{'' if against == 1 else 's'} against"
    parts = [f"archived: recalled {recalls} times", f"{marks_against} and {tally.positive} for it"]
    if tally.successes or tally.failures:
        parts.append(f"outcomes that used it: {tally.failures} failure, {tally.successes} success")
    return ", ".join(parts)


async def _apply(runtime: Runtime, due: Sequence[_Due], now: datetime) -> list[Archived]:
    store, planned = runtime.store, {one.version_id: one.archived for one in due}
    # Only versions that are still current: others may just have prolonged a memory.
    rows = await store.read(
        every(_RECALLABLE, {"version_id": {"in": [*planned]}}), columns=EVERY_FIELD
    )
    pairs = []
    with through(None):  # nobody asked for it
        for row in rows:
            fields = {"status": "archived", "reason": planned[row.memory.version_id].reason}
            pairs.append(
                next_version(row, "UPDATE", _ACTOR, now, fields=fields, vectors=row.vectors)
            )
    if not pairs:
        return []
    stored = [new.memory for _, new in pairs]
    if not await store.apply([new for _, new in pairs], close=[old for old, _ in pairs]):
        # Other writers took some of these version_ids first: keep those whose row is ours.
        rows = await store.read(
            {"version_id": {"in": [memory.version_id for memory in stored]}},
            columns=["version_id", "recorded_at"],
        )
        ours = {(row.memory.version_id, row.memory.recorded_at) for row in rows}
        stored = [one for one in stored if (one.version_id, one.recorded_at) in ours]
    by_memory = {one.memory_id: one for one in planned.values()}
    return [by_memory[memory.memory_id] for memory in stored]
