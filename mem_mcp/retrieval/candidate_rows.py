"""The table of candidates: stored rows, and the same rows laid out for ranking."""

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
from mem_mcp.store import matrix, passage_vectors

COLUMNS = (
    "version_id", "memory_id", "text", "vector", "passages", "kind", "user_id", "agent_id",
    "run_id", "actor_id", "role", "position", "tags", "entities", "relations", "metadata",
    "occurred_at", "valid_until", "recorded_at", "expires_at", "outcome_type", "task_type",
    "tool_name", "used", "evidence",
)  # fmt: skip
"""Columns that ranking and the results need."""
# Converted to Python values for every candidate; the other columns only for the results.
_RANKED = (
    "memory_id", "text", "kind", "user_id", "run_id", "actor_id", "position", "entities",
    "outcome_type", "tool_name",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """Candidate rows without vectors, and the same rows, in the same order, for ranking."""

    rows: pa.Table
    candidates: Candidates

    @classmethod
    def of(cls, rows: pa.Table) -> CandidateTable:
        """Build the table from rows that have COLUMNS."""
        return cls(rows.drop_columns(["vector", "passages"]), _for_ranking(rows))

    def revised(self, changed: Collection[str], rows: pa.Table) -> CandidateTable:
        """Return a table in which the rows of changed memories are replaced.

        Args:
            changed: memory_ids of all memories that may have changed.
            rows: current rows of these memories, with COLUMNS; a memory without a row is removed.
        """
        ids = self.candidates.memory_ids
        kept = [index for index, memory_id in enumerate(ids) if memory_id not in changed]
        if len(kept) == len(ids) and not rows.num_rows:
            return self
        new = CandidateTable.of(rows)
        old = self.rows if len(kept) == len(ids) else self.rows.take(pa.array(kept, pa.int64()))
        return CandidateTable(
            pa.concat_tables([old, new.rows]).combine_chunks(),
            _joined(self.candidates, kept, new.candidates),
        )

    def current(self, moment: datetime) -> NDArray[np.bool_]:
        """Return which rows still hold at a moment."""
        ends = self.rows["valid_until"]
        return np.asarray(pc.or_kleene(pc.is_null(ends), pc.greater(ends, pa.scalar(moment))))

    @property
    def size(self) -> int:
        """Approximate size in bytes, with the vectors of passages as read and as compared."""
        of_passages = sum(own.nbytes for own in self.candidates.by_passage if own is not None)
        return int(self.rows.nbytes + self.candidates.vectors.nbytes + 2 * of_passages)

    @property
    def first_expiry(self) -> datetime | None:
        """The earliest time at which a row expires; None if no row expires."""
        earliest: datetime | None = pc.min(self.rows["expires_at"]).as_py()
        return earliest


def _for_ranking(rows: pa.Table) -> Candidates:
    columns = {name: rows[name].to_pylist() for name in _RANKED}
    positions = [-1 if position is None else position for position in columns["position"]]
    # Two users may use the same run_id for different runs.
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
        by_passage=passage_vectors(rows),
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
        ends_at=np.nan_to_num(_seconds(rows["valid_until"]), nan=np.inf),
        relations=edges(rows["relations"]),
    )


def edges(relations: pa.ChunkedArray) -> list[Sequence[tuple[str, str, str]]]:
    """Return the edges of each row as (source, relation, target)."""
    sizes = pc.list_value_length(relations).fill_null(0).to_pylist()
    if not any(sizes):  # most scopes have no relations
        return [()] * len(sizes)
    flat = pc.list_flatten(relations)
    parts = (pc.struct_field(flat, name).to_pylist() for name in ("source", "relation", "target"))
    all_edges = zip(*parts, strict=True)
    return [tuple(islice(all_edges, size)) for size in sizes]


def _joined(old: Candidates, kept: Sequence[int], new: Candidates) -> Candidates:
    """Return the kept rows of the old candidates, followed by the new ones."""
    columns: dict[str, Any] = {}
    for name in (field.name for field in fields(Candidates)):
        old_column, new_column = getattr(old, name), getattr(new, name)
        if isinstance(old_column, np.ndarray):
            columns[name] = np.concatenate([old_column[kept], new_column])
        else:
            columns[name] = [*(old_column[index] for index in kept), *new_column]
    return Candidates(**columns)


def _seconds(times: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(times.cast(pa.int64()).to_numpy(), dtype=np.float64) / 1e6
