"""From ranked rows to the memories of an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from mem_mcp.api.models import Memory
from mem_mcp.ranking import Ranking
from mem_mcp.retrieval.feedback_signals import FeedbackHistory
from mem_mcp.store import from_arrow


def recalled(
    rows: pa.Table,
    ranking: Ranking,
    chosen: Sequence[int],
    also: Mapping[int, list[str]],
    explained_by: FeedbackHistory | None = None,
) -> list[tuple[Memory, dict[str, Any]]]:
    """Return each chosen row and the fields of its `Recalled`.

    Args:
        rows: of the candidates.
        ranking: of the same.
        chosen: places of rows.
        also: ids of the copies that rows stand for, by their places.
        explained_by: with the parts of each score, and with these marks; None for without.
    """
    versions = from_arrow(rows.take(pa.array(chosen, pa.int64())))
    ids = {row: version.memory.memory_id for row, version in zip(chosen, versions, strict=True)}
    answer = []
    for version, row in zip(versions, chosen, strict=True):
        fields = _fields(version.memory, ranking, row, also, explained_by)
        fields["newer_than"] = [ids[old] for old in ranking.later.get(row, ()) if old in ids]
        answer.append((version.memory, fields))
    return answer


def _fields(
    memory: Memory,
    ranking: Ranking,
    index: int,
    also: Mapping[int, list[str]],
    explained_by: FeedbackHistory | None,
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "memory_id": memory.memory_id,
        "text": memory.text,
        "kind": memory.kind,
        "score": float(ranking.score[index]),
        "tags": memory.tags,
        "metadata": memory.metadata,
        "user_id": memory.user_id,
        "agent_id": memory.agent_id,
        "run_id": memory.run_id,
        "actor_id": memory.actor_id,
        "occurred_at": memory.occurred_at,
        "recorded_at": memory.recorded_at,
        "valid_until": memory.valid_until,
        "relations": memory.relations,
        "also": also.get(index, []),
    }
    if explained_by is not None:
        parts = ranking.parts.items()
        fields["scores"] = {name: round(float(part[index]), 6) for name, part in parts}
        fields["marks"] = explained_by.tally(memory.memory_id)
    return fields
