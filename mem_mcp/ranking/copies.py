"""Copies: texts that are equal but for how they were typed."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

# Ends a sentence and says nothing else: no question mark, no full stop that stands alone
# (`git add .`), no exclamation mark behind a number.
_END = re.compile(r"(?<=[\w)\]\"'`”’»])(?:[.,;:…。]+|(?<!\d)[!！]+)$")  # noqa: RUF001 - meant
# Of words and sentences alone. In all else, such as code and names of files, each character counts.
_PROSE = re.compile(
    r"[(¡¿]*[^\W_]+(?:['’-][^\W_]+|(?<=\d)[.,:]\d+)*[.,;:!?…。！？)]*"  # noqa: RUF001 - meant
)
_SHOUTED_WORDS = 3
"""Least words in capitals that are one's habit, and no acronyms."""
_HEAD = 12


def copy_key(text: str) -> str:
    """Return what copies have in common; texts that are no copies may have it in common, too."""
    return " ".join(_typed(text).lower().split())


def head(text: str) -> str:
    """Return the first two letters of a text's copy_key, which takes less time."""
    return "".join(unicodedata.normalize("NFC", text.lstrip()[:_HEAD]).lower().split())[:2]


def are_copies(one: str, other: str) -> bool:
    """Whether two texts are equal but for case, white space and punctuation at the ends.

    Case and inner white space only count as typing in one line of prose, and case only where one
    of the texts is written in one case throughout: `-d` is not `-D`, US is not us, and indentation
    is a language's syntax.
    """
    one, other = _typed(one), _typed(other)
    if one == other:
        return True
    if not (_is_prose(one) and _is_prose(other)):
        return False
    one, other = " ".join(one.split()), " ".join(other.split())
    if one == other:
        return True
    return one.lower() == other.lower() and (_is_habit(one, other) or _is_habit(other, one))


def _typed(text: str) -> str:
    return _END.sub("", unicodedata.normalize("NFC", text).strip())


def _is_prose(text: str) -> bool:
    return len(text.splitlines()) == 1 and all(_PROSE.fullmatch(word) for word in text.split())


def _is_habit(plain: str, other: str) -> bool:
    """Whether a text is the other one in one case, and no word of the other has its own case."""
    is_shouted = other.isupper() and len(other.split()) >= _SHOUTED_WORDS
    if plain.islower():
        return is_shouted or not _has_own_capitals(other)
    is_shouted = plain.isupper() and len(plain.split()) >= _SHOUTED_WORDS
    return is_shouted and not _has_own_capitals(other)


def _has_own_capitals(text: str) -> bool:
    """Whether there are capitals that are no writer's habit: of an acronym, or inside a name."""
    return any(before.isalpha() and after.isupper() for before, after in pairwise(text))
