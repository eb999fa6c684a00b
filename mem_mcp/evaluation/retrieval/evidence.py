"""Suites that ask where what is relevant was found, by recall and by other rankings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mem_mcp.embedding import BundledEmbedder
from mem_mcp.evaluation.baselines import Arms
from mem_mcp.evaluation.datasets.dataset import Case
from mem_mcp.evaluation.harness import Bench
from mem_mcp.evaluation.metrics import ranks_of
from mem_mcp.evaluation.retrieval.evidence_report import (
    Found,
    FoundReport,
    by_category,
    figures,
    gain,
    of_others,
    timing,
)
from mem_mcp.text import count_tokens

LIMIT = 20
"""Memories asked for by each recall."""


async def find(bench: Bench, metrics: Sequence[str], **ran: Any) -> FoundReport:  # noqa: ANN401 - a report's fields
    """Ask every question once, and the other rankings beside it.

    Args:
        bench: what to ask.
        metrics: their names.
        ran: what the report says of the run.
    """
    embedder = BundledEmbedder()
    try:
        arms = Arms(embedder) if bench.arms else None
        asked = [await _ask(bench, case, arms) for case in bench.dataset.cases]
    finally:
        embedder.close()
    rows = [row for row, _ in asked]
    seed = bench.seed
    return FoundReport(
        **ran,
        rows=rows,
        limit=LIMIT,
        overall=figures(rows, metrics, seed),
        categories=by_category(rows, metrics, seed),
        others=of_others(rows, metrics),
        gains={name: gain(rows, name, seed) for name in metrics} if bench.arms else {},
        timing=timing([took for row, took in asked if row.error is None]),
    )


async def _ask(bench: Bench, case: Case, arms: Arms | None) -> tuple[Found, float]:
    """Return what came of a case, and how many milliseconds its answer took."""
    answer = await bench.ask(case, limit=LIMIT)
    relevant, among = bench.relevant(case), bench.among(case)
    query = case.arguments["query"]
    orders = await arms.orders(query, among, LIMIT) if arms else {}
    row = Found(
        case=case.name,
        category=case.category,
        relevant=len(relevant),
        ranks=answer.ranks,
        others={arm: tuple(ranks_of(ids, relevant)) for arm, ids in orders.items()},
        tokens=answer.tokens,
        full_tokens=sum(count_tokens(one.text) for one in among),
        error=answer.error,
    )
    return row, answer.milliseconds
