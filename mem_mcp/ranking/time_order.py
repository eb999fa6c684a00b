"""Order in time: questions for the latest or the first of several memories."""

from __future__ import annotations

import re

import numpy as np

from mem_mcp import date_words
from mem_mcp.ranking.arrays import Floats

LEAST_MATCH = 0.6
"""Of the best content score that a memory has which is put in order: the others match less."""

_LATEST = (
    r"latest|newest|most recent(?:ly)?|last|letzte[rnsm]?|neu?este[rnsm]?|jüngste[rnsm]?"
    r"|zuletzt|aktuellste[rnsm]?|últim[oa]s?|más recientes?|derni(?:er|ère)s?|plus récente?s?"
    r"|ultim[oaie]"
    r"|più recent[ei]|mais recentes?|laatste?|nieuwste|meest recente|senaste|ostatni\w*|najnowsz\w*"
    r"|последн\w+|новейш\w+|en son|son kez|en yeni|terakhir|terbaru|gần đây nhất|mới nhất|cuối cùng"
    r"|آخر|أحدث|الأخيرة?|τελευταί\w+"
)
_LATEST_UNSPACED = (
    "आखिरी|आख़िरी|नवीनतम|सबसे नय[ाीे]|पिछल[ाीे]|最新|上一?次|最后|最後|最近|直近|ล่าสุด|ครั้งสุดท้าย"
    "|최근|마지막|최신"
)
_FIRST = (
    r"first|oldest|earliest|erste[rnsm]?|älteste[rnsm]?|früheste[rnsm]?|zuerst|primer[oa]?s?"
    r"|más antigu[oa]s?|premi(?:er|ère)s?|plus ancien(?:ne)?s?|prim[oaie]|più vecchi[oae]"
    r"|primeir[oa]s?|mais antig[oa]s?|eerste|oudste|första|pierwsz\w+|najstarsz\w*|перв\w+|впервые"
    r"|сам\w+ стар\w+|ilk|en eski|pertama|tertua|đầu tiên|cũ nhất|أول|أقدم|الأولى|πρώτ\w+"
)
_FIRST_UNSPACED = (
    "पहल[ाीे] बार|सबसे पुरान[ाीे]|第一次|最早|最初|最旧|一番古い|初めて|ครั้งแรก|เก่าที่สุด|처음|가장 오래된"
)
_PATTERNS = {
    1.0: re.compile(rf"\b(?:{_LATEST})\b|{_LATEST_UNSPACED}"),
    -1.0: re.compile(rf"\b(?:{_FIRST})\b|{_FIRST_UNSPACED}"),
}
_TIMES = frozenset(
    " ".join([*date_words.UNITS.values(), *date_words.MONTHS, *date_words.WEEKDAYS]).split()
) | {
    "night", "evening", "morning", "weekend", "spring", "summer", "autumn", "fall", "winter",
    "nacht", "abend", "wochenende", "sommer", "noche", "verano", "nuit", "soir", "été",
    "notte", "estate", "ночь", "лето", "years", "weeks",
}  # fmt: skip
"""The last of these is a time, and no order of memories."""
_NO_ORDER = frozenset(
    {
        "aid", "aiuto", "apellido", "class", "floor", "hand", "hilfe", "lady", "name", "named",
        "names", "nombre", "nome", "person", "piso", "place", "prénom", "step", "stock", "thing",
        "étage",
    }
)  # fmt: skip
"""The first or last of these is a word of its own."""
_TO_LAST = re.compile(r"\bhow long\b|\blast (?:for|until)\b")
_NEAR = re.compile(r"[^\W\d_]+")


def asked_order(question: str) -> float:
    """Return 1 where a question asks for the latest of several, -1 for the first, else 0.

    Words for a time ("last week"), for a name ("first name") and the verb "to last" ask for none.

    Args:
        question: in any of the languages.
    """
    text = question.lower()
    found = {sign: _asks(pattern, text) for sign, pattern in _PATTERNS.items()}
    return sum(sign for sign, asks in found.items() if asks)


def ranked_in_time(content: Floats, occurred_at: Floats, order: float) -> Floats:
    """Return how early or late each memory comes among those that match, 0..1.

    Args:
        content: (n,) content scores; of those that match well the first and last are told apart.
        occurred_at: (n,) epoch seconds.
        order: 1 for the latest first, -1 for the first.

    Returns:
        (n,) 1 for the one that is asked for, less for each next one; 0 for what matches less.
    """
    places = np.zeros(content.size)
    best = float(content.max(initial=0.0))
    rows = np.flatnonzero((content >= LEAST_MATCH * best) & (content > 0))
    if rows.size > 1:
        times, place = np.unique(order * occurred_at[rows], return_inverse=True)
        places[rows] = place / max(times.size - 1, 1)
    return places


def _asks(pattern: re.Pattern[str], text: str) -> bool:
    return any(
        _orders(text, match)
        for match in pattern.finditer(text)
        if match[0] != "last" or not _TO_LAST.search(text)
    )


def _orders(text: str, match: re.Match[str]) -> bool:
    after = _NEAR.findall(text[match.end() :])[:1]
    before = _NEAR.findall(text[: match.start()])[-1:]
    return _NO_ORDER.isdisjoint(after) and _TIMES.isdisjoint([*after, *before])
