"""Changed minds: whether a new statement may replace an older one.

Measured on tests/data/changed_minds.jsonl, in six languages; the constants are from one half of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mem_mcp.ranking.arrays import Floats
from mem_mcp.ranking.stop_words import ENGLISH
from mem_mcp.ranking.text_analysis import terms

LEAST_LIKENESS = 0.46
"""Of two statements of which one may replace the other."""
LEAST_COSINE = 0.2
"""Below it no two statements are that like."""
_SHARED_WORDS = 0.3
_WORDS_ALONE = 0.11
"""Where there is no cosine: two statements must share 35 % of the words of the shorter one."""
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
    "renamed|upgraded|sold|stopped|quit|became|these days|since then"
)
_GERMAN = (
    "jetzt|nun|nicht mehr|ab sofort|inzwischen|mittlerweile|umgestiegen|gezogen|gewechselt|verlegt|"
    "wieder|neue[rsnm]?|statt"
)
_FRENCH = (
    r"maintenant|désormais|ne \w+ plus|n'\w+ plus|déménagé|remplacée?|remplace|nouve\w+|renommée?|"
    "déplacée?|arrêté"
)
_SPANISH = "ahora|ya no|nuev[oa]s?|mudé|mudó|cambi[éó]|pasó|dejó|desde hoy"
_RUSSIAN = (
    r"теперь|больше не|переехал\w*|перенесли|нов(?:ый|ая|ую|ое)|сменил\w*|бросил\w*|перешёл|"  # noqa: RUF001
    r"перешл\w+"
)
_CHINESE = "现在|不再|改到|改为|换成|搬到|迁到|已经|不用再|新的|跳槽"
_SAYS_CHANGE = re.compile(
    rf"\b(?:{_ENGLISH}|{_GERMAN}|{_FRENCH}|{_SPANISH}|{_RUSSIAN})\b|{_CHINESE}", re.IGNORECASE
)


def likeness(new: str, others: Sequence[str], cosines: Floats) -> Floats:
    """Return how much others look like what a new statement replaces.

    It grows with how far the cosine is above that of unrelated statements in the same language,
    with the share of words that both have, and where the new one speaks of a change.

    Args:
        new: the new statement.
        others: (n) older ones.
        cosines: (n,) of their vectors with the new one's; NaN where one of them has none, and then
            words alone decide.

    Returns:
        (n,) compare with LEAST_LIKENESS.
    """
    unrelated = _unrelated(new)
    above = (np.asarray(cosines, np.float64) - unrelated) / (1 - unrelated)
    shared = shared_words(new, others)
    change = _CHANGE * (_SAYS_CHANGE.search(new) is not None)
    by_words = shared + _WORDS_ALONE + change * (shared > 0)
    return np.where(np.isnan(above), by_words, above + _SHARED_WORDS * shared + change)


def shared_words(text: str, others: Sequence[str]) -> Floats:
    """Return (n,) the share of the words of the shorter text, 0..1, that both texts have."""
    mine = terms(text)
    stems = {*mine.stems.tolist()}
    theirs = ({*terms(other, mine.language).stems.tolist()} for other in others)
    return np.array([_overlap(stems, each) for each in theirs])


def _unrelated(text: str) -> float:
    if text.isascii() and ({*_WORDS.findall(text.lower())} & ENGLISH) - _AMBIGUOUS:
        return _UNRELATED_ENGLISH
    is_latin = all(letter <= _LATIN_UP_TO for letter in text if letter.isalpha())
    return _UNRELATED_LATIN if is_latin else _UNRELATED_OTHER


def _overlap(some: set[int], others: set[int]) -> float:
    return len(some & others) / max(1, min(len(some), len(others)))
