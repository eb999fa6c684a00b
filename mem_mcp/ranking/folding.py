"""Folding: one spelling for the ways in which a word is written."""

from __future__ import annotations

import re
import unicodedata

_ACCENTS = re.compile("[\u0300-\u036f]")
# Short vowels and the stroke that stretches a word are written or not, as one likes.
_UNWRITTEN = re.compile("[\u0610-\u061a\u0640\u064b-\u065f\u0670]")
_LETTERS = str.maketrans(
    {"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ة": "ه", "ک": "ك", "ی": "ي", "ı": "i"}  # noqa: RUF001
)


def compatible(text: str) -> str:
    """Return a text in Unicode's compatibility form: full width and ligatures are plain letters."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def fold(text: str) -> str:
    """Return a text without accents, and with one form of each Arabic letter."""
    if text.isascii():
        return text
    without = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFKC", _UNWRITTEN.sub("", without)).translate(_LETTERS)
