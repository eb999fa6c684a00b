"""Names of entities: when two are equal, and which phrases of a text may be names."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from mem_mcp.ranking.constants import NAME_WORDS_MAX, NAMING_WORDS_MAX
from mem_mcp.ranking.stop_words import ENGLISH

ALIASES = frozenset(
    {
        "aka", "alias", "alias for", "alias of", "also called", "also known as", "has alias",
        "is alias of", "is also called", "is also known as", "is an alias of", "is called",
        "is known as", "is same as", "is the same as", "known as", "same as",
    }
)  # fmt: skip
"""Relations between two names of one entity, as `name_key` folds them."""

# In scripts without spaces each character is a word, since nothing marks the end of a name. "C",
# "C++" and "C#" are three names; "Node.js" and "node js" are one.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W_{_UNSPACED}]|[\u0300-\u036f])+[+#]*")
_ACRONYM_CHARACTERS_MAX = 5
_POSSESSIVE = re.compile(r"['\u2019]s(?![^\W_])", re.IGNORECASE)


class Phrase(NamedTuple):
    """Consecutive words of a text that may be a name."""

    key: str
    """As `name_key` folds it."""
    spelled: str
    """As in the text, without a possessive 's at the end."""
    possessive: bool
    """Whether a possessive 's follows."""
    words: int
    """How many words there are."""


@lru_cache(maxsize=50_000)
def name_key(name: str) -> str:
    """Return the form in which names are compared.

    Compatibility forms, case, white space, punctuation and a possessive 's are folded: "New-York",
    "new  york" and "New York's" are equal. Accents are kept.
    """
    text = unicodedata.normalize("NFKC", name)
    words = [text[start:end].casefold() for start, end in _spans(text)]
    return " ".join(words) or " ".join(text.casefold().split())  # a name without letters and digits


def phrases(text: str, max_words: int = NAME_WORDS_MAX) -> list[list[Phrase]]:
    """Return the phrases of a text that may be names.

    Args:
        text: Any text; of a very long one only the first NAMING_WORDS_MAX words count.
        max_words: Words of the longest phrase.

    Returns:
        For each word the phrases that begin with it, longest first.
    """
    text = unicodedata.normalize("NFKC", text)
    spans = _spans(text)[:NAMING_WORDS_MAX]
    words = [text[start:end].casefold() for start, end in spans]
    by_first_word = []
    for first, (start, _) in enumerate(spans):
        here = []
        for last in range(min(first + max_words, len(spans)) - 1, first - 1, -1):
            end = spans[last][1]
            if last == first and not _is_name(text[start:end]):
                continue
            possessive = _POSSESSIVE.match(text, end) is not None
            folded = " ".join(words[first : last + 1])
            here.append(Phrase(folded, text[start:end], possessive, last + 1 - first))
        by_first_word.append(here)
    return by_first_word


def spellings(name: str) -> Iterator[str]:
    """Yield the likely spellings of a name, itself first."""
    yield name
    folded = name_key(name)
    yield folded
    yield folded.title()
    yield name.lower()
    if len(name) <= _ACRONYM_CHARACTERS_MAX:
        yield name.upper()


def _spans(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each word; a possessive 's is none."""
    if "'" in text or "\u2019" in text:
        text = _POSSESSIVE.sub("  ", text)  # of the same length, so that the spans stay right
    return [match.span() for match in _WORD.finditer(text)]


def _is_name(word: str) -> bool:
    """Return whether a single word may be a name: "US" and "IT" may, "us" and "it" may not."""
    return word.casefold() not in ENGLISH or (len(word) > 1 and word.isupper())
