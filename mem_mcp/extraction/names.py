"""Find the names in a statement that stand nowhere in what it is drawn from. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from mem_mcp.extraction.clauses import is_begun
from mem_mcp.extraction.quotes import ordered_words, words
from mem_mcp.extraction.replacements import ROOT_LETTERS, Replacement, key, replacements
from mem_mcp.extraction.subject_match import EMPTY_WORDS, THE_USER, shared

_NAME = re.compile(r"(?<![\w'’])[^\W\d_][\w'’-]*")  # noqa: RUF001
_LEAST_STEM = 4
_MOST_CLAUSES = 50
_LEAST_COMPOUND = 5
_CHINESE = re.compile("[\u3040-\u30ff\u3400-\u9fff]+")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+")
_SIGNS = range(2, 5)
"""Signs of a name in Chinese."""
_NICKNAMED = ("小", "阿", "老")
_LETTERS = range(3, 13)
"""Letters, each with its marks, of a name in Thai and its like."""
_MOST_WORDS = 2
"""Words that a name replaces, in scripts without capitals."""
_GERMAN = re.compile(
    r"\b(?:der|die|das|ein|eine|einen|einem|einer|und|ist|nicht|mit|von|zum|zur|im|seit|hat"
    r"|sich|mir|ihm|ich|wir|meine?|kein)\b",
    re.IGNORECASE,
)
"""In German all nouns are capitalised, so a capital shows no name."""
_CALENDAR = re.compile(
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|monday|tuesday|wednesday|thursday|friday|saturday|sunday|utc|am|pm)",
    re.IGNORECASE,
)
_VERB_AFTER_NAME = re.compile(
    r"^(?:['’]s?\b|\s+(?:\w{2,}ed|is|was|are|has|had|lives?|likes?|loves?|works?"  # noqa: RUF001
    r"|plays?|owns?"
    r"|wants?|does|did|will|can|cannot|and|hates?|eats?|bought|sold|runs?|plans?"
    r"|prefers?|teaches|drives?|studies|needs?|said|ist|war|hat|wohnt|lebt|mag|isst|arbeitet|spielt"
    r"|es|está|vive|tiene|come|trabaja|est|a|habite|vit|aime|mange|travaille|è|ha|abita|lavora"
    r"|mangia"
    r"|é|tem|mora|trabalha|gosta)\b)"
)


def strange_name(text: str, texts: Sequence[str], clauses: Sequence[str]) -> str:
    """Return a name that stands in a statement and in none of the texts; "" for none.

    In a script without capitals a name is what stands in the place of another word of the quote.

    Args:
        text: the statement.
        texts: whatever it may be drawn from.
        clauses: what it quotes.
    """
    capitals = _strange_capitals(text, texts, clauses)
    return capitals or _strange_replacement(text, texts, clauses)


def _strange_capitals(text: str, texts: Sequence[str], clauses: Sequence[str]) -> str:
    known = {word for one in texts for word in words(one.replace("'", " ").replace("’", " "))}  # noqa: RUF001
    strange = [name for name in _capitals(text) if not is_known(name, known)]
    told = [*map(str.lower, _GERMAN.findall(" ".join(clauses)))]
    if strange and told and (_GERMAN.search(text) or len({*told}) > 1):
        # Then a capital shows a name only where it stands in the place of one of the quote.
        put = {word for clause in clauses for word in _instead_of_capitals(text, clause)}
        strange = [one for one in strange if one.lower() in put and not _is_compound(one, known)]
    return strange[0] if strange else ""


def _instead_of_capitals(text: str, clause: str) -> Iterator[str]:
    """Yield the words of a text that stand where a clause has capitals that the text has not."""
    mine = words(text)
    left_out = [name for name in _capitals(clause, also_first=False) if not is_known(name, mine)]
    capitals = {name.lower() for name in left_out}
    for one in replacements(text, clause):
        if capitals & {*one.old}:
            yield from one.new
    # The sentence may be put in another order.
    before = {one for one, after in pairwise(ordered_words(clause)) if after in capitals}
    yield from (after for one, after in pairwise(ordered_words(text)) if one in before)


def _strange_replacement(text: str, texts: Sequence[str], clauses: Sequence[str]) -> str:
    if not any(sign.isalpha() and sign.lower() == sign.upper() for sign in text):
        return ""
    whole = " ".join(texts)
    told = words(whole)
    # "I" is a letter before an Arabic verb.
    first = [one[1:] for one in told if one[0] == "أ"]
    known = {*map(key, (*told, *first)), *(one[:ROOT_LETTERS] for one in first)}
    found = (
        _replaces(one, text, whole, known)
        for each in clauses[:_MOST_CLAUSES]
        for one in replacements(text, each)
    )
    return next(filter(None, found), "")


def _replaces(one: Replacement, text: str, whole: str, known: set[str]) -> str:
    """Return what takes the place of a name in a script without capitals; "" if nothing does."""
    new, old = "".join(one.new), "".join(one.old)
    if _CHINESE.fullmatch(new):
        is_name = len(new) == len(old) and (len(new) in _SIGNS or one.before in _NICKNAMED)
        return new if is_name and not any(sign in whole for sign in new) else ""
    if any(map(str.isdigit, old + new)):
        return ""
    if _UNSPACED.fullmatch(new):
        is_name = len(one.new) in _LETTERS and len(one.old) in _LETTERS
        return new if is_name and not shared(new, whole) and not shared(old, text) else ""
    strange = [word for word in one.new if word.lower() == word.upper() and key(word) not in known]
    is_name = len(strange) == 1 and len(one.old) <= _MOST_WORDS
    is_name = is_name and strange[0].isalpha() and not shared(" ".join(one.old), text)
    return strange[0] if is_name else ""


def _is_compound(name: str, known: Iterable[str]) -> bool:
    whole = name.lower()
    return any(
        len(word) >= _LEAST_COMPOUND and (whole.startswith(word) or whole.endswith(word))
        for word in known
    )


def _capitals(text: str, *, also_first: bool = True) -> list[str]:
    """Return what is capitalised inside a sentence, or begins one as a name does."""
    found = []
    for match in _NAME.finditer(text):
        word = re.sub(r"['’]s?$", "", match[0])  # noqa: RUF001
        begins = not is_begun(text[: match.start()])
        word = re.sub(r"^[^\W\d_]{1,3}['’](?=\w{2})", "", word)  # noqa: RUF001 - of l'utente
        if not word[:1].isupper() or word.lower() in (*THE_USER, *EMPTY_WORDS, "i"):
            continue
        if _CALENDAR.fullmatch(word):
            continue
        if begins and not (
            also_first and _VERB_AFTER_NAME.match(text[match.start() + len(word) :])
        ):
            continue
        found.append(word)
    return found


def is_known(name: str, known: Iterable[str]) -> bool:
    """Whether a name is among words, perhaps in another form: Petras, Joris'."""
    for part in words(name.replace("'", " ").replace("’", " ").replace("-", " ")):  # noqa: RUF001
        if len(part) > 1 and not any(
            part == word
            or (
                min(len(part), len(word)) >= _LEAST_STEM - 1
                and (part.startswith(word) or word.startswith(part))
                and abs(len(part) - len(word)) <= _LEAST_STEM
            )
            for word in known
        ):
            return False
    return True
