"""From a ranking to an answer."""

from mem_mcp.ranking.candidates import Candidates, Ranking
from mem_mcp.ranking.diversity import Chosen
from mem_mcp.text import count_tokens


def select(
    ranking: Ranking,
    candidates: Candidates,
    limit: int,
    max_tokens: int = 0,
    min_score: float = 0.0,
) -> list[int]:
    """Choose what to answer with, best first.

    Args:
        ranking: Of these candidates.
        candidates: What was ranked.
        limit: At most so many memories.
        max_tokens: At most so many tokens in all (as `count_tokens` estimates); 0 is no bound. A
            memory that does not fit is left out whole, and smaller ones after it may still fit.
        min_score: 0..1; nothing below it.

    Returns:
        Rows of the candidates. Near-duplicates of better ones are replaced by the next best.
    """
    chosen, taken = Chosen(candidates), list[int]()
    left = max_tokens or float("inf")
    for row in ranking.order.tolist():
        if len(taken) >= limit or ranking.score[row] < min_score:
            break
        size = count_tokens(candidates.texts[row]) if max_tokens else 0
        if size <= left and chosen.add(row):
            taken.append(row)
            left -= size
    return taken
