"""Which memories answer a question: pure functions, `now` is an argument."""

from mem_mcp.ranking.candidates import Candidates, Query, Ranking
from mem_mcp.ranking.feedback_boost import Marks, likeness
from mem_mcp.ranking.rank import rank
from mem_mcp.ranking.rerank import reranked
from mem_mcp.ranking.select import select

__all__ = [
    "Candidates", "Marks", "Query", "Ranking", "likeness", "rank",
    "reranked", "select",
]  # fmt: skip
