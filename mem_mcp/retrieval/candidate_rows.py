"""What is ranked for a question."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mem_mcp.ranking import Candidates
from mem_mcp.store import matrix

COLUMNS = (
    "version_id", "memory_id", "text", "vector", "kind", "user_id", "agent_id", "run_id",
    "actor_id", "role", "position", "tags", "entities", "relations", "metadata", "occurred_at",
    "valid_until", "recorded_at", "expires_at", "outcome_type", "task_type", "tool_name", "used",
    "evidence",
)  # fmt: skip
"""What ranking and its answer need of a row."""
# Turned into Python's own values for every candidate; the rest only for those that answer.
_RANKED = (
    "memory_id", "text", "kind", "user_id", "run_id", "actor_id", "position", "entities",
    "outcome_type", "tool_name",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """Rows without their vectors, and the same laid out for ranking."""

    rows: pa.Table
    candidates: Candidates

    @classmethod
    def of(cls, rows: pa.Table) -> CandidateTable:
        """Lay out rows that have COLUMNS."""
        return cls(rows.drop_columns("vector"), _laid_out(rows))

    def revised(self, touched: Collection[str], rows: pa.Table) -> CandidateTable:
        """Return these candidates with some memories as they are now.

        Args:
            touched: memory_ids of all that may have changed.
            rows: what there is of these now, with COLUMNS.
        """
        ids = self.candidates.memory_ids
        kept = [index for index, memory_id in enumerate(ids) if memory_id not in touched]
        if len(kept) == len(ids) and not rows.num_rows:
            return self
        new = CandidateTable.of(rows)
        old = self.rows if len(kept) == len(ids) else self.rows.take(pa.array(kept, pa.int64()))
        return CandidateTable(
            pa.concat_tables([old, new.rows]).combine_chunks(),
            _joined(self.candidates, kept, new.candidates),
        )

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return int(self.rows.nbytes + self.candidates.vectors.nbytes)

    @property
    def until(self) -> datetime | None:
        """When the first of the rows expires; None if none does."""
        first: datetime | None = pc.min(self.rows["expires_at"]).as_py()
        return first


def _laid_out(rows: pa.Table) -> Candidates:
    columns = {name: rows[name].to_pylist() for name in _RANKED}
    positions = [-1 if position is None else position for position in columns["position"]]
    # Runs of different users are different runs.
    run_ids = [
        None if run is None and position < 0 else f"{user}\x1f{run or ''}"
        for user, run, position in zip(
            columns["user_id"], columns["run_id"], positions, strict=True
        )
    ]
    return Candidates(
        memory_ids=columns["memory_id"],
        texts=columns["text"],
        vectors=matrix(rows),
        run_ids=run_ids,
        positions=np.asarray(positions, dtype=np.int64),
        actor_ids=columns["actor_id"],
        kinds=columns["kind"],
        entities=columns["entities"],
        labels=[
            f"{outcome or ''}\x1f{tool or ''}"
            for outcome, tool in zip(columns["outcome_type"], columns["tool_name"], strict=True)
        ],
        occurred_at=_seconds(rows["occurred_at"]),
        recorded_at=_seconds(rows["recorded_at"]),
        relations=edges(rows["relations"]),
    )


def edges(relations: pa.ChunkedArray) -> list[Sequence[tuple[str, str, str]]]:
    """Return (source, relation, target) of each edge of each row."""
    sizes = pc.list_value_length(relations).fill_null(0).to_pylist()
    if not any(sizes):  # as in most scopes
        return [()] * len(sizes)
    flat = pc.list_flatten(relations)
    parts = (pc.struct_field(flat, name).to_pylist() for name in ("source", "relation", "target"))
    each = zip(*parts, strict=True)
    return [tuple(islice(each, size)) for size in sizes]


def _joined(old: Candidates, kept: Sequence[int], new: Candidates) -> Candidates:
    columns: dict[str, Any] = {}
    for name in (field.name for field in fields(Candidates)):
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, np.ndarray):
            columns[name] = np.concatenate([before[kept], after])
        else:
            columns[name] = [*(before[index] for index in kept), *after]
    return Candidates(**columns)


def _seconds(times: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(times.cast(pa.int64()).to_numpy(), dtype=np.float64) / 1e6
