"""Cut messages into sentences and clauses, and find those that a quote touches. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mem_mcp.extraction.quotes import Passages, comparable

_ABBREVIATED = "".join(
    rf"(?<!\b{short}\.)"
    for short in ("Dr", "Mr", "Mrs", "Ms", "St", "Prof", "Sr", "Sra", "Nr", "No", "vs")
)
_ABBREVIATION = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|St|Prof|Sr|Sra|Nr|No|vs)\.$")
_ENDS = re.compile(rf"(?<=[.!?…;؟؛।]){_ABBREVIATED}\s+|(?<=[。！？；])|\n+")  # noqa: RUF001
# A clause that says what another one thinks, asks or knows stays with it.
_DEPENDENT = r"(?!\s*(?:that|whether|dass|ob|zu|que|qu'|che|что|чтобы)\b)"
_CLAUSES = re.compile(
    rf"(?<=[,:，：、،]){_DEPENDENT}\s*"  # noqa: RUF001
    r"|\s+(?=(?:but|aber|sondern|pero|mais|ma|mas|но|لكن|แต่)\s)|\s+[–—-]\s+"  # noqa: RUF001
    r"|\s+(?=(?:and|und|y|et|e) (?:i|we|my|he|she|it|they|you|ich|wir|yo|je|io|eu|mein"
    r"|have|had|has|am|is|are|was|were|will|must|now|then|muss|will|kann|soll|habe|hat|bin|ist|wird"
    r"|werde|tengo|tiene|debo|debe|voy|va|ahora|dois|doit|suis|est|devo|deve|tenho|tem|agora)\b)"
    r"|\s+(?=แต่|และ)|(?<=[但])",
    re.IGNORECASE,
)
_EDGES = " .,;:!?'。、؟،؛।"


def sentences_in(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [one.strip() for one in _ENDS.split(text) if one and one.strip()]


def is_begun(before: str) -> bool:
    """Whether what comes after a text goes on with its sentence."""
    bare = before.rstrip()
    return bool(bare) and (bare[-1] not in '.!?:;"“„«…' or bool(_ABBREVIATION.search(bare)))


def sentences_of(text: str, quote: str) -> list[str]:
    """Return the sentences of a message that a quote touches, whole."""
    return _touched(sentences_in(text), quote)


def clauses_of(text: str, quote: str) -> list[str]:
    """Return the clauses of a message that a quote touches."""
    parts = [
        clause.strip()
        for sentence in sentences_in(text)
        for clause in _CLAUSES.split(sentence)
        if clause and clause.strip()
    ]
    return _touched([*dict.fromkeys(parts)], quote)


def _touched(parts: Sequence[str], quote: str) -> list[str]:
    """Return the parts that hold a quote, or of which it is made."""
    if holding := Passages(parts).holding(quote):
        return [parts[place] for place in holding]
    within = comparable(quote)
    # A quote may begin or end within a part.
    first, last = within[:12], within[-12:]
    return [
        one
        for one in parts
        if comparable(one).strip(_EDGES) in within
        or first in comparable(one)
        or last in comparable(one)
    ]
