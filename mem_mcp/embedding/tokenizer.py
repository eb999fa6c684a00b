"""The tokenizer of the bundled model: texts to the ids of XLM-R's 250,002 pieces.

A unigram model (Kudo 2018): each word is cut into the pieces whose scores add up highest. No piece
has a space after its first character, so that words can be cut one by one, and cached. The pieces
form a trie in a file that is mapped: only the part that texts need comes into memory. Libraries
that do the same take 60 to 290 MB and half a second.

The file is little-endian: the four bytes MMT1, the number n of nodes and the number p of pieces
(uint32) and the least score of a piece (float32), then for the nodes, breadth first, the character
that leads to each (uint32, n), the first of its children (uint32, n + 1; those of node i end where
those of node i + 1 begin, and are sorted) and the piece that ends in it (int32, n; -1 if none),
then the pieces' scores (float32, p).
"""

from __future__ import annotations

import mmap
import re
import struct
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

MAGIC = b"MMT1"
HEADER = "<4s2If"
FIRST, LAST, UNKNOWN = 0, 2, 3
"""Ids of the tokens that begin and end a text, and of what no piece has."""
MAX_CHARACTERS = 10_240
"""Of a longer text only these count: about five windows of English. A mean over more would be less
specific, and cost more time."""

_SPACE = "\u2581"
_ROOT = 0
# An unknown character costs this much more than the least likely piece, as in sentencepiece.
_UNKNOWN_PENALTY = 10.0
_CACHED_WORDS, _CACHED_CHARACTERS = 20_000, 24
# What Unicode's NFKC leaves, and the model was taught to read as a space or not at all.
_AS_SPACES = [0x09, 0x0A, 0x0C, 0x0D, 0x061C, 0x1680, 0x200B, 0x200C, 0x200E, 0x200F]
_AS_SPACES += [0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD]
_DROPPED = [*range(0x09), 0x0B, *range(0x0E, 0x20), 0x7F, 0x8F, 0x9F]
_CONTROLS = {**dict.fromkeys(_AS_SPACES, " "), **dict.fromkeys(_DROPPED, "")}


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the model reads it."""

    ids: list[int]
    """Ids of its pieces; neighbouring characters that no piece has are one UNKNOWN."""
    known: float
    """Share of its characters, other than spaces, that are in pieces: 0..1, and 0 if there are
    none."""


class Tokenizer:
    """Cuts texts into pieces.

    Args:
        file: The trie.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not such a file, or not all of it.
    """

    def __init__(self, file: Path) -> None:
        with file.open("rb") as opened:
            content = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
        start = struct.calcsize(HEADER)
        if len(content) < start or content[:4] != MAGIC:
            raise ValueError("not a file of pieces")
        _, nodes, pieces, least = struct.unpack(HEADER, content[:start])
        ends = [start + 4 * end for end in (nodes, 2 * nodes + 1, 3 * nodes + 1)]
        if len(content) != ends[-1] + 4 * pieces:
            raise ValueError("a file of pieces of another length than it says")
        self._labels = content[start : ends[0]].cast("I")
        self._children = content[ends[0] : ends[1]].cast("I")
        self._pieces = content[ends[1] : ends[2]].cast("i")
        self._scores = content[ends[2] :].cast("f")
        self._unknown_score = least - _UNKNOWN_PENALTY
        self._cut_cached = lru_cache(_CACHED_WORDS)(self._cut)

    def __len__(self) -> int:
        """Return the number of pieces; every id is below it."""
        return len(self._scores)

    def tokens(self, text: str) -> Tokens:
        """Return the tokens of any string, without those that begin and end a text."""
        ids: list[int] = []
        characters = unknown = 0
        for word in normalised(text).split(" "):
            if word:
                is_short = len(word) <= _CACHED_CHARACTERS
                pieces, missed = self._cut_cached(word) if is_short else self._cut(word)
                ids += pieces
                characters += len(word)
                unknown += missed
        return Tokens(ids, 1 - unknown / characters if characters else 0.0)

    def _cut(self, word: str) -> tuple[tuple[int, ...], int]:
        """Return the pieces of a word and how many of its characters are in none (Viterbi)."""
        codes = [ord(_SPACE), *map(ord, word)]
        size = len(codes)
        # The best way to each place: its score, its last piece, and where that begins.
        best = [0.0] + [float("-inf")] * size
        last, begins = [UNKNOWN] * (size + 1), [0] * (size + 1)
        labels, children, pieces, scores = self._labels, self._children, self._pieces, self._scores
        for start in range(size):
            so_far = best[start]
            if so_far + self._unknown_score > best[start + 1]:
                best[start + 1] = so_far + self._unknown_score
                last[start + 1], begins[start + 1] = UNKNOWN, start
            node = _ROOT
            for end in range(start, size):
                beyond = children[node + 1]
                code = codes[end]
                node = bisect_left(labels, code, children[node], beyond)
                if node == beyond or labels[node] != code:
                    break
                piece = pieces[node]
                if piece >= 0 and so_far + scores[piece] > best[end + 1]:
                    best[end + 1] = so_far + scores[piece]
                    last[end + 1], begins[end + 1] = piece, start
        found: list[int] = []
        unknown, place = 0, size
        while place:
            if last[place] == UNKNOWN:
                unknown += 1
            if last[place] != UNKNOWN or found[-1:] != [UNKNOWN]:
                found.append(last[place])
            place = begins[place]
        return tuple(found[::-1]), unknown


def normalised(text: str) -> str:
    """Return a text's first MAX_CHARACTERS in the form in which the model was taught to read.

    It is NFKC, but for runs of marks on one letter, which that puts into another order, and for the
    wide tilde.
    """
    text = text[:MAX_CHARACTERS].translate(_CONTROLS)
    if unicodedata.is_normalized("NFKC", text):
        return text
    parts = _exceptions().split(text)
    parts[::2] = [unicodedata.normalize("NFKC", part) for part in parts[::2]]
    parts[1::2] = [_composed(part) for part in parts[1::2]]
    return "".join(parts)[:MAX_CHARACTERS]


def _composed(run: str) -> str:
    composed = unicodedata.normalize("NFKC", run)
    return composed if len(composed) < len(run) else run


@cache
def _exceptions() -> re.Pattern[str]:
    """Return what matches a letter with two marks and more, and the wide tilde."""
    marks = "".join(filter(unicodedata.combining, map(chr, range(0x300, 0x10000))))
    return re.compile(f"(.[{marks}]{{2,}}|\uff5e)", re.DOTALL)
