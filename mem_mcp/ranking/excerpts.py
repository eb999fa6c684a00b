"""The excerpt of a long text that answers a question best."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from itertools import accumulate

import numpy as np

from mem_mcp.ranking.arrays import Floats
from mem_mcp.ranking.text_analysis import TermTable, terms

CUT = "…"
"""Stands where a passage was cut out of its text."""

# Sentences, and lines, with their ends.
_SENTENCE = re.compile(
    r".*?(?:[.!?…][\"'”’)\]]*\s+|[。！？।]+[」』”’）]*|\n+|\Z)",  # noqa: RUF001 - of other scripts
    re.DOTALL,
)
_LONGEST_SENTENCE = 300
"""Characters of a piece of a text that has no sentences."""
_JOINER = "\u200d"


def excerpt(text: str, query: str, most: int, language: str = "") -> str:
    """Return the part of a text with the most of a question's words.

    It holds whole sentences where these are short, and begins and ends with CUT where the text goes
    on. Of equally good passages it is the first; where the text has no word of the question, it is
    the text's beginning.

    Args:
        text: of any length.
        query: the question; empty for none.
        most: characters of the passage, CUT included; at least 3.
        language: of both, where their own words do not tell.
    """
    if len(text) <= most:
        return text
    room = most - 2 * len(CUT)
    pieces = _pieces(text, max(min(_LONGEST_SENTENCE, room // 3), 1))
    ends = [*accumulate(map(len, pieces))]
    starts = [0, *ends[:-1]]
    score = _scores(pieces, query, language)
    # The best piece, or run of pieces, in half of the room; the other half is for what is around.
    first, last = _best_run(score, starts, ends, max(room // 2, 1))
    # What follows comes first: it is more often the answer than what stands before.
    least = room - (room - (ends[last] - starts[first])) // 2
    while last + 1 < len(ends) and ends[last + 1] - starts[first] <= least:
        last += 1
    while first > 0 and ends[last] - starts[first - 1] <= room:
        first -= 1
    while last + 1 < len(ends) and ends[last + 1] - starts[first] <= room:
        last += 1
    start, end = starts[first], min(ends[last], starts[first] + room)
    passage = text[start : _whole_character(text, end)].strip()
    return f"{CUT if start else ''}{passage}{CUT if end < len(text) else ''}"


def _pieces(text: str, longest: int) -> list[str]:
    pieces = list[str]()
    for match in _SENTENCE.finditer(text):
        sentence = match[0]
        while len(sentence) > longest:
            space = sentence.rfind(" ", longest // 2, longest) + 1
            cut = space or max(_whole_character(sentence, longest), 1)
            pieces.append(sentence[:cut])
            sentence = sentence[cut:]
        if sentence:
            pieces.append(sentence)
    return pieces


def _whole_character(text: str, end: int) -> int:
    """Move an end back so that it does not part a character from its marks."""
    while 0 < end < len(text) and (
        unicodedata.category(text[end])[0] == "M" or _JOINER in text[end - 1 : end + 1]
    ):
        end -= 1
    return end


def _scores(pieces: list[str], query: str, language: str) -> Floats:
    """Return (pieces, terms) what each of the question's terms is worth in each piece."""
    asked = terms(query, language, asked=True)
    if not asked.ids.size:
        return np.zeros((len(pieces), 0))
    table = TermTable.of([terms(piece, asked.language or language) for piece in pieces])
    places, column = table.places(asked.ids)
    found = np.zeros((len(pieces), asked.ids.size))
    found[table.rows[places], column] = 1.0
    frequency = found.sum(axis=0)
    return np.asarray(found * np.log1p(len(pieces) / np.maximum(frequency, 1.0)))


def _best_run(score: Floats, starts: list[int], ends: list[int], most: int) -> tuple[int, int]:
    """Return the first and the last piece of the run that has the most terms within `most`."""
    best, found = (0, 0), 0.0
    for first in np.flatnonzero(score.any(axis=1)).tolist():
        after = max(bisect_left(ends, starts[first] + most + 1), first + 1)
        value = float(score[first:after].max(axis=0).sum())
        if value > found:
            hits = np.flatnonzero(score[first:after].any(axis=1))
            best, found = (first, first + int(hits[-1])), value
    return best
