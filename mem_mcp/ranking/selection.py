"""Selection of the answer from a ranking: its limits, and each copy once."""

from collections.abc import Sequence

from mem_mcp.ranking.candidates import Candidates, Ranking
from mem_mcp.ranking.constants import REMARK_WORDS_MAX
from mem_mcp.ranking.copies import are_copies, copy_key, head

# Copies score alike: they are looked for so many rows beyond the answer.
_LOOKED_BEYOND = 200


def select(
    ranking: Ranking,
    candidates: Candidates,
    limit: int,
    min_score: float = 0.0,
) -> list[int]:
    """Choose the memories of the answer, best first.

    Args:
        ranking: Of these candidates.
        candidates: The ranked memories.
        limit: Most memories.
        min_score: Least score, 0..1.

    Returns:
        Rows of the candidates. A copy of a better one is replaced by the next best.
    """
    distinct, rows = DistinctMemories(candidates), list[int]()
    for row in ranking.order.tolist():
        if len(rows) >= limit or ranking.score[row] < min_score:
            break
        if distinct.add(row):
            rows.append(row)
    return rows


def copies(ranking: Ranking, candidates: Candidates, chosen: Sequence[int]) -> dict[int, list[str]]:
    """Return the ids of the memories that an answer leaves out as copies, by the row they copy.

    Args:
        ranking: Of these candidates.
        candidates: The ranked memories.
        chosen: Rows of the answer, best first.
    """
    if not chosen:
        return {}
    distinct, heads, also = DistinctMemories(candidates), set[str](), dict[int, list[str]]()
    for row in chosen:
        distinct.add(row)
        heads.add(head(candidates.texts[row]))
    order, rows = ranking.order.tolist(), set(chosen)
    for row in order[: order.index(chosen[-1]) + 1 + _LOOKED_BEYOND]:
        if row in rows or head(candidates.texts[row]) not in heads:
            continue
        original = distinct.original(row)
        if original is not None:
            also.setdefault(original, []).append(candidates.memory_ids[row])
    return also


class DistinctMemories:
    """A set of candidates of which none is a copy of another."""

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._rows: dict[tuple[str, ...], list[int]] = {}

    def add(self, row: int) -> bool:
        """Add a candidate unless the set has one that it is a copy of; return whether it was added.

        Messages of a conversation are copies only from the same speaker, and if they are more than
        a remark: "Yes, sure!" means something else each time.
        """
        if self.original(row) is not None:
            return False
        self._rows.setdefault(self._key(row), []).append(row)
        return True

    def original(self, row: int) -> int | None:
        """Return the candidate of the set that one is a copy of; None if there is none."""
        text = self._candidates.texts[row]
        others = self._rows.get(self._key(row), ())
        return next((one for one in others if are_copies(self._candidates.texts[one], text)), None)

    def _key(self, row: int) -> tuple[str, ...]:
        candidates = self._candidates
        key = copy_key(candidates.texts[row])
        if candidates.kinds[row] != "message":
            return ("", candidates.labels[row], key)
        remark = candidates.memory_ids[row] if len(key.split()) <= REMARK_WORDS_MAX else ""
        return ("message", remark, candidates.actor_ids[row] or "", key)
