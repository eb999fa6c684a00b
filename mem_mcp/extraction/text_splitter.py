"""Cut a text by tokens where it reads well; cut a long log to its head and its tail. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mem_mcp.text import count_tokens

Count = Callable[[str], int]
"""Counts the tokens of a text; a longer text never counts less."""

# Best first: paragraphs, lines, sentences, words. A part begins where a match ends.
_SENTENCE = r"[.!?…][\"'”’)\]]*\s+|[。！？]+[」』”’）]*"  # noqa: RUF001 - what other scripts end with
_BOUNDARIES = tuple(map(re.compile, (r"\n\s*\n", r"\n", _SENTENCE, r"\s+")))
_HEAD_SHARE = 3
"""The head gets one in so many tokens. The tail gets the rest: it shows how the task ended."""
_GAP_TOKENS = 20


@dataclass(frozen=True, slots=True)
class LogExcerpt:
    """The parts of a log that a model reads."""

    passages: tuple[str, ...]
    """The whole log, or its head and its tail."""
    left_out: int = 0
    """Characters that were cut out between them."""

    @property
    def text(self) -> str:
        """The text to show, with a mark where something was cut out."""
        return f"\n[... {self.left_out} characters were cut out here ...]\n".join(self.passages)


def log_excerpt(texts: Sequence[str], most: int, *, count: Count = count_tokens) -> LogExcerpt:
    """Return the head and the tail of a log that fit, or the whole log.

    Args:
        texts: the parts of the log, in order.
        most: most tokens.
        count: counts the tokens of a text.
    """
    whole = "\n".join(texts)
    if count(whole) <= most:
        return LogExcerpt((whole,))
    room = max(most - _GAP_TOKENS, 2)
    head = beginning(whole, room // _HEAD_SHARE, count)
    tail = head + ending(whole[head:], room - count(whole[:head]), count)
    return LogExcerpt((whole[:head], whole[tail:]), tail - head)


def beginning(text: str, most: int, count: Count, start: int = 0) -> int:
    """Return the end of the longest part that begins at `start` and fits.

    The part ends at the best boundary in its second half, so that parts are few. It holds at least
    one character.
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
    """Return the start of the longest tail of a text that fits; the tail may be empty."""
    longest = _longest(lambda size: count(text[len(text) - size :]) <= most, len(text))
    start = len(text) - longest
    if start == 0:
        return start
    for boundary in _BOUNDARIES:
        if match := boundary.search(text, start, start + longest // 2):
            return match.end()
    return start


def parts(text: str, most: int, count: Count) -> Iterator[str]:
    """Cut a text into parts that fit; joined they are the text."""
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
