"""Time in the ranking: questions that ask for a time or name one, and the recency of memories."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np

from mem_mcp.dates import Period, dates_in
from mem_mcp.ranking.arrays import Booleans, Floats, Integers
from mem_mcp.ranking.constants import COARSE_DATE_FIT, KIND_HALF_LIVES, RECENCY_HALF_LIFE
from mem_mcp.ranking.text_analysis import TermTable, terms

# Only at the start: "what did she do when it rained" does not ask for a time.
_TIME_QUESTION = re.compile(
    r"\W*(?:(?:since|until|by|in|on|at|for|from|about) )?"
    r"(?:when|how (?:long|recently)|(?:what|which) (?:date|day|month|year|time|week))\b",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"(?<!\w)(?:wann|wie lange|an welchem (?:tag|datum)|in welche[mr] (?:jahr|monat|woche)|cuándo"
    r"|en qué (?:fecha|día|mes|año)|cuánto tiempo|quand|à quelle (?:date|heure)|en quelle année"
    r"|combien de temps|quando|em que (?:dia|ano|mês)|in che (?:giorno|anno|mese)|per quanto tempo"
    r"|quanto tempo|wanneer|hoe lang|när|hur länge|kiedy|jak długo|когда|как долго"
    r"|в как(?:ом году|ом месяце|ой день)|ne zaman|kapan|berapa lama|khi nào|bao giờ|bao lâu|متى"
    r"|कब|πότε)(?!\w)|什么时候|何时|哪天|哪一天|哪年|多久|多长时间|几点|いつ|何年|何月|何日|何曜日|何時|どのくらい"
    r"|เมื่อไ[หร]ร?่|เมื่อใด|วันไหน|วันที่เท่าไ|กี่โมง|นานเท่าไ|언제|며칠|몇 시",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?<!\d)[0-2]?\d ?(?:[:h.][0-5]\d(?!\d)|uhr|час\w*|點|点|時|时|โมง|น\.)")
# Without "may", which is a verb more often; years are those that conversations mention.
_TIME_WORDS = """
yesterday today tonight tomorrow last next ago since recent soon weekend week month year day morning
afternoon evening night spring summer autumn fall winter monday tuesday wednesday thursday friday
saturday sunday january february march april june july august september october november december
"""
_TIME_TERMS = terms(_TIME_WORDS + " ".join(str(year) for year in range(1950, 2050))).ids
_PAST = re.compile(
    # German questions begin with "Was", too.
    r"\b(?:(?<!^)was|^was (?:the|it|he|she|i|my|our|his|her|there|this|that|an?)|"
    r"^was (?-i:[A-Z]\w+) (?:on|in|at|the|an?|to|ever|\w+ed|\w+ing)|"
    r"were|did|had|used to|before|formerly|previous\w*|old|original\w*|first|last|ago|until|"
    r"yesterday|war|waren|hatten?|früher|vorher|damals|zuvor|gestern|letzte[nrsm]?|alte[nrsm]?|"
    r"bisher\w*|étai\w+|avai\w+|avant|ancien\w*|autrefois|hier|derni[eè]re?s?|era|eran|fue|"
    r"había|antes|anterior\w*|antigu\w+|ayer|pasad[oa]|был\w*|раньше|прежн\w+|прошл\w+|вчера|"
    r"erano|ieri|scors[oaie]|precedent\w*|prima|vecchi[oa]|foi|foram|eram|ontem|passad[oa]|"
    r"antig[oa]s?|vroeger|eerder|vorige|waren|gisteren|wcześniej|kiedyś|był[aoy]?|poprzedni\w*|"
    r"dawniej|wczoraj|önce|eski|dün|idi|dulu|sebelumnya|kemarin|trước|đã|cũ|hôm qua|"
    r"كان\w*|سابقا|السابقة?|القديمة?|قبل|أمس)\b|(?<!\w)(?:पहले|था|थी|थे|पुरान[ािीे])|"
    r"以前|之前|原来|过去|曾|昨天|去年|上次|かつて|昨日|だった|でした|昔|前の|เคย|ก่อนหน้า|"
    r"เมื่อก่อน|แต่ก่อน|เมื่อวาน|예전|이전|전에는|었|였",
    re.IGNORECASE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def asks_for_time(question: str) -> bool:
    """Return whether an English question asks when or how long."""
    return _TIME_QUESTION.match(question) is not None


def asks_for_past(question: str) -> bool:
    """Return whether a question asks how things were, in one of many languages."""
    return _PAST.search(question) is not None


def is_over(ends_at: Floats, now: float, periods: Sequence[Period], zone: tzinfo) -> Booleans:
    """Return which memories no longer hold, and held at none of the times that a question names.

    Args:
        ends_at: (n,) epoch seconds; infinity where no end is known.
        now: epoch seconds of the question.
        periods: the times that it names.
        zone: in which a day begins.
    """
    asked = min([now, *(_moment(period.first, zone) for period in periods)])
    return np.asarray(ends_at <= asked)


def asks_elsewhere(question: str) -> bool:
    """Return whether a question in another language asks when or how long."""
    return _ELSEWHERE.search(question) is not None


def names_time(texts: Sequence[str], occurred_at: Floats, read: Integers, zone: tzinfo) -> Floats:
    """Return 1 for each text that names a date, or a time of the day, in any language, else 0.

    Args:
        texts: (n) of the memories.
        occurred_at: (n,) epoch seconds.
        read: rows whose texts are read.
        zone: in which a day begins.
    """
    found = np.zeros(len(texts))
    for row in read.tolist():
        said_on = day_of(occurred_at[row], zone)
        is_named = _CLOCK.search(texts[row]) or _periods_named(texts[row], said_on)
        found[row] = 1.0 if is_named else 0.0
    return found


def mentions_time(texts: TermTable) -> Floats:
    """Return 1 for each text that contains an English time expression, else 0."""
    places, _ = texts.places(_TIME_TERMS)
    found = np.zeros(texts.lengths.size)
    found[texts.rows[places]] = 1.0
    return found


def day_of(seconds: float, zone: tzinfo) -> date:
    """Return the day of a moment, given in epoch seconds, in a time zone."""
    moment = _EPOCH + timedelta(seconds=seconds)
    try:
        return moment.astimezone(zone).date()
    except OverflowError:  # at the ends of the calendar
        return moment.date()


def fits_periods(
    periods: Sequence[Period],
    occurred_at: Floats,
    texts: Sequence[str],
    read: Integers,
    zone: tzinfo,
) -> Floats:
    """Return how well each memory fits the times that a question names, 0..1.

    Args:
        periods: The times; one of them is meant.
        occurred_at: (n,) epoch seconds.
        texts: (n) of the memories.
        read: Rows whose texts are read for dates, which takes time.
        zone: In which a day begins and ends.
    """
    fits = np.zeros(occurred_at.size)
    for period in periods:
        first, end = _moment(period.first, zone), _moment(period.last, zone, days=1)
        is_within = (first <= occurred_at) & (occurred_at < end)
        fits = np.where(is_within, np.maximum(fits, period.fit), fits)
    for row in read.tolist():
        if fits[row] < 1:
            said_on = day_of(occurred_at[row], zone)
            named = _periods_named(texts[row], said_on)
            fits[row] = max([fits[row], *(_fit(one, other) for one in named for other in periods)])
    return fits


@lru_cache(maxsize=10_000)
def _periods_named(text: str, said_on: date) -> list[Period]:
    return [named.period for named in dates_in(text, said_on)]


def _fit(named: Period, asked: Period) -> float:
    """Return how well a time that a memory names fits one that is asked for."""
    if named.last < asked.first or asked.last < named.first:
        return 0.0
    is_within = asked.first <= named.first and named.last <= asked.last
    return asked.fit if is_within else COARSE_DATE_FIT * asked.fit


def _moment(day: date, zone: tzinfo, days: int = 0) -> float:
    """Return when a day begins, in epoch seconds; `days` later."""
    try:
        begins = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=days)
        return (begins - _EPOCH).total_seconds()
    except OverflowError:  # at the ends of the calendar
        return np.inf if days else -np.inf


def recency(occurred_at: Floats, now: float, kinds: Sequence[str]) -> Floats:
    """Return 1 for what happens now or later, halved with each half-life that has passed.

    Args:
        occurred_at: (n,) epoch seconds.
        now: Epoch seconds of the query.
        kinds: (n) of the memories; the half-life depends on it.
    """
    age = np.maximum(now - occurred_at, 0.0)
    half_lives = np.array([KIND_HALF_LIVES.get(kind, RECENCY_HALF_LIFE) for kind in kinds])
    return np.asarray(np.exp2(-age / half_lives))
