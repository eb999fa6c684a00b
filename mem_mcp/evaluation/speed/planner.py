"""How well the planner searches: its answers against exact ones, by what a filter leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from statistics import fmean, median
from time import perf_counter
from typing import Any

import numpy as np

from mem_mcp.evaluation.speed.floor import LIMIT
from mem_mcp.evaluation.speed.layout import TAGS
from mem_mcp.evaluation.speed.report import Nearest
from mem_mcp.evaluation.speed.setup import Rig
from mem_mcp.evaluation.speed.timing import paced
from mem_mcp.store import Filters, Vector

_SHARES: Mapping[str, int] = {"10 %": 10, "1 %": 100, "0.1 %": 1_000, "0.01 %": 10_000}
_COLUMNS = ["version_id"]


async def plans(rig: Rig) -> list[Nearest]:
    """Search at every selectivity, with the planner's choice and exactly."""
    asked = list(islice(rig.questions, rig.counts.searches))
    vectors = await rig.floor.embedder.embed(asked)
    rows = [await _plan(rig, "100 %", vectors, {}, "")]
    for name, one_in in _SHARES.items():
        tag = TAGS[one_in]
        where = f"array_has_any(tags, ['{tag}'])"
        rows.append(await _plan(rig, name, vectors, {"tags": tag}, where))
    return rows


async def _plan(
    rig: Rig, name: str, vectors: Sequence[Vector] | Vector, filters: Filters, where: str
) -> Nearest:
    times: list[tuple[float, float]] = []
    recall: list[float] = []
    for number in paced(len(vectors), rig.counts.seconds):
        start = perf_counter()
        (found,) = await rig.store.nearest(
            np.stack([vectors[number]]), filters, _COLUMNS, limit=LIMIT
        )
        middle = perf_counter()
        exact = await rig.floor.exact(vectors[number], where, _COLUMNS)
        times.append((middle - start, perf_counter() - middle))
        recall.append(_found(found, exact["version_id"].to_pylist()))
    ours, floor = zip(*times, strict=True)
    return Nearest(
        case=name,
        size=rig.size,
        matches=await rig.store.count(filters),
        calls=len(times),
        recall_at_10=round(fmean(recall), 4),
        milliseconds=round(1_000 * median(ours), 3),
        exact_milliseconds=round(1_000 * median(floor), 3),
    )


def _found(rows: Sequence[Mapping[str, Any]], exact: Sequence[str]) -> float:
    return len({row["version_id"] for row in rows} & set(exact)) / (len(exact) or 1)
