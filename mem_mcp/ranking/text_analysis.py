"""Text analysis: from texts to the terms that lexical scores count."""

import hashlib
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np

from mem_mcp.ranking.arrays import Booleans, Floats, Integers
from mem_mcp.ranking.constants import CACHED_CHARACTERS_MAX, CACHED_TEXTS_MAX, WORD_CHARACTERS_MAX
from mem_mcp.ranking.folding import compatible, fold
from mem_mcp.ranking.language import WORDS_READ, is_stop_word, language_of, stem
from mem_mcp.ranking.spellings import usual

# Combining marks of Indic, Thai and Arabic scripts are part of a word, but \w excludes them. The
# strokes that end a sentence in Hindi are none.
_WORD = re.compile(
    "[\\w\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0eff\u1000-\u109f\u1780-\u17ff]+"
)
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff]+)"
)
_IDENTIFIER = re.compile(r"[a-z0-9][A-Z]|_")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
# Arrows, signs and emoji; two regional indicators are one flag.
_SYMBOL = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}|[\u2190-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
)


# A number with its inner signs, and letters that are written before it, as in "v1.5".
_NUMBER = re.compile(r"(?<![\w.,])([^\W\d_]*+)(\d++(?:[.,]\d++)++)")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_THOUSANDS_BY_POINT = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?")
# Where a point stands between thousands, and a comma before a fraction.
_POINT_LANGUAGES = frozenset(
    {"ca", "da", "de", "es", "eu", "id", "it", "nl", "no", "pt", "ro", "tr", "vi"}
)
_VERSION_PARTS = range(2, 4)
"""Of a version, how many parts from its beginning are a term, too: 4.9 of 4.9.2."""
# What is written as one, though it has signs in it: paths, addresses, tags and flags, C++ and F#.
# Nothing is given back, so that a long text takes no longer than its length.
_JOINED = re.compile(r"(?<!\w)(?:\w++(?:[-./:#@+&\\]++\w++)++|[^\W\d_]\w*+[+#]++(?!\w))")
_SENTENCE_ENDS = '.!?:;\u3002\uff01\uff1f\n"(\u201c\u00ab\u00bf\u00a1-*\u2022#>'
_LOOKED_BACK = 4
_CHARACTERS_OF_WORD = 2
"""Of Chinese and Japanese."""


class Terms(NamedTuple):
    """The t distinct terms of one text."""

    ids: Integers
    """(t,) their hashes: even for stems, odd for exact forms (see `is_exact`)."""
    counts: Floats
    """(t,) occurrences of each."""
    length: float
    """Occurrences of stems in all."""
    language: str
    """ISO 639-1 code of the text's language; empty where that is uncertain."""
    words: float
    """About how many distinct words there are."""

    @property
    def stems(self) -> Integers:
        """The hashes of the stems alone."""
        return self.ids[~is_exact(self.ids)]


