"""Recognise what an agent only supposes about the person it talks to, by its hedging words.

What an agent did and found out is worth keeping; "you probably like jazz" is only a guess.
"""

from __future__ import annotations

import re

from mem_mcp.extraction.quotes import Passages, comparable

_HEDGES = (
    r"(?:probably|perhaps|maybe|presumably|possibly|likely|surely|apparently|supposedly|no doubt"
    r"|i (?:guess|assume|suppose|imagine|suspect|bet|gather|take it|think|believe|figure)"
    r"|(?:it )?(?:seems|sounds|looks|appears)(?: like| as if| as though| that)?)"
)
_TASTES = r"(?:love|like|enjoy|prefer|hate|dislike|adore|appreciate|feel)"
_ADVICE = r"(?:can|could|should|need|must|have to)"
_HEARD = r"(?:know|knew|noticed?|remember|saw|seen|heard|want(?:ed)?|asked|meant)"
_ENGLISH = re.compile(
    # "perhaps you like", but not the advice "perhaps you should", nor "I think you saw that"
    rf"\b{_HEDGES}\b[^.!?;,]{{0,25}}?\byou\b(?! (?:{_ADVICE}|{_HEARD})\b)"
    rf"|\byou(?:'re|'ve| are| have)?(?: (?!{_ADVICE}\b)\w+)? {_HEDGES}\b(?! {_HEARD}\b)"
    r"|\byou (?:seem|sound|appear|strike me|come across|look (?:like|as|so|very))\b"
    rf"|\byou(?:'ll|'d| will| would| may| might| must)(?: \w+ly| also)? (?:{_TASTES}|be (?:an?|so"
    r"|very|interested|(?:happy|glad|delighted|thrilled)(?! to (?:hear|know|learn|see)\b)))\b"
    r"|\byou (?:must|may|might) have been\b"
    r"|\bas an? (?!result|reminder|consequence|side|precaution|workaround|last)[\w\s-]{1,40}"
    r"(?<!member)(?<!customer)(?<!subscriber)(?<!user)(?<!guest)(?<!owner),? you(?:'ll|'d|'re)?\b"
)
_ELSEWHERE = tuple(
    (re.compile(rf"\b(?:{hedges})\b"), re.compile(rf"\b(?:{listeners})\b"))
    for hedges, listeners in (
        (
            "wahrscheinlich|vermutlich|vielleicht|wohl|bestimmt|sicherlich|anscheinend|offenbar"
            "|ich (?:glaube|vermute|denke|nehme an)",
            "du|dir|dich",
        ),
        (
            "probablemente|quizás?|tal vez|seguramente|seguro que|supongo|creo que|parece que",
            "te|ti|tú|usted|eres|tienes|prefieres|vives",
        ),
        (
            "probablement|peut-être|sans doute|sûrement|je (?:suppose|pense|crois)|on dirait",
            "tu|te|t|toi|vous",
        ),
        ("probabilmente|forse|magari|sicuramente|suppongo|penso|credo|immagino", "tu|ti|te|sei"),
        ("provavelmente|talvez|acho que|suponho|parece que", "você|tu|te|lhe"),
    )
)
_CHINESE = re.compile(
    "(?:可能|大概|也许|估计|恐怕|想必|我猜).{0,6}[你您](?!的)"
    "|[你您].{0,4}(?:可能|大概|也许|估计|恐怕|想必)"
)
_LISTENER = re.compile(
    r"\b(?:you|your|yours|du|dir|dich|deine?[nmrs]?|te|ti|tú|tus?|usted|vous|votre|vos|toi|tua?|tuo"
    r"|você|seu|sua)\b|[你您]"
)
_SPEAKER = re.compile(r"\b(?:i|we|ich|wir|yo|je|j|nous|io|eu)\b|我")
_YES = re.compile(
    r"\W*(?:yes|yeah|yep|yup|right|correct|exactly|true|indeed|absolutely"
    r"|i (?:do|am|did|have)(?=\W*$|[.,!])|that's (?:right|true|correct)"
    r"|ja|genau|stimmt|sí|claro|exacto|oui|exact|sì|esatto|sim|да|はい)\b"
    r"|\W*(?:是|对|對|没错|そう)"
)
_DEED = (
    r"(?:(?:so|and|but|therefore) )?I(?:'ve| have)? (?!will|would|think|thought|guess|assum|suppos"
    r"|imagin|suspect|bet|gather|take|believ|figur|hop|am|can|could|do|know|mean|see)\w+"
    r"|ich (?:habe|hab)\b|j'ai\b|ho \w+[aei]to\b|(?:he|lo|la) \w+[adi]do\b|我(?:已经|已|把|帮)"
)
"""How a sentence begins in which the agent says that it did something."""
_SENTENCE_ENDS = re.compile(r"(?<=[.!?…;])\s+|(?<=[。！？])|\n+")  # noqa: RUF001
_CLAUSE_ENDS = re.compile(
    rf"{_SENTENCE_ENDS.pattern}|(?<=[,:，：])\s*(?={_DEED})",  # noqa: RUF001
    re.IGNORECASE,
)


def supposes(text: str, quote: str) -> bool:
    """Whether all sentences of an agent's text that hold a quote ask or suppose about its listener.

    Args:
        text: what the agent said.
        quote: a part of it.
    """
    return all(_is_supposed(sentence) for sentence in _holding(text, quote))


def is_of_listener(text: str, quote: str) -> bool:
    """Whether a quote is from a sentence about the listener in which the agent is not named."""
    return all(
        _LISTENER.search(sentence) and not _SPEAKER.search(sentence)
        for sentence in _holding(text, quote)
    )


def is_yes(text: str) -> bool:
    """Whether a text begins by saying that something is so."""
    return _YES.match(comparable(text)) is not None


def _holding(text: str, quote: str) -> list[str]:
    """Return the clauses, or else sentences, that hold a quote; its own sentences if none does."""
    for ends in (_CLAUSE_ENDS, _SENTENCE_ENDS):
        parts = [one for one in ends.split(text) if one]
        if holding := Passages(parts).holding(quote):
            return [comparable(parts[place]) for place in holding]
    return [comparable(one) for one in _SENTENCE_ENDS.split(quote) if one]


def _is_supposed(sentence: str) -> bool:
    return (
        sentence.endswith(("?", "？"))  # noqa: RUF001
        or _ENGLISH.search(sentence) is not None
        or _CHINESE.search(sentence) is not None
        or any(hedge.search(sentence) and you.search(sentence) for hedge, you in _ELSEWHERE)
    )
