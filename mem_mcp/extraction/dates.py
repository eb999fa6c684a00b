"""Find the dates that a text names, and reckon relative ones from the time it was said. Pure.

Languages: English, German, Spanish, French, Italian, Portuguese and Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = (
    "january jan januar jänner enero janvier gennaio janeiro",
    "february feb februar febrero février febbraio fevereiro",
    "march mar märz marzo mars março",
    "april apr abril avril aprile",
    "may mai mayo maggio maio",
    "june jun juni junio juin giugno junho",
    "july jul juli julio juillet luglio julho",
    "august aug agosto août",
    "september sep sept septiembre septembre settembre setembro",
    "october oct oktober octubre octobre ottobre outubro",
    "november nov noviembre novembre novembro",
    "december dec dezember diciembre décembre dicembre dezembro",
)
_MONTH = {word: number for number, words in enumerate(_MONTHS, 1) for word in words.split()}
_WEEKDAYS = (
    "monday montag lunes lundi lunedì segunda-feira 星期一 周一",
    "tuesday dienstag martes mardi martedì terça-feira 星期二 周二",
    "wednesday mittwoch miércoles mercredi mercoledì quarta-feira 星期三 周三",
    "thursday donnerstag jueves jeudi giovedì quinta-feira 星期四 周四",
    "friday freitag viernes vendredi venerdì sexta-feira 星期五 周五",
    "saturday samstag sonnabend sábado samedi sabato 星期六 周六",
    "sunday sonntag domingo dimanche domenica 星期日 星期天 周日",
)
_WEEKDAY = {word: number for number, words in enumerate(_WEEKDAYS) for word in words.split()}
_DAYS = {
    -2: "the day before yesterday|vorgestern|anteayer|antes de ayer|avant-hier|l'altro ieri"
    "|anteontem|前天",
    -1: "yesterday|last night|gestern|ayer|anoche|hier|ieri|ontem|昨天|昨晚",
    0: "today|tonight|this morning|heute|hoy|aujourd'hui|oggi|hoje|今天",
    1: "tomorrow|morgen|mañana|demain|domani|amanhã|明天",
    2: "the day after tomorrow|übermorgen|pasado mañana|après-demain|dopodomani"
    "|depois de amanhã|后天",
}
_SPANS = {
    ("month", -1): "last month|letzten monat|el mes pasado|le mois dernier|il mese scorso"
    "|o mês passado|no mês passado|上个月|上月",
    ("month", 0): "this month|diesen monat|este mes|ce mois-ci|questo mese|este mês|这个月|本月",
    ("month", 1): "next month|nächsten monat|el (?:mes próximo|próximo mes)|le mois prochain"
    "|il mese prossimo|(?:o|no) próximo mês|下个月",
    ("year", -1): "last year|letztes jahr|el año pasado|l'année dernière|l'an dernier"
    "|l'anno scorso|(?:o|no) ano passado|去年",
    ("year", 0): "this year|dieses jahr|este año|cette année|quest'anno|este ano|今年",
    ("year", 1): "next year|nächstes jahr|el (?:año próximo|próximo año)|l'année prochaine"
    "|l'anno prossimo|(?:o|no) próximo ano|明年",
    ("weekend", -1): "(?:last|this past|over the) weekend|letztes wochenende|am wochenende"
    "|el fin de semana pasado|le week-end dernier|lo scorso weekend|上周末",
}
_AMOUNTS = {
    word: number
    for number, words in enumerate(
        (
            "1 one a an einem einer ein un una uno une um uma 一",
            "2 two couple zwei dos deux due dois duas 两 二",
            "3 three drei tres trois tre três 三",
            "4 four vier cuatro quatre quattro quatro 四",
            "5 five fünf cinco cinq cinque 五",
            "6 six sechs seis sei 六",
            "7 seven sieben siete sept sette sete 七",
            "8 eight acht ocho huit otto oito 八",
            "9 nine neun nueve neuf nove 九",
            "10 ten zehn diez dix dieci dez 十",
        ),
        start=1,
    )
    for word in words.split()
}
_UNITS = {
    word: unit
    for unit, words in {
        "day": "day days tag tagen día días jour jours giorno giorni dia dias 天",
        "week": "week weeks woche wochen semana semanas semaine semaines settimana settimane 周"
        " 星期",
        "month": "month months monat monaten mes meses mois mese mesi mês 个月",
        "year": "year years jahr jahren año años an ans année années anno anni ano anos 年",
    }.items()
    for word in words.split()
}


def _any(words: object) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))  # type: ignore[call-overload]


_AMOUNT, _UNIT = rf"(?P<n>\d{{1,3}}|{_any(_AMOUNTS)})", rf"(?P<unit>{_any(_UNITS)})"
_AGO = re.compile(
    rf"\b{_AMOUNT}(?: of)? {_UNIT} ago\b|\bvor {_AMOUNT.replace('<n>', '<n2>')}"
    rf" {_UNIT.replace('<unit>', '<unit2>')}\b"
    rf"|\b(?:hace|il y a|há) {_AMOUNT.replace('<n>', '<n3>')}"
    rf" {_UNIT.replace('<unit>', '<unit3>')}\b"
    rf"|\b{_AMOUNT.replace('<n>', '<n4>')} {_UNIT.replace('<unit>', '<unit4>')} fa\b"
    rf"|{_AMOUNT.replace('<n>', '<n5>')}个?{_UNIT.replace('<unit>', '<unit5>')}[以之]?前",
)
_MONTH_NAME = rf"(?P<month>{_any(_MONTH)})\b\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th|\.|º|er)?"
_YEAR = r"(?:,? (?:de |del |of )?(?P<year>(?:19|20)\d\d)\b)?"
_NAMED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_DAY} (?:de |di |of )?{_MONTH_NAME}{_YEAR}",
        rf"\b{_MONTH_NAME} {_DAY}(?!\d|:){_YEAR}",
        rf"\b{_MONTH_NAME}{_YEAR}",
        r"(?:(?P<year>(?:19|20)\d\d)年)?(?P<month>1[0-2]|[1-9])月(?:(?P<day>[0-3]?\d)[日号])?",
    )
)
_AMBIGUOUS = ("may", "mar", "march", "mars", "mai", "sep", "jan", "sept")
"""Words that are months only beside a preposition, a day or a year."""
_BEFORE_MONTH = re.compile(
    r"\b(?:in|since|until|till|by|early|late|mid|last|next|of|im|seit|en)\W+$"
)
_ISO = re.compile(r"\b((?:19|20)\d\d)-(\d\d)(?:-(\d\d))?\b")
_SLASHED = re.compile(r"\b([0-3]?\d)[./]([01]?\d)[./]((?:19|20)\d\d)\b")
_BARE_YEAR = re.compile(r"(?<![\d.,:/-])((?:19|20)\d\d)(?![\d:/-]|[.,]\d)")
_ON_WEEKDAY = re.compile(
    rf"(?:(?P<which>last|next|this|on|am|letzten|nächsten|le|el|il|上|下)?\s?)"
    rf"(?P<weekday>{_any(_WEEKDAY)})(?: (?P<after>pasado|dernier|scorso|passada|próximo|prochain))?"
)
_AHEAD = re.compile(
    r"\b(?:will|going to|next|plan|until|till|booked|due|werde|wird|voy a|va a|próxim\w+|vais"
    r"|vai|prochain\w*|prossim\w+|nächst\w+)\b|'ll\b|[下将会]"
)


@dataclass(frozen=True, slots=True)
class NamedDate:
    """A date in a text."""

    iso: str
    """As exact as it is named: 2026, 2026-05 or 2026-05-09."""
    start: int
    end: int


def dates_in(text: str, said_on: date | None) -> list[NamedDate]:
    """Return the dates that a text names, in order.

    Args:
        text: in any of the languages.
        said_on: the day it was said; relative dates and days without a year need it. A month or a
            day without a year is the one nearest to it.
    """
    lowered = text.lower().replace("’", "'")  # noqa: RUF001
    taken: list[NamedDate] = []
    for named in _candidates(lowered, said_on):
        if not any(named.start < other.end and other.start < named.end for other in taken):
            taken.append(named)
    return sorted(taken, key=lambda named: named.start)


def _candidates(text: str, said_on: date | None) -> Iterator[NamedDate]:
    for match in _ISO.finditer(text):
        yield from _dated(match, "-".join(part for part in match.groups() if part))
    for match in _SLASHED.finditer(text):
        yield from _dated(match, f"{match[3]}-{int(match[2]):02}-{int(match[1]):02}")
    if said_on is not None:
        yield from _relative(text, said_on)
    for pattern in _NAMED:
        for match in pattern.finditer(text):
            yield from _month(text, match, said_on)
    if said_on is not None:
        for match in _ON_WEEKDAY.finditer(text):
            yield _weekday(text, match, said_on)
    for match in _BARE_YEAR.finditer(text):
        yield NamedDate(match[1], *match.span())


def _dated(match: re.Match[str], iso: str) -> Iterator[NamedDate]:
    try:
        date.fromisoformat(iso if len(iso) > len("2026-05") else f"{iso}-01")
    except ValueError:
        return
    yield NamedDate(iso, *match.span())


def _relative(text: str, said_on: date) -> Iterator[NamedDate]:
    for days in sorted(_DAYS, key=lambda number: -abs(number)):
        for match in re.finditer(rf"(?<!\w)(?:{_DAYS[days]})(?!\w)|(?:{_chinese(days)})", text):
            if match[0]:
                yield NamedDate((said_on + timedelta(days=days)).isoformat(), *match.span())
    for (unit, by), words in _SPANS.items():
        for match in re.finditer(words, text):
            yield NamedDate(_moved(said_on, unit, by), *match.span())
    for match in _AGO.finditer(text):
        given = [part for part in match.groups() if part]
        number, unit = given[0], _UNITS[given[1]]
        amount = int(number) if number.isdecimal() else _AMOUNTS[number]
        yield NamedDate(_moved(said_on, unit, -amount), *match.span())


def _chinese(days: int) -> str:
    return "|".join(word for word in _DAYS[days].split("|") if not word.isascii()) or "(?!)"


def _moved(said_on: date, unit: str, by: int) -> str:
    if unit == "weekend":
        return (said_on - timedelta(days=said_on.weekday() + 2)).isoformat()
    if unit in ("day", "week"):
        return (said_on + timedelta(days=by * (7 if unit == "week" else 1))).isoformat()
    if unit == "year":
        return str(said_on.year + by)
    months = said_on.year * 12 + said_on.month - 1 + by
    return f"{months // 12}-{months % 12 + 1:02}"


def _month(text: str, match: re.Match[str], said_on: date | None) -> Iterator[NamedDate]:
    groups = match.groupdict()
    word, day, year = groups["month"], groups.get("day"), groups.get("year")
    if word in _AMBIGUOUS and not (day or year or _BEFORE_MONTH.search(text[: match.start()])):
        return
    month = int(word) if word.isdecimal() else _MONTH[word]
    if year is None:
        if said_on is None:
            return
        years = (said_on.year - 1, said_on.year, said_on.year + 1)
        middle = int(day or 15)
        year = str(
            min(years, key=lambda each: abs(each * 372 + month * 31 + middle - _serial(said_on)))
        )
    iso = f"{year}-{month:02}"
    yield from _dated(match, f"{iso}-{int(day):02}" if day else iso)


def _serial(day: date) -> int:
    return day.year * 372 + day.month * 31 + day.day


def _weekday(text: str, match: re.Match[str], said_on: date) -> NamedDate:
    wanted = _WEEKDAY[match["weekday"]]
    which, after = match["which"] or "", match["after"] or ""
    sentence = re.split(r"[.!?。！？]", text[: match.end()])[-1]  # noqa: RUF001
    ahead = (wanted - said_on.weekday()) % 7
    back = (said_on.weekday() - wanted) % 7
    past = which in ("last", "letzten", "上") or after in ("pasado", "dernier", "scorso", "passada")
    if not past and (which in ("next", "nächsten", "下") or _AHEAD.search(sentence)):
        return NamedDate((said_on + timedelta(days=ahead or 7)).isoformat(), *match.span())
    return NamedDate((said_on - timedelta(days=back or 7)).isoformat(), *match.span())
