"""Ranking of candidate memories for a question. Pure functions: the current time is an argument."""

from mem_mcp.ranking.belonging import belonging
from mem_mcp.ranking.candidates import Candidates, Query, Ranking
from mem_mcp.ranking.copies import copy_key
from mem_mcp.ranking.excerpts import excerpt
from mem_mcp.ranking.feedback_boost import FeedbackSignals
from mem_mcp.ranking.marked_questions import MarkedQuestions
from mem_mcp.ranking.named_ids import ids_in, named_first
from mem_mcp.ranking.newer_first import newer_first
from mem_mcp.ranking.passage_split import embedded_passages
from mem_mcp.ranking.polarity import same_polarity_first
from mem_mcp.ranking.rank import rank, reranked
from mem_mcp.ranking.room import Room
from mem_mcp.ranking.selection import copies, select
from mem_mcp.ranking.shared_words import shared_words
from mem_mcp.ranking.spread import spread

__all__ = [
    "Candidates", "FeedbackSignals", "MarkedQuestions", "Query", "Ranking", "Room", "belonging",
    "copies", "copy_key", "embedded_passages", "excerpt", "ids_in", "named_first", "newer_first",
    "rank", "reranked", "same_polarity_first", "select", "shared_words", "spread",
]  # fmt: skip
