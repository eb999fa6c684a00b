"""What came of using memories: raters' marks, and the outcomes of tasks that used them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from mem_mcp.api.models import GLOBAL_USER, Scope, Tally
from mem_mcp.logs.feedback import Rating, Ratings
from mem_mcp.ranking import Candidates, FeedbackSignals, query_similarity
from mem_mcp.retrieval.candidate_rows import CandidateTable
from mem_mcp.retrieval.row_filters import RowFilter, every, view
from mem_mcp.retrieval.scope_cache import ScopeCache
from mem_mcp.store import Store, Vector

WEIGHTS: Mapping[str, float] = {
    "POSITIVE": 1.0,
    "NEGATIVE": -1.0,
    "VERY_NEGATIVE": -2.0,
    "success": 0.5,
    "failure": -0.5,
}
"""Marks that each is worth. An outcome has many causes: it counts less than a word about the
memory itself; partial and unknown ones say nothing."""

_MOST_KEPT = 16
# Outcomes beyond so many, the newest, are not read for their marks.
_MOST_OUTCOMES = 5_000
# Memories that marks alone bring among the candidates, and how alike their questions must be.
_MOST_FAVOURED = 20
_LEAST_LIKENESS = 0.1
FIELDS: Mapping[str, str] = {
    "POSITIVE": "positive",
    "NEGATIVE": "negative",
    "VERY_NEGATIVE": "very_negative",
    "success": "successes",
    "failure": "failures",
}
"""Where a `Tally` counts each."""


class Experience:
    """Marks of memories (m), column by column.

    Args:
        memory_ids: (m)
        words: (m) a rating or an outcome each.
        vectors: (m, d) of the questions; NaN where there is none.
    """

    def __init__(
        self, memory_ids: Sequence[str], words: Sequence[str], vectors: NDArray[np.float32]
    ) -> None:
        self._memory_ids = memory_ids
        self._words = words
        self._vectors = vectors
        self._weights = np.array([WEIGHTS[word] for word in words], np.float64)
        self._last: tuple[Candidates, FeedbackSignals] | None = None

    def marks(self, candidates: Candidates) -> FeedbackSignals:
        """Return the marks of some candidates."""
        if self._last is not None and self._last[0] is candidates:
            return self._last[1]
        rows = candidates.row_of
        found = np.array([rows.get(one, -1) for one in self._memory_ids], np.int64)
        known = np.flatnonzero(found >= 0)
        marks = FeedbackSignals(found[known], self._weights[known], self._vectors[known])
        self._last = (candidates, marks)
        return marks

    def boosted_by_feedback(self, vector: Vector | None) -> list[str]:
        """Return the memories that helped most with questions like one, best first."""
        alike = query_similarity(self._vectors, vector)
        worth: Counter[str] = Counter()
        for row in np.flatnonzero(alike >= _LEAST_LIKENESS).tolist():
            worth[self._memory_ids[row]] += self._weights[row] * alike[row]
        return [memory_id for memory_id, sum_ in worth.most_common(_MOST_FAVOURED) if sum_ > 0]

    def tally(self, memory_id: str) -> Tally:
        """Count the marks of a memory."""
        both = zip(self._memory_ids, self._words, strict=True)
        return Tally(**Counter(FIELDS[word] for other, word in both if other == memory_id))


class Experiences:
    """The experience with the memories of users, kept until it changes."""

    def __init__(self, store: Store, ratings: Ratings, scopes: ScopeCache) -> None:
        self._store = store
        self._ratings = ratings
        self._scopes = scopes
        self._since: dict[frozenset[str], datetime] = {}
        self._kept: OrderedDict[frozenset[str], tuple[int, CandidateTable | None, Experience]] = (
            OrderedDict()
        )

    async def of(self, scope: Scope, asked: RowFilter, as_of: datetime | None = None) -> Experience:
        """Return what came of using the memories that a question may see.

        Args:
            scope: who asks.
            asked: what the question may see.
            as_of: only what was known then.
        """
        outcomes = await self._outcomes(scope, asked, as_of)
        if as_of is not None:
            return _joined(await self._ratings.at(asked.users, as_of), outcomes)
        version, ratings = await self._ratings.of(asked.users)
        kept = self._kept.get(asked.users)
        if kept is None or kept[0] != version or kept[1] is not outcomes:
            kept = (version, outcomes, _joined(ratings, outcomes))
            self._kept[asked.users] = kept
        self._kept.move_to_end(asked.users)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return kept[2]

    async def _outcomes(
        self, scope: Scope, asked: RowFilter, as_of: datetime | None
    ) -> CandidateTable | None:
        """Return the outcomes that used memories; where they are too many, the newest of them."""
        since = self._since.get(asked.users) if as_of is None else None
        used = _used(scope, asked, as_of, since)
        found = await self._scopes.whole(self._store, used, _MOST_OUTCOMES)
        if found is not None:
            return found
        newest = await self._store.scan(
            used.conditions,
            ["recorded_at"],
            order=[("recorded_at", False)],
            # Half of what may be read, so that the bound holds for many more.
            limit=_MOST_OUTCOMES // 2,
        )
        since = newest["recorded_at"][-1].as_py()
        if as_of is None:
            self._since[asked.users] = since
        used = _used(scope, asked, as_of, since)
        return await self._scopes.whole(self._store, used, _MOST_OUTCOMES)


def _used(
    scope: Scope, asked: RowFilter, as_of: datetime | None, since: datetime | None
) -> RowFilter:
    return view(
        Scope(user_id=scope.user_id),
        asked.now,
        every({"used": {"exists": True}}, {"recorded_at": {"gte": since}} if since else {}),
        further_holds=lambda memory: (
            bool(memory.used) and (since is None or memory.recorded_at >= since)
        ),
        include_global=GLOBAL_USER in asked.users,
        as_of=as_of,
        kinds=("outcome",),
    )


def _joined(ratings: Iterable[Rating], outcomes: CandidateTable | None) -> Experience:
    marks = [(one.memory_id, one.rating, one.vector) for one in ratings]
    if outcomes is not None:
        words, used = (outcomes.rows[name].to_pylist() for name in ("outcome_type", "used"))
        marks += [
            (memory_id, word, vector)
            for word, ids, vector in zip(words, used, outcomes.candidates.vectors, strict=True)
            if word in WEIGHTS
            for memory_id in ids
        ]
    known = [vector for _, _, vector in marks if vector is not None]
    nothing = np.full(known[0].shape if known else 0, np.nan, np.float32)
    stacked = [nothing if vector is None else vector for _, _, vector in marks]
    return Experience(
        [memory_id for memory_id, _, _ in marks],
        [word for _, word, _ in marks],
        np.stack(stacked) if stacked else np.zeros((0, 0), np.float32),
    )
