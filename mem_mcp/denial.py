"""Whether a text denies something, in many languages."""
# ruff: noqa: RUF001 - letters of other alphabets look like Latin ones

import re
import unicodedata

DENIAL = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n't|dont|doesnt|cant"
    r"|kein\w*|nicht|nie|niemals|niemand|nichts|ohne|weder"
    r"|nunca|jamás|nadie|ningun[oa]?|ningún|sin|tampoco"
    r"|ne|pas|jamais|aucune?|rien|personne ne|sans"
    r"|non|mai(?=\s)(?!\s\d)|nessun\w*|niente|senza|não|nem|nenhum\w*|ninguém|sem"
    r"|niet|geen|nooit|zonder|inte|aldrig|ikke|aldri|не|ни|нет|нельзя|никогда|без|nie|nigdy|bez"
    r"|değil|yok|không|chưa|tidak|bukan|belum|לא|אין|בלי|δεν|μην|χωρίς"
    r"|[وف]?(?:لا|لم|لن|ليس\w*|لست|غير|بدون|دون))\b"
    # \b does not end a word behind a vowel sign.
    r"|नहीं|(?<!\w)(?:मत|बिना)(?![\w\u093e-\u094d])"
    r"|\bn'|(?<!不)[不没無无未别](?!不|但|仅)|ไม่|มิได้|ห้าม|ない|ません|なかった|않|못|없|아니"
)
"""The first words that deny; of a text as `without_doubt` returns it."""
_CHOICE = re.compile(
    r"(.)[不没]\1|不仅|不但|没问题|ไหม|หรือไม่|ไม่ใช่แค่|ไม่เพียง"
    r"|还?没有?(?:决定|想好)|ยังไม่(?:ได้)?(?:ตัดสินใจ|แน่ใจ)|لم [يتنأ]قرر"
    r"|\b(?:(?:has|have|is|am|are)(?:n't| not) (?:yet )?(?:decided|sure)|not (?:yet )?(?:decided"
    r"|sure)"
    r"|(?:do|does)(?:n't| not) (?:yet )?know (?:if|whether)|noch nicht (?:entschieden|sicher)"
    r"|weiß (?:noch )?nicht|no (?:ha|he) decidido|no sabe si|не решил\w*|не знает)\b"
)
"""Asks whether, is undecided, or affirms twice."""
_DOUBLE = re.compile(
    r"not only|no need|not that|can't wait|never (?:been )?(?:better|more)|no problem"
    r"|why not|n't forget|not just|nicht nur|no sólo|no solo|pas seulement|non solo|não só"
    r"|не только|ليس فقط"
)
"""Denies something only to affirm it."""

_FALSE_FRIENDS = {
    "no": "pt fr pl", "mai": "de fr no vi id", "sin": "en id", "sans": "en de nl",
    "pas": "en de nl sv", "sem": "en", "ne": "en it", "yok": "en", "nem": "en", "non": "en",
    "bez": "en", "rien": "en", "geen": "en", "nie": "en",
}  # fmt: skip
"""Words that deny in one language, and languages in which they do not."""


def without_doubt(text: str) -> str:
    """Return a text without what looks like a denial and is none.

    Args:
        text: in lower case, with straight apostrophes.
    """
    return _DOUBLE.sub(" ", _CHOICE.sub(" ", text))


def denies(text: str, language: str = "") -> bool:
    """Whether a text denies something.

    Args:
        text: in any of the languages.
        language: of the text, an ISO 639-1 code; empty where it is not known.
    """
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return any(
        language not in _FALSE_FRIENDS.get(match[0], "").split()
        for match in DENIAL.finditer(without_doubt(plain))
    )
