"""What an agent only supposes of the person it talks to, told by the words it hedges with.

What it did and found out is worth keeping; "you probably like jazz" is nothing it was told.
"""

from __future__ import annotations

import re

from mem_mcp.prompts.quotes import Passages, comparable

_HEDGES = (
    r"(?:probably|perhaps|maybe|presumably|possibly|likely|surely|apparently|supposedly|no doubt"
    r"|i (?:guess|assume|suppose|imagine|suspect|bet|gather|take it|think|believe|figure)"
    r"|(?:it )?(?:seems|sounds|looks|appears)(?: like| as if| as though| that)?)"
)
_TASTES = r"(?:love|like|enjoy|prefer|hate|dislike|adore|appreciate|feel|find)"
_ENGLISH = re.compile(
    # "perhaps you like", but not the advice "perhaps you should"
    rf"\b{_HEDGES}\b[^.!?;,]{{0,25}}?\byou\b(?! (?:can|could|should|need|have to)\b)"
    rf"|\byou(?:'re|'ve| are| have)?(?: \w+)? {_HEDGES}\b(?! (?:know|notice|remember|saw|heard)\b)"
    r"|\byou (?:seem|sound|appear|strike me|come across|look (?:like|as|so|very))\b"
    rf"|\byou(?:'ll|'d| will| would| may| might| must)(?: \w+ly| also)? (?:{_TASTES}|be (?:an?|so"
    r"|very|happy|glad|delighted|thrilled|interested)|have been)\b"
    r"|\bas (?:the |an? )(?!result|reminder|consequence|side|precaution|workaround|last)"
    r"[\w\s-]{1,40},? you(?:'ll|'d|'re)?\b"
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
    "(?:可能|大概|也许|估计|恐怕|想必|我猜).{0,6}[你您]"
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
_SENTENCE_ENDS = re.compile(r"(?<=[.!?…;])\s+|(?<=[。！？])|\n+")  # noqa: RUF001


def supposes(text: str, quote: str) -> bool:
    """Whether all sentences of an agent's text that hold a quote ask or suppose about its listener.

    Args:
        text: what the agent said.
        quote: from it.
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
    """Return the sentences that a quote stands in; its own where it is of several."""
    holding = [one for one in _SENTENCE_ENDS.split(text) if one and Passages([one]).holding(quote)]
    return [comparable(one) for one in holding or _SENTENCE_ENDS.split(quote) if one]


def _is_supposed(sentence: str) -> bool:
    return (
        sentence.endswith(("?", "？"))  # noqa: RUF001
        or _ENGLISH.search(sentence) is not None
        or _CHINESE.search(sentence) is not None
        or any(hedge.search(sentence) and you.search(sentence) for hedge, you in _ELSEWHERE)
    )
