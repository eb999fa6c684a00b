"""Passages: the parts of a long text that are compared with a question by themselves."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from mem_mcp.ranking.constants import (
    EMBEDDED_PASSAGE_SIZE,
    EMBEDDED_WHOLE_MAX,
    PASSAGE_SIZE,
    PASSAGES_MAX,
    WHOLE_SIZE_MAX,
    WORD_CHARACTERS_MAX,
)

# A sentence with the space behind it. A line ends one, too: of lists and of code.
_END = re.compile(
    r"(?:[.!?…][\"'”’)\]]*+(?=\s)|[。！？।॥؟۔።]++[」』”’）]*+|\n)\s*+"  # noqa: RUF001 - of other scripts
)
_WORD = re.compile(r"\S+\s*|\s+")
_SIGN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff]")
_SHARE = 2
"""A sentence longer than one in so many parts of a passage is cut between words."""


def passages(text: str) -> tuple[slice, ...]:
    """Cut a text into passages of about the same size, which together are the text.

    They begin and end with sentences, or with words where a sentence is long. A short text is one
    passage; a very long one has `PASSAGES_MAX`, which are the longer.
    """
    is_long = _size(text) > WHOLE_SIZE_MAX
    return _cut(text, PASSAGE_SIZE) if is_long else (slice(0, len(text)),)


def embedded_passages(text: str) -> list[str]:
    """Return the passages of a long text that have vectors of their own; none for a short one.

    They are cut as `passages` are, and smaller: a vector says one thing.
    """
    if _size(text) <= EMBEDDED_WHOLE_MAX:
        return []
    return [text[part] for part in _cut(text, EMBEDDED_PASSAGE_SIZE)]


@lru_cache(maxsize=1_000)
def _cut(text: str, passage: int) -> tuple[slice, ...]:
    size = _size(text)
    number = min(round(size / passage), PASSAGES_MAX)
    most = size / number
    cuts, done, current = [0], 0, 0
    for start, end in _units(text, most / _SHARE):
        length = _size(text[start:end])
        place = min(int((done + length / 2) / most), number - 1)
        if place > current and start > 0:
            cuts.append(start)
            current = place
        done += length
    return tuple(map(slice, cuts, [*cuts[1:], len(text)]))


def _units(text: str, most: float) -> Iterator[tuple[int, int]]:
    """Yield the start and end of what is never cut: sentences, words, and parts of long words."""
    for start, end in _spans(_sentence_ends(text), len(text)):
        if _size(text[start:end]) <= most:
            yield start, end
            continue
        for word in _WORD.finditer(text, start, end):
            yield from _spans(_word_ends(text, *word.span()), word.end(), word.start())


def _spans(ends: Iterator[int], last: int, first: int = 0) -> Iterator[tuple[int, int]]:
    start = first
    for end in (*ends, last):
        if end > start:
            yield start, end
            start = end


def _sentence_ends(text: str) -> Iterator[int]:
    return (found.end() for found in _END.finditer(text))


def _word_ends(text: str, start: int, end: int) -> Iterator[int]:
    """Yield where a word is cut: what has so many characters is data, or a script without spaces.

    A mark stays with the letter that it belongs to.
    """
    for place in range(start + WORD_CHARACTERS_MAX, end, WORD_CHARACTERS_MAX):
        if not unicodedata.combining(text[place]) and unicodedata.category(text[place])[0] != "M":
            yield place


def _size(text: str) -> int:
    """Return how much a text says, in letters: a sign of Chinese, Japanese or Korean is three."""
    return len(text) if text.isascii() else len(text) + 2 * len(_SIGN.findall(text))
