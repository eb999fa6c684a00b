"""Find what a statement puts in the place of other words of its quote. Pure.

Both are laid beside one another. What stands between words that both have, or after the last of
them, took the place of what the other has there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from mem_mcp.extraction.quotes import ordered_words

_CHINESE = "\u3040-\u30ff\u3400-\u9fff"
_UNSPACED = re.compile(f"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff{_CHINESE}]+")
_SIGN = re.compile(r"\w\W*")
_ARABIC = re.compile("[\u0621-\u064a]+")
_ROOT = re.compile(r"^(?:و?(?:[فبكل]?ال|لل)|و(?=[تينأ]))?[تين]?(?=\w{3})|[\u064b-\u065f]")
_SAME = str.maketrans("أإآىة", "ااايه")
_STEM = 4
ROOT_LETTERS = 3
"""Letters of a root in Arabic."""
_LEAST_ANCHOR = 2
"""Letters that both have in a row, of a script without spaces, to be the same word."""


_MOST_TOKENS = 400
"""Of a clause or a statement: comparing takes their product in time."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What stands in a statement, and what of its quote it stands for."""

    before: str
    """The word that both have before it."""
    old: tuple[str, ...]
    new: tuple[str, ...]


def replacements(text: str, clause: str) -> Iterator[Replacement]:
    """Yield what a statement puts in the place of other words of a clause.

    In a script without spaces, signs or letters with their marks stand for words. Very long ones
    are not compared.
    """
    old, new = [*_tokens(clause)], [*_tokens(text)]
    if max(len(old), len(new)) > _MOST_TOKENS:
        return
    keys = [key(token) for token, _ in old], [key(token) for token, _ in new]
    matcher = SequenceMatcher(None, *keys, autojunk=False)
    at = None
    for block in matcher.get_matching_blocks():
        if block.size and not _is_anchor(keys[0][block.a : block.a + block.size]):
            continue
        if at is not None and at[0] < block.a and at[1] < block.b:
            stands = old[at[0] : block.a]
            if not block.size:  # what follows in the clause may be left out
                stands = [each for each in stands if each[1] == stands[0][1]]
            replaced, put = (
                (*(token for token, _ in each),) for each in (stands, new[at[1] : block.b])
            )
            yield Replacement(old[at[0] - 1][0], replaced, put)
        at = (block.a + block.size, block.b + block.size)


def key(word: str) -> str:
    """Return what the forms of a word have in common: its beginning, in Arabic its root."""
    if _ARABIC.match(word):
        return _ROOT.sub("", word.translate(_SAME))[:ROOT_LETTERS]
    return word[:_STEM]


def _is_anchor(tokens: Sequence[str]) -> bool:
    is_letters = all(_UNSPACED.match(one) and not re.match(f"[{_CHINESE}]", one) for one in tokens)
    return not is_letters or len(tokens) >= _LEAST_ANCHOR


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield each token, with the number of the word that it is of."""
    for number, word in enumerate(ordered_words(text)):
        at = 0
        for match in _UNSPACED.finditer(word):
            yield from ((part, number) for part in (word[at : match.start()],) if part)
            yield from ((sign, number) for sign in _SIGN.findall(match[0]))
            at = match.end()
        if at < len(word):
            yield word[at:], number
