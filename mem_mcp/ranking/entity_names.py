"""Names of entities: when two are the same, and what a text may be naming."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from mem_mcp.ranking.constants import NAME_WORDS, NAMING_WORDS
from mem_mcp.ranking.text_analysis import STOP_WORDS

ALIASES = frozenset(
    {
        "aka", "alias", "alias for", "alias of", "also called", "also known as", "has alias",
        "is alias of", "is also called", "is also known as", "is an alias of", "is called",
        "is known as", "is same as", "is the same as", "known as", "same as",
    }
)  # fmt: skip
"""Relations, as `key` writes them, that say that two names are of one entity."""

# The characters of scripts without spaces are words of their own, since nothing tells where a name
# ends there. "C", "C++" and "C#" are three names; "Node.js" and "node js" are one.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[\u0300-\u036f])+[+#]*")
_LONGEST_ACRONYM = 5
_POSSESSIVE = re.compile(r"['\u2019]s(?![^\W_])", re.IGNORECASE)


class Phrase(NamedTuple):
    """Words of a text that may be a name."""

    key: str
    spelled: str
    """As they stand there, without a possessive 's at the end."""
    possessive: bool
    """Whether one follows."""
    words: int


@lru_cache(maxsize=50_000)
def key(name: str) -> str:
    """Return what all spellings of a name have in common.

    Compatibility forms, case, white space, punctuation and a possessive 's are folded: "New-York",
    "new  york" and "New York's" are one name. Accents are kept.
    """
    text = unicodedata.normalize("NFKC", name)
    words = [text[start:end].casefold() for start, end in _spans(text)]
    return " ".join(words) or " ".join(text.casefold().split())  # a name of signs is what it is


def phrases(text: str, most: int = NAME_WORDS) -> list[list[Phrase]]:
    """Return what a text may be naming.

    Args:
        text: any; of a very long one its first NAMING_WORDS words count.
        most: words of the longest name.

    Returns:
        For each word the phrases that begin with it, longest first.
    """
    text = unicodedata.normalize("NFKC", text)
    spans = _spans(text)[:NAMING_WORDS]
    words = [text[start:end].casefold() for start, end in spans]
    found = []
    for first, (start, _) in enumerate(spans):
        here = []
        for last in range(min(first + most, len(spans)) - 1, first - 1, -1):
            end = spans[last][1]
            if last == first and not _is_name(text[start:end]):
                continue
            possessive = _POSSESSIVE.match(text, end) is not None
            folded = " ".join(words[first : last + 1])
            here.append(Phrase(folded, text[start:end], possessive, last + 1 - first))
        found.append(here)
    return found


def spellings(name: str) -> Iterator[str]:
    """Yield the ways in which a name is likely to be written, itself first."""
    yield name
    plain = key(name)
    yield plain
    yield plain.title()
    yield name.lower()
    if len(name) <= _LONGEST_ACRONYM:
        yield name.upper()


def _spans(text: str) -> list[tuple[int, int]]:
    if "'" in text or "\u2019" in text:
        text = _POSSESSIVE.sub("  ", text)  # as long as what it replaces
    return [match.span() for match in _WORD.finditer(text)]


def _is_name(word: str) -> bool:
    """Tell "US" and "IT" from "us" and "it"."""
    return word.casefold() not in STOP_WORDS or (len(word) > 1 and word.isupper())
