"""The language of a text, and the stems of words in it."""

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import Stemmer

from mem_mcp.ranking.folding import fold
from mem_mcp.ranking.stop_words import ENGLISH, LATIN, OTHERS

WORDS_READ = 64
"""Words at the beginning of a text that its language is recognised by."""
_HITS_MIN = 2.0
"""Frequent words, or letters, that a language is recognised by: one alone may be a name, or a word
of another language."""
_MARGIN = 0.5
"""How many more they must be than those of the next language."""
_ONE_LETTER = 0.3
"""Weight of a word of one letter, which is a variable or an initial as often."""
_MARKS = {
    "ß": "de", "ä": "de fi sv et", "ö": "de fi sv hu tr et", "ü": "de tr hu et", "ñ": "es eu",
    "¿": "es", "¡": "es", "ã": "pt", "õ": "pt et", "ç": "fr pt ca tr", "ğ": "tr", "ı": "tr",  # noqa: RUF001
    "ş": "tr", "ș": "ro", "ț": "ro", "ă": "ro vi", "î": "ro fr", "â": "ro fr pt vi", "ł": "pl",
    "ą": "pl lt", "ę": "pl lt", "ż": "pl", "ś": "pl", "ź": "pl", "ć": "pl", "ń": "pl", "ě": "cs",
    "ř": "cs", "ů": "cs", "č": "cs lt", "š": "cs lt et", "ž": "cs lt et", "å": "sv da no",
    "ø": "da no", "æ": "da no", "ő": "hu", "ű": "hu", "ė": "lt", "ų": "lt", "ū": "lt",
    "đ": "vi", "ơ": "vi", "ư": "vi", "ê": "fr pt vi", "è": "fr it ca", "ò": "it ca", "ù": "it fr",
    "œ": "fr", "ï": "ca fr nl",
}  # fmt: skip
_BY_MARK = {mark: languages.split() for mark, languages in _MARKS.items()}
_STEMMERS = {
    "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "en": "english",
    "es": "spanish", "et": "estonian", "eu": "basque", "fi": "finnish", "fr": "french",
    "ga": "irish", "hu": "hungarian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian",
    "sv": "swedish", "tr": "turkish", "ar": "arabic", "el": "greek", "hi": "hindi",
    "hy": "armenian", "ru": "russian", "ta": "tamil",
}  # fmt: skip
# Where all that is written in a script is stemmed in one way: what related languages share is
# mostly endings, and one rule for all keeps equal words equal.
_SCRIPTS = (
    (0x0370, 0x03FF, "el"), (0x1F00, 0x1FFF, "el"), (0x0400, 0x052F, "ru"),
    (0x0530, 0x058F, "hy"), (0x0600, 0x06FF, "ar"), (0x0900, 0x097F, "hi"), (0x0B80, 0x0BFF, "ta"),
)  # fmt: skip
# "And" and "so" are written together with the next word; before an article the stemmer keeps them.
_ARABIC_AND = re.compile("^[\u0648\u0641](?=[\u0628\u0643]?\u0627\u0644\\w{2}|\u0644\u0644\\w{2})")
_LATIN_UP_TO, _FURTHER_LATIN = "\u024f", ("\u1e00", "\u1eff")
_stemmers = threading.local()


def _by_word() -> Mapping[str, tuple[str, ...]]:
    languages: dict[str, tuple[str, ...]] = {}
    for language, words in LATIN.items():
        for word in words:
            languages[word] = (*languages.get(word, ()), language)
    return languages


_BY_WORD = _by_word()


def language_of(words: Iterable[str], text: str) -> str:
    """Recognise the language of a text in Latin letters, by its frequent words and its letters.

    Args:
        words: The text's first words, as they are written.
        text: The text.

    Returns:
        Its ISO 639-1 code; empty where that is uncertain.
    """
    hits: defaultdict[str, float] = defaultdict(float)
    for word in {word.casefold() for word in words}:
        weight = 1.0 if len(word) > 1 else _ONE_LETTER
        for language in _BY_WORD.get(fold(word), ()):
            hits[language] += weight
    if not text.isascii():
        for mark in _BY_MARK.keys() & set(text.casefold()):
            for language in _BY_MARK[mark]:
                hits[language] += 1 / len(_BY_MARK[mark])
    best = max(hits, key=hits.__getitem__, default="")
    first, second = hits[best], max((hits[each] for each in hits if each != best), default=0.0)
    return best if first >= _HITS_MIN and first >= second + _MARGIN else ""


def prevailing(languages: Iterable[str]) -> str:
    """Return the language of more than half of the texts whose language is certain, else ""."""
    known = Counter(language for language in languages if language)
    best, count = max(known.items(), key=lambda item: item[1], default=("", 0))
    return best if 2 * count > known.total() else ""


def is_stop_word(word: str, language: str) -> bool:
    """Return whether a word says nothing by itself.

    Args:
        word: Folded, in lower case.
        language: Of its text; empty where that is uncertain, and then only English is known.
    """
    return word in LATIN.get(language, ENGLISH) or (not word.isascii() and word in OTHERS)


def stem(word: str, language: str) -> str:
    """Return the stem of a word, without accents.

    Args:
        word: In lower case, with its accents.
        language: Of its text if that is in Latin letters, where empty means English; other scripts
            tell their own.
    """
    first = word[:1]
    if first <= _LATIN_UP_TO or _FURTHER_LATIN[0] <= first <= _FURTHER_LATIN[1]:
        stemmer = _stemmer(language or "en")
    else:
        code = ord(first)
        script = next((name for low, high, name in _SCRIPTS if low <= code <= high), "")
        stemmer = _stemmer(script)
        word = _ARABIC_AND.sub("", word) if script == "ar" else word
    return fold(stemmer.stemWord(word) if stemmer else word)


def _stemmer(language: str) -> Stemmer.Stemmer | None:
    # One of each for each thread: a stemmer is not thread-safe.
    known: dict[str, Stemmer.Stemmer | None] = _stemmers.__dict__.setdefault("known", {})
    if language not in known:
        name = _STEMMERS.get(language)
        known[language] = Stemmer.Stemmer(name) if name in Stemmer.algorithms() else None
    return known[language]
