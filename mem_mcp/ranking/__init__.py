"""Ranking of candidate memories for a question. Pure functions: the current time is an argument."""

from mem_mcp.ranking.candidates import Candidates, Query, Ranking
from mem_mcp.ranking.copies import copy_key
from mem_mcp.ranking.feedback_boost import FeedbackSignals
from mem_mcp.ranking.marked_questions import MarkedQuestions
from mem_mcp.ranking.newer_first import newer_first
from mem_mcp.ranking.rank import rank, reranked
from mem_mcp.ranking.selection import copies, least_score, select

__all__ = [
    "Candidates", "FeedbackSignals", "MarkedQuestions", "Query", "Ranking", "copies", "copy_key",
    "least_score", "newer_first", "rank", "reranked", "select",
]  # fmt: skip
