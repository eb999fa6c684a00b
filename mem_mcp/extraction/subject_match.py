"""Whether two texts share a topic, judged by their words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from mem_mcp.extraction.quotes import words
from mem_mcp.ranking.stop_words import ENGLISH

# What says nothing in the languages beside English that are most written to agents.
_EMPTY = """
der die das den dem des ein eine einen einem einer und oder ist sind war hat haben ich du er sie es
wir ihr mein dein sein mit von zu zum zur im in auf für nicht kein keine auch noch bitte dass
el la los las lo un una unos unas y o de del al que es son era ha he mi mis tu tus su sus me te se
con por para en no ya más muy como
le les des du et ou est sont je il elle nous vous mon ma mes ton ta ses ce cette dans sur pour pas
il ne lo gli uno che di da sono mio mia non per come più
os as um uma e do da dos das em que eu ele ela meu minha não para com
het een van en is niet ik mijn zijn op voor met dat
и на не что это как я ты он она мы вы мой моя мои мне его её по за из от до для был была есть
και στο στη στην στον το τη την τον του της τα οι είναι μου σου να δεν θα με σε για από
في من على إلى أن عن هو هي أنا لا ما هذا هذه كان مع
में मैं है हैं हूँ का की के को से ने पर और यह वह मेरा मेरी मेरे था थी नहीं
"""  # noqa: RUF001
EMPTY_WORDS = ENGLISH | words(_EMPTY)
"""Words that say nothing by themselves, in several languages."""
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+)"
)
_ARTICLE = re.compile(r"^(?:[وفبك]?ال|لل)(?=\w{3})")
"""The Arabic article: many words begin with it."""
_CHARACTER = re.compile(r"\w\W*")
"""A character with the marks that belong to it."""
_LINKING = frozenset(
    "的了是在我你您他她它们們这那请請不有和与就也都吗呢吧の は が を に で と も た て す"
)
_CALLED = """
user usuario usuária usuário utente utilisateur utilisatrice nutzer benutzer gebruiker användaren
użytkownik użytkownika kullanıcı kullanıcının dùng пользователь пользователя користувач χρήστης
χρήστη המשתמש المستخدم उपयोगकर्ता ผู้ใช้ ユーザー 사용자 用户 用戶 使用者
"""  # noqa: RUF001
THE_USER = tuple(_CALLED.split())
"""Words for a speaker without a name, in the languages that memories are written in."""
_LEAST_STEM = 4
_STEM = 0.6
"""Share of the longer word that two forms of one word have in common, from the beginning."""


def share_a_subject(
    some: Iterable[str], others: Iterable[str], without: Iterable[str] = ()
) -> bool:
    """Whether texts share a content word, or two forms of one.

    Args:
        some: texts.
        others: texts.
        without: words that do not count.
    """
    left_out = _subjects(without)
    return bool(_common(_subjects(some) - left_out, _subjects(others) - left_out))


def shared(text: str, other: str) -> int:
    """Return how many content words of a text stand, perhaps in another form, in another text."""
    return len(_common(_subjects([text]), _subjects([other])))


def _common(some: set[str], others: set[str]) -> set[str]:
    alike: dict[str, list[str]] = {}
    for word in others:
        alike.setdefault(word[:_LEAST_STEM], []).append(word)
    return {
        word
        for word in some
        if word in others
        or any(_is_one_word(word, like) for like in alike.get(word[:_LEAST_STEM], ()))
    }


def _subjects(texts: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for word in (word for text in texts for word in words(text)):
        for part in _UNSPACED.split(word):
            if _UNSPACED.match(part):
                pairs = pairwise(_CHARACTER.findall(part))
                found |= {"".join(pair) for pair in pairs if not _LINKING & {*pair}}
            elif len(part) > 1 or part.isdigit():
                found.add(_ARTICLE.sub("", part))
    return found - EMPTY_WORDS


def _is_one_word(one: str, other: str) -> bool:
    least = max(_LEAST_STEM, round(_STEM * max(len(one), len(other))))
    return one.isalpha() and other.isalpha() and one[:least] == other[:least]
