"""Same subject: whether a newer statement is a later word on what an older one answers.

The bounds were chosen on one half of tests/data/changed_minds.jsonl and of tests/data/everyday.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

from mem_mcp.denial import denies
from mem_mcp.ranking.change_words import is_at_present, names_change, says_change
from mem_mcp.ranking.folding import fold
from mem_mcp.ranking.language import is_stop_word, stem
from mem_mcp.ranking.question_verbs import question_verbs
from mem_mcp.ranking.text_analysis import terms

_SIGNS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_TOKEN = re.compile(
    rf"[{_SIGNS}]|(?:[^\W{_SIGNS}]|[\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u097f])+"
    "|[\U0001f1e6-\U0001f1ff]{2}|[\u2190-\u2bff\U0001f000-\U0001faff]"
)
_IS_SIGN = re.compile(f"[{_SIGNS}]")
_JOINING_SIGN = re.compile("[\u3040-\u309f的了在是和与我你他她它们有也很吗呢个]")
_WORD = re.compile(r"\w+(?:[.,:/\\@-]\w+)*")
_CODE = re.compile(r"[\d_./\\@]|.[A-Z]")
_LEAST_LETTERS, _LEAST_OF_OTHERS, _LAST_CYRILLIC = 3, 2, "\u052f"
"""Of a word that a question is about in Latin, Greek and Cyrillic letters, where shorter ones join
words, and in scripts that leave vowels out."""
_LEAST_ENDED, _LONGEST_ENDING = 5, 3
"""Letters of a word that may have an ending which its stemmer does not know, and of the ending."""
_LEAST_SIGNS, _LEAST_UNSPACED, _FIRST_SIGN = 2, 3, "\u3040"
"""Signs of Chinese and Japanese, and letters of Thai and its kin, that two texts have in a row:
fewer meet by chance."""
_WHOSE = {
    "i", "my", "me", "ich", "mein", "meine", "meinen", "meiner", "mich", "mir", "yo", "mi", "mis",
    "je", "j", "mon", "ma", "mes", "moi", "eu", "meu", "minha", "io", "mio", "mia", "ik", "mijn",
    "jag", "min", "mitt", "ben", "benim", "ja", "mój", "moja", "moje", "я", "мой", "моя", "мое",
    "моё", "меня", "мне", "мои", "我", "私", "僕", "俺", "ผ", "ฉ", "हम", "मैं", "मेरा", "मेरी", "मेरे",
    "मुझे", "أنا", "tôi",
}  # fmt: skip
"""What one says of oneself: what another said or has answers another question."""
_SURE, _PERHAPS, _PROBABLY, _LIKELY = 0.25, 0.5, 0.6, 0.7
"""Of the older one's score that the newer one must have: with less it answers another question."""


class _Token(NamedTuple):
    """A word, or a sign of a script without spaces."""

    key: str
    says: bool
    """Whether it says something by itself."""
    start: int


