"""Changed minds: whether a new statement may replace an older one.

Measured on tests/data/changed_minds.jsonl, in six languages; the constants are from one half of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mem_mcp.ranking.arrays import Floats, Vectors
from mem_mcp.ranking.text_analysis import STOP_WORDS, terms

LEAST_LIKENESS = 0.46
"""Of two statements of which one may replace the other."""
LEAST_COSINE = 0.2
"""Below it no two statements are that like."""
_SHARED_WORDS = 0.3
_CHANGE = 0.15
# Usual cosine of statements that have nothing to do with each other: the bundled embedder was
# taught English, and puts texts of other languages, and more so of other scripts, close together.
_UNRELATED_ENGLISH, _UNRELATED_LATIN, _UNRELATED_OTHER = 0.2, 0.42, 0.56
_LATIN_UP_TO = "\u024f"
# English stop words that other languages have, too.
_SHARED = """
a in an me no do was am so on will as des die he if by at all has had or once ours re s t d m ll too
don up us who not its over
"""
_AMBIGUOUS = frozenset(_SHARED.split())
_WORDS = re.compile(r"[a-z']+")
_ENGLISH = (
    "now|moved|switched|migrated|changed|joined|no longer|any ?more|again|instead|new|replaced?|"
    "renamed|upgraded|sold|stopped|quit|"
    "became|handed|took over|takes over|raised|lowered|these days|since then"
)
_GERMAN = (
    "jetzt|nun|nicht mehr|ab sofort|inzwischen|mittlerweile|umgestiegen|gezogen|gewechselt|verlegt|"
    "wieder|neue[rsnm]?|statt"
)
_FRENCH = (
    r"maintenant|désormais|ne \w+ plus|n'\w+ plus|déménagé|remplacée?|remplace|nouve\w+|renommée?|"
    "déplacée?|arrêté|quitté|rejoint"
)
_SPANISH = "ahora|ya no|nuev[oa]s?|mudé|mudó|cambi[éó]|pasó|dejó|subió|bajó|desde hoy"
_RUSSIAN = (
    r"теперь|больше не|переехал\w*|перенесли|нов(?:ый|ая|ую|ое)|сменил\w*|бросил\w*|перешёл|"  # noqa: RUF001
    r"перешл\w+|переписали|уволил\w*"
)
_CHINESE = "现在|不再|改到|改为|换成|搬到|迁到|已经|不用再|新的|跳槽"
_SAYS_CHANGE = re.compile(
    rf"\b(?:{_ENGLISH}|{_GERMAN}|{_FRENCH}|{_SPANISH}|{_RUSSIAN})\b|{_CHINESE}", re.IGNORECASE
)
_ASKS_FOR_PAST = re.compile(
    r"\b(?:was|were|did|used to|before|formerly|previous\w*|old|original\w*|first|ago|until|"
    r"war|waren|früher|vorher|damals|zuvor|alte[rsnm]?|bisher\w*|était|avant|ancien\w*|autrefois|"
    r"era|antes|anterior\w*|antigu\w+|был\w*|раньше|прежн\w+)\b|以前|之前|原来|过去|曾",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+(?:[.,:-]\w+)*")
_LEAST_WORD = 3
"""Letters of a word that a question is about; shorter ones join words in most languages."""
_DENIES = re.compile(
    r"\b(?:not?|never|none|without|cannot|nicht|kein\w*|ohne|nie|pas|sans|jamais|sin|nunca|не|нет|без)"
    r"\b|n't\b|[不没无]",
    re.IGNORECASE,
)
_PAIR = 2
_LONGEST = 200
"""Characters of a statement: in a longer text a word of change is about something in it."""


def likeness(new: str, others: Sequence[str], cosines: Floats) -> Floats:
    """Return how much others look like what a new statement replaces.

    It grows with how far the cosine is above that of unrelated statements in the same language,
    with the share of words that both have, and where the new one speaks of a change.

    Args:
        new: the new statement.
        others: (n) older ones.
        cosines: (n,) of their vectors with the new one's.

    Returns:
        (n,) compare with LEAST_LIKENESS.
    """
    unrelated = _unrelated(new)
    above = (np.asarray(cosines, np.float64) - unrelated) / (1 - unrelated)
    mine = {*terms(new).ids.tolist()}
    shared = np.array([_overlap(mine, {*terms(other).ids.tolist()}) for other in others])
    says_change = float(_SAYS_CHANGE.search(new) is not None)
    return np.asarray(above + _SHARED_WORDS * shared + _CHANGE * says_change)


def _unrelated(text: str) -> float:
    if text.isascii() and ({*_WORDS.findall(text.lower())} & STOP_WORDS) - _AMBIGUOUS:
        return _UNRELATED_ENGLISH
    is_latin = all(letter <= _LATIN_UP_TO for letter in text if letter.isalpha())
    return _UNRELATED_LATIN if is_latin else _UNRELATED_OTHER


def _overlap(some: set[int], others: set[int]) -> float:
    return len(some & others) / max(1, min(len(some), len(others)))


def newer_first(
    question: str, texts: Sequence[str], vectors: Vectors, times: Floats, score: Floats
) -> Floats:
    """Return scores in which no statement is behind an older one that it replaces.

    So it is only where the question does not ask about the past and names nothing that the older
    one alone has; and where the newer one says that something changed, or has every word of the
    question that the older one has.

    Args:
        question: what is asked.
        texts: (n) of the statements that may answer it.
        vectors: (n, d) of these.
        times: (n,) when they were said.
        score: (n,) their scores.
    """
    if len(texts) < _PAIR or _ASKS_FOR_PAST.search(question):
        return score
    raised, asked = score.copy(), _Statement.of(question)
    statements = [_Statement.of(text) for text in texts]
    for newer in np.argsort(times, kind="stable").tolist():
        new = statements[newer]
        ahead = np.flatnonzero((times < times[newer]) & (raised > raised[newer])).tolist()
        ahead = [row for row in ahead if new.may_replace(statements[row], asked)]
        if not ahead:
            continue
        cosines = vectors[ahead] @ vectors[newer]
        like = likeness(new.text, [texts[row] for row in ahead], cosines)
        for row, rating in zip(ahead, like.tolist(), strict=True):
            if rating >= LEAST_LIKENESS:
                raised[newer] = max(raised[newer], score[row])
    return raised


@dataclass(frozen=True, slots=True)
class _Statement:
    text: str
    words: frozenset[int]
    names: frozenset[str]
    says_change: bool
    denies: bool

    @classmethod
    def of(cls, text: str) -> _Statement:
        words = _WORD.findall(text)
        long = [word for word in words if len(word) >= _LEAST_WORD or word.isdigit()]
        return cls(
            text=text,
            words=frozenset(terms(" ".join(long)).ids.tolist()),
            names=frozenset(word.lower() for word in words[1:] if _is_name(word)),
            says_change=_SAYS_CHANGE.search(text) is not None,
            denies=_DENIES.search(text) is not None,
        )

    def may_replace(self, older: _Statement, asked: _Statement) -> bool:
        """Whether this is a later word on the same thing, as far as the question can tell."""
        if max(len(self.text), len(older.text)) > _LONGEST:
            return False
        # Capitalised words, and those with a digit, tell one thing from another.
        mine, others = self.text.lower(), older.text.lower()
        if any(name in others and name not in mine for name in asked.names):
            return False
        if self.says_change:
            return True
        fits_as_well = asked.words & older.words <= asked.words & self.words
        return fits_as_well and self.denies == older.denies


def _is_name(word: str) -> bool:
    return word[0].isupper() or any(letter.isdigit() for letter in word)