class TermTable(NamedTuple):
    """The terms of n texts, as an index: sorted by term."""

    ids: Integers
    """(m,) each text's distinct terms (m in all), ascending."""
    counts: Floats
    """(m,) occurrences of each in its text."""
    rows: Integers
    """(m,) the text of each."""
    lengths: Floats
    """(n,) terms of each text in all, exact forms apart."""

    @classmethod
    def of(cls, texts: Sequence[Terms]) -> "TermTable":
        """Build the index of texts."""
        sizes = [text.ids.size for text in texts]
        ids = np.concatenate([np.zeros(0, np.int64), *(text.ids for text in texts)])
        order = np.argsort(ids)
        return cls(
            ids[order],
            np.concatenate([np.zeros(0), *(text.counts for text in texts)])[order],
            np.repeat(np.arange(len(texts)), sizes)[order],
            np.array([text.length for text in texts], dtype=np.float64),
        )

    def places(self, wanted: Integers) -> tuple[Integers, Integers]:
        """Find terms.

        Args:
            wanted: (q,) hashes.

        Returns:
            Where they occur, as places in `ids`, and for each place which of the wanted is there.
        """
        first = np.searchsorted(self.ids, wanted, "left")
        sizes = np.searchsorted(self.ids, wanted, "right") - first
        which = np.repeat(np.arange(wanted.size), sizes)
        within = np.arange(which.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return np.repeat(first, sizes) + within, which


def is_exact(ids: Integers) -> Booleans:
    """Return which terms are the exact forms of words, beside their stems."""
    return np.asarray(ids & 1, np.bool_)


def words(text: str) -> list[str]:
    """Return the words of a text, unchanged but for Unicode compatibility folding."""
    return _WORD.findall(fold(text))


def name_words(text: str) -> frozenset[str]:
    """Return the distinct words of a text, case folded and unstemmed, to compare names by."""
    return frozenset(word.casefold() for word in words(text))


def terms(
    text: str, language: str = "", without: frozenset[str] = frozenset(), *, asked: bool = False
) -> Terms:
    """Return the terms of a text: words without stop words, each as its stem and as it is written.

    An identifier (snake_case, CamelCase) gives a term for the whole and one for each part, and what
    is joined by signs (a path, a version) one for the whole beside its words. A number is one term:
    1.5 is not 5, and 1,000 is 1000. Scripts without spaces give a term for each character and each
    pair of characters, emoji and arrows one for each. A stop word in capitals, or capitalised
    inside a sentence, may be a name: it is a term as it is written.

    Args:
        text: Any text.
        language: Of the text if its own words do not tell: an ISO 639-1 code.
        without: Case-folded words to leave out.
        asked: Whether it is a question. Elsewhere a stop word at the beginning of a sentence may be
            the name that a question has inside of one.
    """
    if without or asked:
        return _count(text, language, without, asked=asked)
    return _cache.get(text, language)


def _count(
    text: str, language: str, without: frozenset[str] = frozenset(), *, asked: bool = False
) -> Terms:
    text = compatible(text)
    found = list(_WORD.finditer(text))
    own = language_of((match[0] for match in islice(found, WORDS_READ)), text)
    counts = Counter(_term_ids(text, own or language, without, asked=asked))
    ids = np.fromiter(counts, np.int64, len(counts))
    occurrences = np.fromiter(counts.values(), np.float64, len(counts))
    stems = ~is_exact(ids)
    distinct = max(float(stems.sum()) - _beyond_words(text), 0.0)
    return Terms(ids, occurrences, float(occurrences[stems].sum()), own, distinct)


def _beyond_words(text: str) -> float:
    """Return how many more terms than words there are of scripts without spaces."""
    runs = _UNSPACED.findall(text) if not text.isascii() else []
    pieces = {piece for run in runs for piece in (*run, *map("".join, pairwise(run)))}
    return len(pieces) - sum(map(len, runs)) / _CHARACTERS_OF_WORD


def _term_ids(text: str, language: str, without: frozenset[str], *, asked: bool) -> Iterator[int]:
    for joined in _JOINED.findall(text):
        yield _exact_id(joined.casefold()[:WORD_CHARACTERS_MAX])
    text, numbers = _without_numbers(text, language)
    yield from numbers
    if not text.isascii():
        yield from map(_stem_id, _SYMBOL.findall(text))
    shouted = text.isupper()
    for match in _WORD.finditer(text):
        word = match[0]
        if without and fold(word).casefold() in without:
            continue
        for piece, is_part in _pieces(word):
            ids = _ids_of(piece[:WORD_CHARACTERS_MAX], language, is_part)
            yield from ids
            if not ids and not shouted and _may_be_name(text, match.start(), word, asked=asked):
                yield _stem_id(word)


def _without_numbers(text: str, language: str) -> tuple[str, list[int]]:
    """Take the numbers that have signs in them out of a text; return their terms, too."""
    ids: list[int] = []

    def taken(match: re.Match[str]) -> str:
        number = _plain(match[2], language)[:WORD_CHARACTERS_MAX]
        ids.extend((_stem_id(number), _exact_id(number)))
        parts = number.split(".")
        ids.extend(_stem_id(".".join(parts[:size])) for size in _VERSION_PARTS if size < len(parts))
        return f"{match[1]} " if len(match[1]) > 1 else " "

    return _NUMBER.sub(taken, text), ids


def _plain(number: str, language: str) -> str:
    """Return a number with a point before its fraction, and no sign between thousands."""
    if _THOUSANDS.fullmatch(number):
        return number.replace(",", "")
    if language in _POINT_LANGUAGES and _THOUSANDS_BY_POINT.fullmatch(number):
        return number.replace(".", "").replace(",", ".")
    return number.replace(",", ".")


def _may_be_name(text: str, start: int, word: str, *, asked: bool) -> bool:
    """Whether a stop word is written as a name."""
    if len(word) == 1 or not word[0].isupper():
        return False
    if word.isupper() or not asked:
        return True
    before = text[max(0, start - _LOOKED_BACK) : start].rstrip(" ")
    return bool(before) and before[-1] not in _SENTENCE_ENDS


def _pieces(word: str) -> Iterator[tuple[str, bool]]:
    """Yield what becomes terms, and whether it is a part: characters, pairs, identifiers' parts."""
    for part in _UNSPACED.split(word) if not word.isascii() else (word,):
        if _UNSPACED.match(part):
            yield from ((character, True) for character in part)
            yield from (("".join(pair), True) for pair in pairwise(part))
        elif part:
            yield part, False
            if _IDENTIFIER.search(part):
                yield from ((piece, True) for piece in _PART.findall(part) if piece != part)


@lru_cache(maxsize=100_000)
def _ids_of(word: str, language: str, is_part: bool) -> tuple[int, ...]:
    """Return the terms of a word: its stem and, unless it is a part, its exact forms.

    Nothing for a stop word.
    """
    lower = word.casefold()
    folded = fold(lower)
    if is_stop_word(folded, language):
        return ()
    stem_id = _stem_id(stem(usual(lower, language), language))
    if is_part:
        return (stem_id,)
    exact = {folded, *((word,) if _IDENTIFIER.search(word) else ())}
    return (stem_id, *map(_exact_id, exact))


def _stem_id(term: str) -> int:
    return _hash(term) & ~1


def _exact_id(term: str) -> int:
    return _hash(term) | 1


def _hash(term: str) -> int:
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class _TermCache:
    """The terms of the texts used last (LRU), bounded by their number and their characters."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[str, str], Terms] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()

    def get(self, text: str, language: str = "") -> Terms:
        key = (text, language)
        with self._lock:
            if (cached := self._entries.get(key)) is not None:
                self._entries.move_to_end(key)
                return cached
        terms_of_text = _count(text, language)
        with self._lock:
            self._put(key, terms_of_text)
        return terms_of_text

    def _put(self, key: tuple[str, str], terms_of_text: Terms) -> None:
        if key in self._entries:
            return
        self._entries[key] = terms_of_text
        self._characters += len(key[0])
        while len(self._entries) > CACHED_TEXTS_MAX or self._characters > CACHED_CHARACTERS_MAX:
            (dropped, _), _ = self._entries.popitem(last=False)
            self._characters -= len(dropped)


_cache = _TermCache()
