"""Newer first: of two statements on the same thing, the newer where a question asks for now.

The bounds were chosen on one half of tests/data/changed_minds.jsonl and of tests/data/everyday.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mem_mcp.ranking.arrays import Booleans, Floats
from mem_mcp.ranking.candidates import Candidates, Ranking
from mem_mcp.ranking.changed_minds import LEAST_LIKENESS, likeness, says_change
from mem_mcp.ranking.feedback_boost import FeedbackSignals
from mem_mcp.ranking.text_analysis import terms

_STATEMENTS = ("fact", "procedure")
_LONGEST = 200
"""Characters of a statement: a longer text says more than one thing."""
_COMPARED = 12
"""Best statements that are held against one another."""
_LEAST_SHARE = 0.25
"""Of the older one's score that the newer one has: with less it answers another question."""
_MOST_REPLACED = 2
"""Older statements that one may replace: more are a crowd of the like, not a mind that changed."""
_ASKS_FOR_PAST = re.compile(
    # German questions begin with "Was", too.
    r"\b(?:(?<!^)was|^was (?:the|it|he|she|i|my|our|his|her|there|this|that|an?)|"
    r"were|did|had|used to|before|formerly|previous\w*|old|original\w*|first|last|ago|until|"
    r"yesterday|war|waren|hatten?|früher|vorher|damals|zuvor|gestern|letzte[nrsm]?|alte[nrsm]?|"
    r"bisher\w*|étai\w+|avai\w+|avant|ancien\w*|autrefois|hier|derni[eè]re?s?|era|eran|fue|"
    r"había|antes|anterior\w*|antigu\w+|ayer|pasad[oa]|был\w*|раньше|прежн\w+|прошл\w+|вчера)\b|"
    r"以前|之前|原来|过去|曾|昨天|去年|上次",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"\b(?:not?|never|none|without|cannot|nicht|kein\w*|ohne|nie|pas|sans|jamais|sin|nunca|не|нет|"
    r"без)\b|n['’]t\b|[不没无]",  # noqa: RUF001 - typed so
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+(?:[.,:/\\@-]\w+)*")
_CODE = re.compile(r"[\d_./\\@]|.[A-Z]")
_LEAST_LETTERS = 3
"""Of a word that a question is about; shorter ones join words in most languages."""


def newer_first(
    question: str,
    candidates: Candidates,
    ranking: Ranking,
    is_current: Booleans,
    signals: FeedbackSignals | None = None,
) -> Ranking:
    """Put newer statements before older ones that they may replace, and say which are which.

    Nothing changes places where the question asks about the past or names a time, or where marks
    tell the two apart.

    Args:
        question: what is asked.
        candidates: the memories that may answer it.
        ranking: of these; what is put before another gets its score, as the part `newer`.
        is_current: (n,) whether a memory still holds.
        signals: feedback on the candidates.
    """
    embedded = candidates.vector_set.present
    rows = [
        row
        for row in ranking.order.tolist()
        if is_current[row] and embedded[row] and _is_statement(candidates, row)
    ]
    rows = rows[:_COMPARED]
    pairs = _replaced(question, candidates, ranking.score, rows)
    later: dict[int, list[int]] = {}
    for new, old in pairs:
        later.setdefault(new, []).append(old)
    if not later or max(map(len, later.values())) > _MOST_REPLACED:
        return ranking
    ranking = replace(ranking, later=later)
    if _ASKS_FOR_PAST.search(question) or "period" in ranking.parts:
        return ranking
    marks = np.zeros(len(candidates))
    if signals is not None:
        np.add.at(marks, signals.rows, signals.weights)
    order, score = ranking.order.tolist(), ranking.score.copy()
    for new, olds in later.items():
        behind = [order.index(old) for old in olds if marks[old] == marks[new]]
        first = min(behind, default=len(order))
        if first < order.index(new):
            score[new] = score[order[first]]
            order.remove(new)
            order.insert(first, new)
    if not (gain := score - ranking.score).any():
        return ranking
    return replace(
        ranking, order=np.array(order), score=score, parts={**ranking.parts, "newer": gain}
    )


def _is_statement(candidates: Candidates, row: int) -> bool:
    return candidates.kinds[row] in _STATEMENTS and len(candidates.texts[row]) <= _LONGEST


def _replaced(
    question: str, candidates: Candidates, score: Floats, rows: Sequence[int]
) -> list[tuple[int, int]]:
    """Return which of some rows may replace which, as (newer, older), the oldest newer first."""
    asked, pairs = _Statement.of(question), list[tuple[int, int]]()
    times = {row: (candidates.occurred_at[row], candidates.recorded_at[row]) for row in rows}
    for new in sorted(rows, key=times.__getitem__):
        said = _Statement.of(candidates.texts[new])
        olds = [
            row
            for row in rows
            if times[row] < times[new]
            and score[new] >= _LEAST_SHARE * score[row]
            and said.answers_as_well(asked, _Statement.of(candidates.texts[row]))
        ]
        if olds:
            cosines = candidates.vectors[olds] @ candidates.vectors[new]
            like = likeness(said.text, [candidates.texts[row] for row in olds], cosines)
            pairs += [
                (new, row) for row, one in zip(olds, like, strict=True) if one >= LEAST_LIKENESS
            ]
    return pairs


@dataclass(frozen=True, slots=True)
class _Statement:
    """A short text, and what tells what it is about."""

    text: str
    all_words: frozenset[str]
    words: frozenset[int]
    numbers: frozenset[str]
    codes: frozenset[str]
    """Words with a digit, a sign or an inner capital, which count to the letter."""
    names: frozenset[str]
    """Words with a capital that do not begin the text, in lower case."""
    says_change: bool
    denies: bool

    @classmethod
    @lru_cache(maxsize=4_096)
    def of(cls, text: str) -> _Statement:
        words = _WORD.findall(text)
        long = [word for word in words if len(word) >= _LEAST_LETTERS or word.isdigit()]
        return cls(
            text=text,
            all_words=frozenset(word.lower() for word in words),
            words=frozenset(terms(" ".join(long)).stems.tolist()),
            numbers=frozenset(re.findall(r"\d+", text)),
            codes=frozenset(word for word in words if _CODE.search(word)),
            names=frozenset(word.lower() for word in words[1:] if word[0].isupper()),
            says_change=says_change(text),
            denies=_DENIES.search(text) is not None,
        )

    def answers_as_well(self, asked: _Statement, older: _Statement) -> bool:
        """Whether this is a later word on what a question and an older statement are about.

        It has every number of the question, and its names and codes that the older one has. It
        says that something changed; or it has another value than the older one, every word of the
        question that the older one has, and affirms or denies as that one does.
        """
        if not asked.numbers <= self.numbers:
            return False
        if any(_has(older.text, code) and not _has(self.text, code) for code in asked.codes):
            return False
        mine, others = self.text.lower(), older.text.lower()
        if any(name in others and name not in mine for name in asked.names):
            return False
        if self.says_change:
            return True
        if older.all_words <= self.all_words:
            return False
        shared = asked.words & older.words
        return bool(shared) and shared <= self.words and self.denies == older.denies


def _has(text: str, code: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(code)}(?!\w)", text) is not None