@dataclass(frozen=True)
class Wording:
    """A short text, and what tells what it is about."""

    text: str
    language: str
    """In which its words are compared."""

    @classmethod
    @lru_cache(maxsize=10_000)
    def of(cls, text: str, language: str) -> Wording:
        """Return the statement of a text; the same object for the same text."""
        return cls(text, language)

    @cached_property
    def tokens(self) -> list[_Token]:
        """Its words in order."""
        return [_token(match, self.language) for match in _TOKEN.finditer(self.text)]

    @cached_property
    def content(self) -> frozenset[str]:
        """What says something by itself: words, and pairs of signs."""
        words = {one.key for one in self.tokens if one.says and not _IS_SIGN.match(one.key)}
        return frozenset(words | {*_pairs(self.tokens)})

    @cached_property
    def all_words(self) -> frozenset[str]:
        """All words and signs."""
        return frozenset(one.key for one in self.tokens)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Its numbers."""
        return frozenset(re.findall(r"\d+", self.text))

    @cached_property
    def codes(self) -> frozenset[str]:
        """Words with a digit, a sign or an inner capital, which count to the letter."""
        return frozenset(word for word in _WORD.findall(self.text) if _CODE.search(word))

    @cached_property
    def names(self) -> frozenset[str]:
        """Words in capitals, but the first, which has one anyway."""
        words = _WORD.findall(self.text)[1:]
        return frozenset(word.lower() for word in words if word[0].isupper())

    @cached_property
    def verbs(self) -> frozenset[str]:
        """Of a question, the words that are its verb."""
        return frozenset(stem(word, self.language) for word in question_verbs(self.text))

    @cached_property
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()

    @cached_property
    def says_change(self) -> bool:
        """Whether it speaks of a change."""
        return says_change(self.text)

    @cached_property
    def denies(self) -> bool:
        """Whether it denies something."""
        return denies(self.text, terms(self.text).language or self.language)


def least_share(asked: Wording, older: Wording, newer: Wording) -> float | None:
    """Return how well a newer statement must fit to be a later word on what is asked.

    It must have every number of the question, and its names and codes that the older one has. It
    says that something changed; or it differs from the older one in one place, where that has what
    the question does not have itself; or it denies the same. The less of the question's words it
    has, the better it must fit.

    Args:
        asked: the question.
        older: an older statement.
        newer: a newer one that is like it.

    Returns:
        The share of the older one's score that it must have, 0..1; None where it is about something
        else.
    """
    if not _has_all_names(asked, older, newer):
        return None
    about = asked.content & older.content
    missing = frozenset(word for word in about if not _is_in(word, newer.content))
    differences = _differences(older, newer)
    is_one = len(differences) == 1
    if newer.says_change:
        leaves = any(_is_in(word, newer.content) for word in older.content - asked.content)
        is_sure = leaves or missing.isdisjoint(asked.verbs)
        missing -= asked.verbs
        if older.content <= asked.content and differences and _ends(differences[-1], older):
            del differences[-1]  # of a question to be affirmed or denied it is the answer
        if any(_is_swap(one, missing, newer) for one in differences):
            return _PROBABLY if is_one else _LIKELY
        return _SURE if about and is_sure else _PERHAPS
    if not _whose(asked, older) <= newer.all_words:
        return None
    if missing or not _says_otherwise(asked, older, newer, differences):
        return None
    return _SURE


def _is_in(word: str, others: frozenset[str]) -> bool:
    """Whether a word is among others, be it with another ending."""
    if word in others or len(word) < _LEAST_ENDED:
        return word in others
    return any(
        abs(len(other) - len(word)) <= _LONGEST_ENDING
        and len(other) >= _LEAST_ENDED
        and (other.startswith(word) or word.startswith(other))
        for other in others
    )


def _has_all_names(asked: Wording, older: Wording, newer: Wording) -> bool:
    """Whether the newer one has the numbers, codes and names of the question."""
    return (
        asked.numbers <= newer.numbers
        and all(_has(newer.text, code) for code in asked.codes if _has(older.text, code))
        and all(name in newer.lower for name in asked.names if name in older.lower)
    )


def _whose(asked: Wording, older: Wording) -> frozenset[str]:
    """Return the words of a question, and of what answers it, for whose it is."""
    return asked.all_words & older.all_words & _WHOSE


def _says_otherwise(
    asked: Wording, older: Wording, newer: Wording, differences: Sequence[_Difference]
) -> bool:
    """Whether one has another answer in one place, or denies what the other says."""
    if older.denies != newer.denies:
        return _is_opposite(older, newer)
    if len(differences) != 1 or older.all_words <= newer.all_words:
        return False
    given = {one.key for one in differences[0].old if one.says}
    return not given <= asked.all_words


def _token(match: re.Match[str], language: str) -> _Token:
    word = match[0]
    if _IS_SIGN.match(word):
        return _Token(word, not _JOINING_SIGN.match(word), match.start())
    lower = word.casefold()
    is_short = len(word) < (_LEAST_LETTERS if word[0] <= _LAST_CYRILLIC else _LEAST_OF_OTHERS)
    joins = word[0].isalpha() and (
        is_short or is_stop_word(fold(lower), language) or is_at_present(word)
    )
    return _Token(stem(lower, language), not joins, match.start())


def _pairs(tokens: list[_Token]) -> Iterator[str]:
    """Yield pairs of signs next to each other, but those that only join."""
    for one, other in pairwise(tokens):
        if _IS_SIGN.match(one.key) and _IS_SIGN.match(other.key) and (one.says or other.says):
            yield one.key + other.key


class _Difference(NamedTuple):
    """What one statement has in the place of another's words."""

    old: list[_Token]
    new: list[_Token]


def _differences(older: Wording, newer: Wording) -> list[_Difference]:
    """Return where two statements say something else in the same place."""
    a, b = ([one.key for one in each.tokens] for each in (older, newer))
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    found, i, j = list[_Difference](), 0, 0
    for block in matcher.get_matching_blocks():
        is_end = block.size == 0
        if not is_end and _IS_SIGN.match(a[block.a]):
            least = _LEAST_SIGNS if a[block.a] >= _FIRST_SIGN else _LEAST_UNSPACED
            if block.size < least:
                continue
        old, new = older.tokens[i : block.a], newer.tokens[j : block.b]
        if any(one.says for one in old) and any(one.says for one in new):
            found.append(_Difference(old, new))
        i, j = block.a + block.size, block.b + block.size
    return found


def _ends(difference: _Difference, older: Wording) -> bool:
    """Whether a difference is in the last word that says something."""
    return [one for one in difference.old if one.says][-1] == [
        one for one in older.tokens if one.says
    ][-1]


def _is_swap(difference: _Difference, missing: frozenset[str], newer: Wording) -> bool:
    """Whether what is asked about gives way to something else, other than by a change."""
    old = {one.key for one in difference.old} | {*_pairs(difference.old)}
    if old.isdisjoint(missing):
        return False
    first = next(one for one in difference.new if one.says)
    return not names_change(newer.text, first.start, len(newer.text))


def _is_opposite(older: Wording, newer: Wording) -> bool:
    """Whether two statements of which one denies differ in nothing else."""
    if older.content != newer.content:
        return False
    others = older.all_words ^ newer.all_words
    return all(len(word) > 1 for word in others if not _IS_SIGN.match(word))


def _has(text: str, code: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(code)}(?!\w)", text) is not None
