"""Text analysis: from texts to the terms that lexical scores count."""

import hashlib
import re
import threading
import unicodedata
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import Stemmer

from mem_mcp.ranking.arrays import Floats, Integers
from mem_mcp.ranking.constants import CACHED_CHARACTERS_MAX, CACHED_TEXTS_MAX, WORD_CHARACTERS_MAX

_STOP_WORDS = """
a about after again ain all also am an and any are aren as at be because been before being but by
can could couldn d did didn do does doesn doing don done for from get got had hadn has hasn have
haven having he her here hers him his how i if in into is isn it its just let like ll m me might
more most much must my no nor not now of off on once only or other our ours out over own re s shall
she should shouldn so some such t than that the their theirs them then there these they this those
through to too under until up us ve very was wasn we were weren what when where which while who
whom whose why will with won would wouldn you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_ACCENTS = re.compile("[\u0300-\u036f]")
# Combining marks of Indic, Thai and Arabic scripts are part of a word, but \w excludes them.
_WORD = re.compile("[\\w\u0610-\u061a\u064b-\u065f\u0900-\u0eff\u1000-\u109f\u1780-\u17ff]+")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff]+)"
)
_IDENTIFIER = re.compile(r"[a-z0-9][A-Z]|_")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_stemmers = threading.local()


class Terms(NamedTuple):
    """The t distinct terms of one text."""

    ids: Integers
    """(t,) their hashes."""
    counts: Floats
    """(t,) occurrences of each."""
    length: float
    """Occurrences in all."""


class TermTable(NamedTuple):
    """The terms of n texts, concatenated (m distinct terms of a text in all)."""

    ids: Integers
    """(m,) each text's distinct terms, text by text."""
    counts: Floats
    """(m,) occurrences of each in its text."""
    rows: Integers
    """(m,) the text of each."""
    lengths: Floats
    """(n,) terms of each text in all."""

    @classmethod
    def of(cls, texts: Sequence[Terms]) -> "TermTable":
        """Concatenate the terms of texts."""
        sizes = [text.ids.size for text in texts]
        return cls(
            np.concatenate([np.zeros(0, np.int64), *(text.ids for text in texts)]),
            np.concatenate([np.zeros(0), *(text.counts for text in texts)]),
            np.repeat(np.arange(len(texts)), sizes),
            np.array([text.length for text in texts], dtype=np.float64),
        )


def words(text: str) -> list[str]:
    """Return the words of a text, unchanged but for Unicode compatibility folding."""
    return _WORD.findall(text if text.isascii() else _fold(text))


def name_words(text: str) -> frozenset[str]:
    """Return the distinct words of a text, case folded and unstemmed, to compare names by."""
    return frozenset(word.casefold() for word in words(text))


def terms(text: str, without: frozenset[str] = frozenset()) -> Terms:
    """Return the terms of a text: stemmed words without stop words.

    An identifier (snake_case, CamelCase) gives a term for the whole and one for each part. Scripts
    without spaces give a term for each character and each pair of characters.

    Args:
        text: Any text.
        without: Case-folded words to leave out.
    """
    if without:
        return _count(text, without)
    return _cache.get(text)


def _fold(text: str) -> str:
    without_accents = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFKC", without_accents)


def _count(text: str, without: frozenset[str]) -> Terms:
    counts = Counter(_term_ids(text, without))
    return Terms(
        np.fromiter(counts, np.int64, len(counts)),
        np.fromiter(counts.values(), np.float64, len(counts)),
        float(counts.total()),
    )


def _term_ids(text: str, without: frozenset[str]) -> Iterator[int]:
    is_plain = text.isascii() and not _IDENTIFIER.search(text)
    for word in words(text):
        if without and word.casefold() in without:
            continue
        for piece in (word,) if is_plain else _pieces(word):
            term = _term_id(piece[:WORD_CHARACTERS_MAX])
            if term is not None:
                yield term


def _pieces(word: str) -> Iterator[str]:
    """Yield the parts of a word that become terms: characters, pairs and parts of identifiers."""
    for part in _UNSPACED.split(word) if not word.isascii() else (word,):
        if _UNSPACED.match(part):
            yield from part
            yield from map("".join, pairwise(part))
        elif part:
            yield part
            if _IDENTIFIER.search(part):
                yield from (piece for piece in _PART.findall(part) if piece != part)


@lru_cache(maxsize=100_000)
def _term_id(word: str) -> int | None:
    """Return the hash of a word's stem; None for a stop word."""
    folded = word.casefold()
    if folded in STOP_WORDS:
        return None
    stem = _stemmer().stemWord(folded).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(stem, digest_size=8).digest(), "little", signed=True)


def _stemmer() -> Stemmer.Stemmer:
    # One for each thread: a stemmer is not thread-safe.
    if not hasattr(_stemmers, "english"):
        _stemmers.english = Stemmer.Stemmer("english")
    return _stemmers.english


class _TermCache:
    """The terms of the texts used last (LRU), bounded by their number and their characters."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Terms] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def get(self, text: str) -> Terms:
        with self._lock:
            if (cached := self._entries.get(text)) is not None:
                self._entries.move_to_end(text)
                return cached
        terms_of_text = _count(text, frozenset())
        with self._lock:
            self._put(text, terms_of_text)
        return terms_of_text

    def _put(self, text: str, terms_of_text: Terms) -> None:
        if text in self._entries:
            return
        self._entries[text] = terms_of_text
        self._characters += len(text)
        while len(self._entries) > CACHED_TEXTS_MAX or self._characters > CACHED_CHARACTERS_MAX:
            dropped, _ = self._entries.popitem(last=False)
            self._characters -= len(dropped)


_cache = _TermCache()
