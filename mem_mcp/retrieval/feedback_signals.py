"""Feedback on memories: ratings, and the outcomes of tasks that used them."""

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
"""Weight of each rating and outcome. An outcome has many causes, so it counts less than a rating
of the memory itself. The outcomes partial and unknown do not count."""

_MOST_CACHED = 16
# Only the newest outcomes are read, at most so many.
_MOST_OUTCOMES = 5_000
# Memories that become candidates through feedback alone.
_MOST_BOOSTED = 20
# Least similarity of the rated query to the new one, as `query_similarity` returns it (0..1).
_LEAST_SIMILARITY = 0.1
FIELDS: Mapping[str, str] = {
    "POSITIVE": "positive",
    "NEGATIVE": "negative",
    "VERY_NEGATIVE": "very_negative",
    "success": "successes",
    "failure": "failures",
}
"""The field of `Tally` that counts each rating and outcome."""


class FeedbackHistory:
    """The ratings and outcomes (m signals) that count for a query.

    Args:
        memory_ids: (m,) the memory that each is about.
        words: (m,) the rating or the outcome, a key of WEIGHTS.
        vectors: (m, d) vectors of the queries or tasks; NaN where there is none.
    """

    def __init__(
        self, memory_ids: Sequence[str], words: Sequence[str], vectors: NDArray[np.float32]
    ) -> None:
        self._memory_ids = memory_ids
        self._words = words
        self._vectors = vectors
        self._weights = np.array([WEIGHTS[word] for word in words], np.float64)
        self._last: tuple[Candidates, FeedbackSignals] | None = None

    def signals(self, candidates: Candidates) -> FeedbackSignals:
        """Return the signals about the given candidates."""
        if self._last is not None and self._last[0] is candidates:
            return self._last[1]
        rows = candidates.row_of
        positions = np.array([rows.get(memory_id, -1) for memory_id in self._memory_ids], np.int64)
        present = np.flatnonzero(positions >= 0)
        signals = FeedbackSignals(
            positions[present], self._weights[present], self._vectors[present]
        )
        self._last = (candidates, signals)
        return signals

    def boosted_by_feedback(self, vector: Vector | None) -> list[str]:
        """Return the ids of the memories that helped most with similar queries, best first.

        Args:
            vector: the query's vector; None returns no memories.
        """
        similarity = query_similarity(self._vectors, vector)
        sums: Counter[str] = Counter()
        for row in np.flatnonzero(similarity >= _LEAST_SIMILARITY).tolist():
            sums[self._memory_ids[row]] += self._weights[row] * similarity[row]
        best = sorted(sums, key=lambda memory_id: (-sums[memory_id], memory_id))
        return [memory_id for memory_id in best[:_MOST_BOOSTED] if sums[memory_id] > 0]

    def tally(self, memory_id: str) -> Tally:
        """Count the ratings and outcomes of a memory."""
        signals = zip(self._memory_ids, self._words, strict=True)
        return Tally(**Counter(FIELDS[word] for about, word in signals if about == memory_id))


class FeedbackCache:
    """Cache of feedback histories, by the users whose memories a query sees."""

    def __init__(self, store: Store, ratings: Ratings, scopes: ScopeCache) -> None:
        self._store = store
        self._ratings = ratings
        self._scopes = scopes
        self._since: dict[frozenset[str], datetime] = {}
        self._cached: OrderedDict[
            frozenset[str], tuple[int, CandidateTable | None, FeedbackHistory]
        ] = OrderedDict()

    async def of(
        self, scope: Scope, row_filter: RowFilter, as_of: datetime | None = None
    ) -> FeedbackHistory:
        """Return the feedback on the memories of the users whose memories a query sees.

        Args:
            scope: the caller.
            row_filter: the rows that the query sees.
            as_of: count only feedback given by this time; None for all.
        """
        outcomes = await self._outcomes(scope, row_filter, as_of)
        users = row_filter.users
        if as_of is not None:
            return _history(await self._ratings.at(users, as_of), outcomes)
        version, ratings = await self._ratings.of(users)
        cached = self._cached.get(users)
        if cached is None or cached[0] != version or cached[1] is not outcomes:
            cached = (version, outcomes, _history(ratings, outcomes))
            self._cached[users] = cached
        self._cached.move_to_end(users)
        if len(self._cached) > _MOST_CACHED:
            self._cached.popitem(last=False)
        return cached[2]

    async def _outcomes(
        self, scope: Scope, row_filter: RowFilter, as_of: datetime | None
    ) -> CandidateTable | None:
        """Return the outcomes that used memories; if there are too many, only the newest."""
        since = self._since.get(row_filter.users) if as_of is None else None
        using = _outcomes_using_memories(scope, row_filter, as_of, since)
        outcomes = await self._scopes.whole(self._store, using, _MOST_OUTCOMES)
        if outcomes is not None:
            return outcomes
        newest = await self._store.scan(
            using.conditions,
            ["recorded_at"],
            order=[("recorded_at", False)],
            # Only half of the bound, so that many more outcomes fit before it is reached again.
            limit=_MOST_OUTCOMES // 2,
        )
        since = newest["recorded_at"][-1].as_py()
        if as_of is None:
            self._since[row_filter.users] = since
        using = _outcomes_using_memories(scope, row_filter, as_of, since)
        return await self._scopes.whole(self._store, using, _MOST_OUTCOMES)


def _outcomes_using_memories(
    scope: Scope, row_filter: RowFilter, as_of: datetime | None, since: datetime | None
) -> RowFilter:
    return view(
        Scope(user_id=scope.user_id),
        row_filter.now,
        every({"used": {"exists": True}}, {"recorded_at": {"gte": since}} if since else {}),
        further_holds=lambda memory: (
            bool(memory.used) and (since is None or memory.recorded_at >= since)
        ),
        include_global=GLOBAL_USER in row_filter.users,
        as_of=as_of,
        kinds=("outcome",),
    )


def _history(ratings: Iterable[Rating], outcomes: CandidateTable | None) -> FeedbackHistory:
    signals = [(rating.memory_id, rating.rating, rating.vector) for rating in ratings]
    if outcomes is not None:
        words, used = (outcomes.rows[name].to_pylist() for name in ("outcome_type", "used"))
        signals += [
            (memory_id, word, vector)
            for word, ids, vector in zip(words, used, outcomes.candidates.vectors, strict=True)
            if word in WEIGHTS
            for memory_id in ids
        ]
    present = [vector for _, _, vector in signals if vector is not None]
    missing = np.full(present[0].shape if present else 0, np.nan, np.float32)
    vectors = [missing if vector is None else vector for _, _, vector in signals]
    return FeedbackHistory(
        [memory_id for memory_id, _, _ in signals],
        [word for _, word, _ in signals],
        np.stack(vectors) if vectors else np.zeros((0, 0), np.float32),
    )
