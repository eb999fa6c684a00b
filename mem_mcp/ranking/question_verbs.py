"""The verb of a question: another statement may say the same with another verb."""

from __future__ import annotations

import re

_SUBJECT = (
    "i|we|you|they|he|she|it|ich|wir|ihr|sie|er|es|man|du|je|tu|il|elle|on|nous|vous|yo|nosotros"
    "|eu|nós|io|noi|ik|wij|we|jij|я|мы|ты|вы|он|она|они"
)
# Words that ask and that a verb may follow: which, what and how much are followed by a noun.
_BEHIND = re.compile(
    r"\b(?:(?:do|does|did)|wo|wohin|woher|wann|wer|wen|wem|was|dónde|adónde|cuándo|quién|qué|où"
    r"|quand|qui|que|qu'est-ce que|dove|quando|chi|cosa|che|onde|quem|waar|wanneer|wie|wat"
    r"|gdzie|kiedy|kto|где|куда|когда|кто|что)\s+"
    rf"(?:(?:{_SUBJECT})\s+)?(?P<verb>[^\W\d_]+)",
    re.IGNORECASE,
)
_DO = re.compile(r"\b(?:do|does|did)\s+(?P<rest>[^.?!]+)", re.IGNORECASE)
_BEFORE_NOUN = frozenset(
    {
        "a", "all", "an", "any", "at", "each", "every", "for", "her", "his", "in", "its", "my",
        "no", "of", "on", "our", "some", "that", "the", "their", "these", "this", "those", "to",
        "with", "your",
    }
)  # fmt: skip
_ENDS = re.compile(r"(?:\s+(?:from|to|with|for|on|in|at|of|about|by|now))?\W*$", re.IGNORECASE)


def question_verbs(question: str) -> set[str]:
    """Return the words of a question that are its verb, as far as their places tell.

    Args:
        question: in English or another European language; of others none is known.
    """
    verbs = {match["verb"].casefold() for match in _BEHIND.finditer(question)}
    for match in _DO.finditer(question):
        words = _ENDS.sub("", match["rest"]).casefold().split()
        # After "do" a verb has no ending, and what an article or the like stands before is none.
        if len(words) > 1 and words[-2] not in _BEFORE_NOUN and not words[-1].endswith("s"):
            verbs.add(words[-1])
    return verbs
