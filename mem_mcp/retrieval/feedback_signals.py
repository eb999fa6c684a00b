"""Feedback on memories: ratings, and the outcomes of tasks that used them."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from mem_mcp.api.models import GLOBAL_USER, Scope, Tally
from mem_mcp.logs.feedback import Rating, Ratings
from mem_mcp.ranking import Candidates, FeedbackSignals, MarkedQuestions
from mem_mcp.ranking.constants import GENERAL_SHARE, QUERY_LIKENESS_POWER
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
# Least likeness of the rated query to the new one, 0..1.
_LEAST_LIKENESS = 0.02
FIELDS: Mapping[str, str] = {
    "POSITIVE": "positive",
    "NEGATIVE": "negative",
    "VERY_NEGATIVE": "very_negative",
    "success": "successes",
    "failure": "failures",
}
"""The field of `Tally` that counts each rating and outcome."""


@dataclass(frozen=True, slots=True)
class _Signal:
    """A rating or an outcome."""

    memory_id: str
    word: str
    """A key of WEIGHTS."""
    at: float
    """When it was given, in epoch seconds."""
    question: int = -1
    """Which of the questions it was given for; -1 for none."""
    share: float = 1.0
    """Of its weight that counts for any question."""


class FeedbackHistory:
    """The ratings and outcomes (m signals) that count for a query.

    Args:
        signals: what was said of memories.
        asked: the questions and tasks that it was said for.
    """

    def __init__(self, signals: Sequence[_Signal], asked: MarkedQuestions) -> None:
        self._memory_ids = [signal.memory_id for signal in signals]
        self._words = [signal.word for signal in signals]
        self._weights = np.array([WEIGHTS[word] for word in self._words], np.float64)
        self._at = np.array([signal.at for signal in signals], np.float64)
        self._general = np.array([signal.share for signal in signals], np.float64)
        self._questions = np.array([signal.question for signal in signals], np.int64)
        self._here = self._shares()
        self._asked = asked
        self._last: tuple[Candidates, FeedbackSignals] | None = None

    def _shares(self) -> NDArray[np.float64]:
        """Return (m,) what each counts for its question: the less, the more helped with that.

        Who marks all that a question found says little of each.
        """
        helped = self._weights > 0
        pairs = zip(self._questions[helped].tolist(), self._ids_of(helped), strict=True)
        counts = Counter(question for question, _ in set(pairs))
        of_question = np.array([counts[question] for question in self._questions.tolist()])
        return np.where(helped, 1 / np.sqrt(np.maximum(of_question, 1)), 1.0)

    def _ids_of(self, which: NDArray[np.bool_]) -> list[str]:
        return [self._memory_ids[index] for index in np.flatnonzero(which).tolist()]

    def signals(self, candidates: Candidates) -> FeedbackSignals:
        """Return the signals about the given candidates.

        What was said against a memory before it was changed says nothing of what it is now.
        """
        if self._last is not None and self._last[0] is candidates:
            return self._last[1]
        rows = candidates.row_of
        positions = np.array([rows.get(memory_id, -1) for memory_id in self._memory_ids], np.int64)
        changed_at = candidates.recorded_at[positions] if len(candidates) else self._at
        outdated = (self._weights < 0) & (self._at < changed_at)
        present = np.flatnonzero((positions >= 0) & ~outdated)
        signals = FeedbackSignals(
            positions[present],
            self._weights[present],
            self._general[present],
            self._here[present],
            self._questions[present],
            self._asked,
        )
        self._last = (candidates, signals)
        return signals

    def boosted_by_feedback(self, query: str, vector: Vector | None) -> list[str]:
        """Return the ids of the memories that helped most with similar queries, best first.

        Args:
            query: the query.
            vector: its vector; None where there is none.
        """
        if not len(self._asked):
            return []
        likeness = self._asked.similarity(query, vector) ** QUERY_LIKENESS_POWER
        likeness = np.where(self._questions < 0, 0.0, likeness[self._questions])
        sums: Counter[str] = Counter()
        for row in np.flatnonzero(likeness >= _LEAST_LIKENESS).tolist():
            sums[self._memory_ids[row]] += self._weights[row] * self._here[row] * likeness[row]
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
            tuple[str, frozenset[str]], tuple[int, CandidateTable | None, FeedbackHistory]
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
        user_id, users = scope.user_id, row_filter.users
        if as_of is not None:
            return _history(user_id, await self._ratings.at(users, as_of), outcomes)
        version, ratings = await self._ratings.of(users)
        key = (user_id, users)
        cached = self._cached.get(key)
        if cached is None or cached[0] != version or cached[1] is not outcomes:
            cached = (version, outcomes, _history(user_id, ratings, outcomes))
            self._cached[key] = cached
        self._cached.move_to_end(key)
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


def _history(
    user_id: str, ratings: Iterable[Rating], outcomes: CandidateTable | None
) -> FeedbackHistory:
    """Join ratings and outcomes.

    What others said of a shared memory counts, but their questions are their own.
    """
    signals, questions = list[_Signal](), _Questions()
    for rating in ratings:
        share = GENERAL_SHARE if rating.question else 1.0
        number = -1
        if rating.question and rating.user_id == user_id:
            number = questions.number(rating.question, rating.query, rating.vector)
        at = rating.created_at.timestamp()
        signals.append(_Signal(rating.memory_id, rating.rating, at, number, share))
    if outcomes is not None:
        words, used = (outcomes.rows[name].to_pylist() for name in ("outcome_type", "used"))
        vectors, times = outcomes.candidates.vectors, outcomes.candidates.recorded_at.tolist()
        for row, (word, ids) in enumerate(zip(words, used, strict=True)):
            if word in WEIGHTS:
                # Its text is a whole record: only the vector stands for the task.
                number = questions.number(row, "", vectors[row])
                signals += [_Signal(one, word, times[row], number, GENERAL_SHARE) for one in ids]
    return FeedbackHistory(signals, questions.prepared())


class _Questions:
    """The distinct questions of signals, numbered as they come."""

    def __init__(self) -> None:
        self._numbers: dict[str | int, int] = {}
        self._texts: list[str] = []
        self._vectors: list[Vector | None] = []

    def number(self, key: str | int, text: str, vector: Vector | None) -> int:
        """Return the number of a question, a new one if it is new."""
        number = self._numbers.setdefault(key, len(self._texts))
        if number == len(self._texts):
            self._texts.append(text)
            self._vectors.append(vector)
        elif self._vectors[number] is None:
            self._vectors[number] = vector
        return number

    def prepared(self) -> MarkedQuestions:
        """Return them all."""
        present = [vector for vector in self._vectors if vector is not None]
        missing = np.full(present[0].shape if present else 0, np.nan, np.float32)
        vectors = [missing if vector is None else vector for vector in self._vectors]
        matrix = np.stack(vectors) if vectors else np.zeros((0, 0), np.float32)
        return MarkedQuestions.of(self._texts, matrix)
