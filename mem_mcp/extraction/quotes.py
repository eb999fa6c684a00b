"""Look up a quote in the texts that a model was shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from mem_mcp.text import normalised

# Models change these silently. Angle brackets are here because prompts show others in their place.
_MARKS = "\"'`´‘’‚‛“”„‟′″‵‶«»‹›<>＜＞﹤﹥「」『』"  # noqa: RUF001 - the look-alikes are meant
_DASHES = "-‐‑‒–—―−﹘﹣－"  # noqa: RUF001 - likewise
_UNSEEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_SAME: dict[int, str | None] = {
    **dict.fromkeys(map(ord, _MARKS), "'"),
    **dict.fromkeys(map(ord, _DASHES), "-"),
    **dict.fromkeys(map(ord, _UNSEEN)),
    ord("…"): "...",
}
_REPEATED = re.compile(r"(['-])\1+")
# The marks of Indic, Thai, Hebrew and Arabic script belong to their words, but are no \w.
_WORDS = re.compile(
    "[\\w\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0eff\u1000-\u109f\u1780-\u17ff]+"
)


def comparable(text: str) -> str:
    """Return a text in a form in which faithful copies are equal.

    Case, white space, composition, width, quotation marks, dashes and dots do not count.
    """
    folded = unicodedata.normalize("NFKC", text.translate(_SAME))
    return _REPEATED.sub(r"\1", normalised(folded))


def same(text: str) -> str:
    """Return a key that is equal for texts of the same words."""
    return comparable(text).strip("'. ")


class Passages:
    """Texts in which quotes are looked up."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [comparable(text) for text in texts]

    def holding(self, quote: str) -> list[int]:
        """Return the places of the texts that hold a quote as whole words; a quote needs a word."""
        sought = same(quote)
        if not any(map(str.isalnum, sought)):
            return []
        return [place for place, text in enumerate(self._texts) if _found(sought, text) >= 0]

    def near(self, quote: str, place: int, reach: int) -> str:
        """Return a quote with `reach` characters on either side, from the text at `place`."""
        sought, text = same(quote), self._texts[place]
        start = _found(sought, text)
        return text[max(0, start - reach) : start + len(sought) + reach]


def _found(sought: str, text: str) -> int:
    start = text.find(sought)
    while start >= 0:
        end = start + len(sought)
        if not (
            _joined(text[start - 1 : start], sought[0]) or _joined(sought[-1], text[end : end + 1])
        ):
            break
        start = text.find(sought, start + 1)
    return start


def _joined(one: str, other: str) -> bool:
    """Whether two characters belong to one word; in scripts without spaces none do."""
    return _spaced(one) and _spaced(other)


def _spaced(character: str) -> bool:
    return character.islower() or character.isdecimal()


def words(text: str) -> set[str]:
    """Return the words of a text, comparable."""
    return set(_WORDS.findall(comparable(text)))


def ordered_words(text: str) -> list[str]:
    """Return the words of a text in order, comparable."""
    return _WORDS.findall(comparable(text))
