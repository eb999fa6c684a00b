"""Text to terms: the units that lexical scores count."""

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
from numpy.typing import NDArray

from mem_mcp.ranking.constants import CACHED_CHARACTERS, CACHED_TEXTS, LONGEST_WORD

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
# The marks of Indic, Thai and Arabic script belong to their words, but are no \w.
_WORD = re.compile("[\\w\u0610-\u061a\u064b-\u065f\u0900-\u0eff\u1000-\u109f\u1780-\u17ff]+")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff]+)"
)
_IDENTIFIER = re.compile(r"[a-z0-9][A-Z]|_")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_stemmers = threading.local()


class Terms(NamedTuple):
    """The terms of one text."""

    ids: NDArray[np.int64]
    """Distinct terms, as hashes."""
    counts: NDArray[np.float64]
    """How often each occurs."""
    length: float
    """How many there are in all."""


class TermTable(NamedTuple):
    """The terms of many texts, end to end."""

    ids: NDArray[np.int64]
    """Each text's distinct terms, one text after the other."""
    counts: NDArray[np.float64]
    """How often each occurs in its text."""
    rows: NDArray[np.int64]
    """The text of each."""
    lengths: NDArray[np.float64]
    """Terms of each text in all."""


def table(texts: Sequence[Terms]) -> TermTable:
    """Lay the terms of texts end to end."""
    sizes = [text.ids.size for text in texts]
    return TermTable(
        np.concatenate([np.zeros(0, np.int64), *(text.ids for text in texts)]),
        np.concatenate([np.zeros(0), *(text.counts for text in texts)]),
        np.repeat(np.arange(len(texts)), sizes),
        np.array([text.length for text in texts], dtype=np.float64),
    )


def words(text: str) -> list[str]:
    """Return the words of `text` as they stand, after Unicode compatibility folding."""
    return _WORD.findall(text if text.isascii() else _fold(text))


def names(text: str) -> frozenset[str]:
    """Return the distinct words of `text`, case folded and unstemmed, as names are compared."""
    return frozenset(word.casefold() for word in words(text))


def terms(text: str, without: frozenset[str] = frozenset()) -> Terms:
    """Return what `text` says, term by term: stemmed, without stop words.

    Identifiers (snake_case, CamelCase) count whole and by their parts; scripts that are written
    without spaces count by characters and pairs of characters.

    Args:
        text: Any text.
        without: Case-folded words to leave out.
    """
    if without:
        return _count(text, without)
    return _cache.get(text)


def _fold(text: str) -> str:
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFKC", bare)


def _count(text: str, without: frozenset[str]) -> Terms:
    counts = Counter(_term_ids(text, without))
    return Terms(
        np.fromiter(counts, np.int64, len(counts)),
        np.fromiter(counts.values(), np.float64, len(counts)),
        float(counts.total()),
    )


def _term_ids(text: str, without: frozenset[str]) -> Iterator[int]:
    plain = text.isascii()
    identifiers = _IDENTIFIER.search(text) is not None
    for word in words(text):
        if without and word.casefold() in without:
            continue
        if plain and not identifiers:
            term = _term_id(word)
            if term is not None:
                yield term
        else:
            found = map(_term_id, _pieces(word))
            yield from (term for term in found if term is not None)


def _pieces(word: str) -> Iterator[str]:
    for part in _UNSPACED.split(word) if not word.isascii() else (word,):
        if _UNSPACED.match(part):
            yield from part
            yield from map("".join, pairwise(part))
        elif part:
            yield part
            if _IDENTIFIER.search(part):
                yield from (piece for piece in _PART.findall(part) if piece != part)


def _term_id(word: str) -> int | None:
    return _stem_id(word[:LONGEST_WORD])


@lru_cache(maxsize=100_000)
def _stem_id(word: str) -> int | None:
    folded = word.casefold()
    if folded in STOP_WORDS:
        return None
    stem = _stemmer().stemWord(folded).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(stem, digest_size=8).digest(), "little", signed=True)


def _stemmer() -> Stemmer.Stemmer:
    # One for each thread: a stemmer keeps state while it works.
    if not hasattr(_stemmers, "english"):
        _stemmers.english = Stemmer.Stemmer("english")
    return _stemmers.english


class _TermCache:
    """The terms of the texts seen last, bounded by their number and by their characters."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Terms] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def get(self, text: str) -> Terms:
        with self._lock:
            found = self._kept.get(text)
            if found is not None:
                self._kept.move_to_end(text)
                return found
        counted = _count(text, frozenset())
        with self._lock:
            self._keep(text, counted)
        return counted

    def _keep(self, text: str, counted: Terms) -> None:
        if text in self._kept:
            return
        self._kept[text] = counted
        self._characters += len(text)
        while len(self._kept) > CACHED_TEXTS or self._characters > CACHED_CHARACTERS:
            dropped, _ = self._kept.popitem(last=False)
            self._characters -= len(dropped)


_cache = _TermCache()
