"""The longest part of a text that fits a number of tokens, cut where it reads well."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Count = Callable[[str], int]
"""How many tokens a text is; a longer text never counts less."""

# Best first: paragraphs, lines, sentences, words. A part begins where a match ends.
_SENTENCE = r"[.!?…][\"'”’)\]]*\s+|[。！？]+[」』”’）]*"  # noqa: RUF001 - what other scripts end with
_BOUNDARIES = tuple(map(re.compile, (r"\n\s*\n", r"\n", _SENTENCE, r"\s+")))


def beginning(text: str, most: int, count: Count, start: int = 0) -> int:
    """Return where the longest part ends that begins at `start` and fits.

    It is cut at the best boundary in its second half, so that parts are few, and holds one
    character at least.
    """
    longest = _longest(lambda size: count(text[start : start + size]) <= most, len(text) - start)
    stop = start + max(longest, 1)
    if stop >= len(text):
        return len(text)
    for boundary in _BOUNDARIES:
        ends = [match.end() for match in boundary.finditer(text, start + longest // 2, stop)]
        if ends:
            return ends[-1]
    return stop


def ending(text: str, most: int, count: Count) -> int:
    """Return where the longest end of a text begins that fits; nothing of it may fit."""
    longest = _longest(lambda size: count(text[len(text) - size :]) <= most, len(text))
    start = len(text) - longest
    if start == 0:
        return start
    for boundary in _BOUNDARIES:
        if match := boundary.search(text, start, start + longest // 2):
            return match.end()
    return start


def parts(text: str, most: int, count: Count) -> Iterator[str]:
    """Cut a text into parts that fit; together they are the text."""
    start = 0
    while start < len(text):
        stop = beginning(text, most, count, start)
        yield text[start:stop]
        start = stop


def _longest(fits: Callable[[int], bool], most: int) -> int:
    """Return the largest size that fits; sizes far above it are never tried."""
    low, high = 0, 1
    while high < most and fits(high):
        low, high = high, high * 2
    high = min(high, most)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
