"""Hold a model's statement against the sentence that it quotes. Pure, and without another call.

A true quote proves nothing about the statement beside it. So what changes the meaning is compared
in code: numbers, dates, names, negation, mood (asked, wished, planned, supposed) and the speaker.
Words for these are known of English, German, Spanish, French, Italian, Portuguese, Russian, Arabic,
Thai and Chinese, and negation of more; of other languages digits, capitals and question marks are
compared, and in scripts without capitals what replaces a word of the quote.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mem_mcp.dates import NamedDate, dates_in
from mem_mcp.denial import denies
from mem_mcp.extraction.clauses import clauses_of, sentences_of
from mem_mcp.extraction.mood import overstated
from mem_mcp.extraction.names import is_known, strange_name
from mem_mcp.extraction.negation import misdenied
from mem_mcp.extraction.numbers import numbers_in
from mem_mcp.extraction.quotes import comparable, words
from mem_mcp.extraction.replacements import replacements
from mem_mcp.extraction.subject_match import EMPTY_WORDS, THE_USER, shared
from mem_mcp.prompts.conversation import Utterance

_LEAST_STEM = 4
_DATED = 3
"""Parts of a number that is a date."""
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
_FIRST_PERSON = re.compile(
    r"\b(?:i|i'm|i've|i'd|i'll|my|me|mine|we|our|ich|mein\w*|mir|mich|wir|unser\w*|yo|mi|mis|me"
    r"|nosotros|je|j'\w+|mon|ma|mes|moi|nous|io|mio|mia|eu|meu|minha)\b|[我咱]"
)


@dataclass(frozen=True, slots=True)
class Support:
    """What a statement may be drawn from."""

    said: Sequence[Utterance]
    """The messages that hold the quote."""
    quote: str
    around: Sequence[str] = ()
    """Texts that resolve names: messages before, and the memory that the statement replaces."""
    people: Sequence[str] = ()
    """Names of all who speak."""


def difference(text: str, support: Support) -> str:
    """Return in which way a statement says something else than its quote; "" if it does not.

    Args:
        text: the statement.
        support: the quote, and what it may be understood by.
    """
    sentences = [one for said in support.said for one in sentences_of(said.text, support.quote)]
    clauses = [one for said in support.said for one in clauses_of(said.text, support.quote)]
    clauses = clauses or sentences
    said_on = next((said.at.date() for said in support.said if said.at), None)
    own = [said.text for said in support.said]
    names = [said.name or said.role or "" for said in support.said]
    all_texts = [*own, *names, *support.around, *support.people]
    if name := strange_name(text, all_texts, clauses):
        return f"the name {name} is not in what it quotes"
    return (
        _numbers(text, all_texts, clauses, said_on)
        or misdenied(text, clauses, support.around)
        or overstated(text, sentences, _about(text, clauses))
        or _speaker(text, support, clauses)
    )


def is_named(name: str, support: Support) -> bool:
    """Whether all words of a name stand, perhaps in another form, where a statement comes from."""
    names = [said.name or said.role or "" for said in support.said]
    texts = [*(said.text for said in support.said), *names, *support.around, *support.people]
    if _CJK.search(name):
        return comparable(name) in comparable(" ".join(texts))
    known = {*words(" ".join(texts).replace("_", " ")), *THE_USER, "agent", "assistant"}
    stems = {word[:_LEAST_STEM] for word in known}
    return all(
        word.lower() in known
        if word.isdigit()
        else is_known(word, known) or (word[:1].islower() and word.lower()[:_LEAST_STEM] in stems)
        for word in re.findall(r"\w+", name.replace("_", " "))
        if word.lower() not in EMPTY_WORDS
    )


def _about(text: str, clauses: Sequence[str]) -> list[str]:
    """Return the clauses that share a word with a text; all if none does."""
    denying = [clause for clause in clauses if denies(clause)] if denies(text) else []
    clauses = denying or [*clauses]
    return [clause for clause in clauses if shared(text, clause)] or clauses


def _numbers(text: str, texts: Sequence[str], clauses: Sequence[str], said_on: date | None) -> str:
    told = [number for one in texts for number in numbers_in(comparable(one))]
    allowed = {each for number in told for each in (*number.readings, *number.parts)}
    named = [found for one in texts for found in dates_in(one, said_on)]
    allowed |= {str(int(part)) for each in named for part in each.iso.split("-")}
    if said_on is not None:
        allowed.add(str(said_on.year))
        named = named or [NamedDate(said_on.isoformat(), 0, 0)]
    for found in dates_in(text, said_on):
        if not any(_agree(found, other) for other in named):
            shown = text[found.start : found.end]
            return f"nothing quoted is of {shown.strip()}"
        allowed |= {str(int(part)) for part in found.iso.split("-")}
    for number in numbers_in(comparable(text)):
        is_told = number.readings & allowed or (
            len(number.parts) >= _DATED and number.parts <= allowed
        )
        if not is_told and (number.is_sure or _is_replaced(number.readings, text, clauses)):
            return f"the number {min(number.readings)} is not in what it quotes"
    return ""


def _is_replaced(readings: frozenset[str], text: str, clauses: Sequence[str]) -> bool:
    """Whether a number stands in the place of another one."""
    return any(
        any(readings & number.readings for number in numbers_in(" ".join(each.new)))
        and numbers_in(" ".join(each.old))
        for clause in clauses
        for each in replacements(text, clause)
    )


def _agree(one: NamedDate, other: NamedDate) -> bool:
    """Whether two dates are the same as far as both are named."""
    days, others = one.iso, other.iso
    if one.has_year != other.has_year and abs(int(days[:4]) - int(others[:4])) <= 1:
        days, others = days[5:], others[5:]
    return days.startswith(others) or others.startswith(days)


def _speaker(text: str, support: Support, clauses: Sequence[str]) -> str:
    mine = words(text)
    called = [name for said in support.said for name in _called(said)]
    if any(is_known(name, mine) or name.lower() in text.lower() for name in called):
        return ""
    own = " ".join(said.text for said in support.said).lower()
    for name in support.people:
        if name not in called and name.lower() not in own and _begins(text, name):
            return f"{name} does not say what it quotes"
    machines = all(said.speaker == "machine" for said in support.said)
    speaks = any(_FIRST_PERSON.search(comparable(clause)) for clause in clauses)
    if machines and speaks and any(_begins(text, name) for name in ("the user", *THE_USER)):
        return "the user does not say what it quotes"
    return ""


def _called(said: Utterance) -> list[str]:
    if said.name:
        return [said.name, *THE_USER] if said.speaker == "person" else [said.name]
    return ["agent", "assistant"] if said.speaker == "machine" else [*THE_USER]


def _begins(text: str, name: str) -> bool:
    return comparable(text).startswith(comparable(name))
