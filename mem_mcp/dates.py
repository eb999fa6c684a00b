"""Find the dates that a text names, and the times that a question asks for. Pure.

Relative ones are reckoned from the day the text was said. `date_words` lists the languages.
"""
# ruff: noqa: RUF001 - letters of other alphabets look like Latin ones

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise

from mem_mcp import date_words
from mem_mcp.seasons import YearPart, year_parts_in

_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Letters of scripts without spaces between words; Korean words take endings."""
_WORD = re.compile(r"[^\s.,;:!?'\"()|،؟。，！？、-]+")


class _Text:
    """A text in lower case, with its words, so that most patterns need not be tried on it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = frozenset(_WORD.findall(text))
        self.is_unspaced = _UNSPACED.search(text) is not None
        self.has_digits = any(char.isdecimal() for char in text)


class _Pattern:
    """A pattern around phrases of many languages.

    Args:
        phrases: in lower case.
        template: a regular expression around "{words}".
    """

    def __init__(self, phrases: Iterable[str], template: str = "{words}", **parts: str) -> None:
        longest_first = sorted(phrases, key=len, reverse=True)
        spaced = [phrase for phrase in longest_first if not _UNSPACED.search(phrase)]
        unspaced = [phrase for phrase in longest_first if _UNSPACED.search(phrase)]
        # One word of each phrase, without which the phrase is not there.
        self._needed = frozenset(max(_WORD.findall(phrase), key=len) for phrase in spaced)
        among = rf"(?<![^\W\d_])(?:{_either(spaced)})(?![^\W\d_])"
        self._spaced = re.compile(template.format(words=among, **parts))
        self._unspaced = re.compile(template.format(words=f"(?:{_either(unspaced)})", **parts))

    def finditer(self, text: _Text) -> Iterator[re.Match[str]]:
        if not self._needed.isdisjoint(text.words):
            yield from self._spaced.finditer(text.text)
        if text.is_unspaced:
            yield from self._unspaced.finditer(text.text)


def _either(phrases: Iterable[str]) -> str:
    return "|".join(map(re.escape, phrases)) or "(?!)"


def _ending(words: str) -> re.Pattern[str]:
    """Return a pattern of a text that ends with one of some words, and perhaps an article."""
    return re.compile(
        rf"(?:(?<![^\W\d_])(?:{_either(words.split())}))(?: the| de| del| dem| el| il)?\W*$"
    )


def _numbered(rows: Iterable[str], first: int) -> dict[str, int]:
    return {word: number for number, row in enumerate(rows, first) for word in row.split()}


_MONTH = _numbered(date_words.MONTHS, 1)
_WEEKDAY = _numbered(date_words.WEEKDAYS, 0)
_WEEKDAY |= {f"na {word}": day for day, word in enumerate(date_words.AFTER_NA.split())}
_NUMBER = _numbered(date_words.NUMBERS, 1)
_UNITS = {word: unit for unit, row in date_words.UNITS.items() for word in row.split()}
_HAN = "一 二 三 四 五 六 七 八 九 十 十一 十二"
_VIETNAMESE = "một hai ba tư năm sáu bảy tám chín mười mười-một mười-hai"
_MONTH_NUMBER = {
    word: number for row in (_HAN, _VIETNAMESE) for number, word in enumerate(row.split(), 1)
}
_RELATIVE_DAYS = [
    (days, _Pattern(row.split("|")))
    for days, row in sorted(date_words.DAYS.items(), key=lambda item: -abs(item[0]))
]
_SPANS = [(unit, by, _Pattern(row.split("|"))) for (unit, by), row in date_words.SPANS.items()]


def _amounts(forms: Iterable[str]) -> list[_Pattern]:
    number = rf"(?<![^\W_])(?P<n>\d{{1,3}}|{_either(sorted(_NUMBER, key=len, reverse=True))})"
    return [
        _Pattern(_UNITS, form.replace("{unit}", "(?P<unit>{words})"), amount=number)
        for form in forms
    ]


_AGO, _LASTING = _amounts(date_words.AGO), _amounts(date_words.LASTING)
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th|\.|º|er|-го)?"
_YEAR = r"(?:,? ?(?:de |del |of |พ\.ศ\. ?|ค\.ศ\. ?|năm )?(?P<year>(?:19|20|25)\d\d)\b)?"
_NAMED = tuple(
    _Pattern(_MONTH, template.replace("{words}", r"(?P<month>{words})\.?"), day=_DAY, year=_YEAR)
    for template in (
        r"(?<!\d){day} (?:de |di |of )?{words}{year}",
        r"{words} {day}(?!\d|:){year}",
        r"{words}{year}",
    )
)
_NUMBERED_MONTHS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:(?P<year>(?:19|20)\d\d) ?[年년] ?)?(?<!\d)(?P<month>1[0-2]|[1-9]) ?[月월]"
        r"(?: ?(?P<day>[0-3]?\d) ?[日号일])?",
        r"(?:(?P<year>(?:19|20)\d\d)年)?(?P<month>十[一二]?|[一二三四五六七八九])月",
        r"(?:(?<!\w)(?:ngày )?(?P<day>[0-3]?\d) )?tháng "
        r"(?P<month>1[0-2]|0?[1-9]|mười (?:một|hai)|một|hai|ba|tư|năm|sáu|bảy|tám|chín|mười)"
        r"(?!\w)(?:,? (?:năm )?(?P<year>(?:19|20)\d\d)(?!\w))?",
    )
)
_HAS_NUMBERED_MONTH = re.compile("[月월]|tháng")
_AMBIGUOUS = frozenset(date_words.AMBIGUOUS.split())
_BEFORE_MONTH = _ending(date_words.BEFORE_MONTH)
_ISO = re.compile(r"\b((?:19|20)\d\d)-(\d\d)(?:-(\d\d))?\b|\b((?:19|20)\d\d)/(\d\d)/(\d\d)\b")
_SLASHED = re.compile(r"\b([0-3]?\d)[./]([01]?\d)[./]((?:19|20|25)\d\d)\b")
_BARE_YEAR = re.compile(r"(?<![\d.,:/-])((?:19|20|25)\d\d)(?![\d:/-]|[.,]\d)")
_ON_WEEKDAY = _Pattern(
    _WEEKDAY,
    r"(?:(?P<which>last|next|this|on|am|letzten|nächsten|le|el|il|上|下)?\s?)(?P<weekday>{words})"
    r"(?: (?P<after>pasado|dernier|scorso|passada|próximo|prochain))?",
)
_AHEAD = re.compile(
    r"\b(?:will|going to|next|plan|until|till|booked|due|werde|wird|voy a|va a|próxim\w+|vais"
    r"|vai|prochain\w*|prossim\w+|nächst\w+)\b|'ll\b|[下将会]"
)
_ENDS_SINCE, _ENDS_BEFORE = _ending(date_words.SINCE), _ending(date_words.BEFORE)
_STARTS_SINCE = re.compile(rf"\W*(?:{_either(date_words.SINCE_AFTER.split())})")
_STARTS_BEFORE = re.compile(rf"\W*(?:{_either(date_words.BEFORE_AFTER.split('|'))})")
_BETWEEN = re.compile(rf"\W*(?:{_either(date_words.TO.split())})?\W*")
_THAI = re.compile("[\u0e00-\u0e7f]")
_BUDDHIST_ERA = 543
_BUDDHIST_YEARS = range(2450, 2600)
_DATE, _YEAR_ALONE = 3, 1
_FIT_IN_DOUBT = 0.5
_MONTHS, _SEASON_MONTHS = 12, 3
_RECKONABLE_YEARS = range(1000, 9000)
"""From others the ends of the calendar are near."""


@dataclass(frozen=True, slots=True)
class NamedDate:
    """A date in a text."""

    iso: str
    """As exact as it is named: 2026, 2026-05 or 2026-05-09."""
    start: int
    end: int
    has_year: bool = True
    """Whether the text says of which year, or how long from now; else the nearest was taken."""

    @property
    def period(self) -> Period:
        """Its first and its last day."""
        parts = [int(part) for part in self.iso.split("-")]
        if len(parts) == _DATE:
            return Period(date(*parts), date(*parts))
        if len(parts) == _YEAR_ALONE:
            return Period(date(parts[0], 1, 1), date(parts[0], 12, 31))
        year, month = parts
        after = date(year + month // 12, month % 12 + 1, 1)
        return Period(date(year, month, 1), after - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Period:
    """Days, from the first to the last."""

    first: date
    last: date
    fit: float = 1.0
    """How well it fits what was asked, above 0 up to 1."""


def dates_in(text: str, said_on: date | None) -> list[NamedDate]:
    """Return the dates that a text names, in order.

    Args:
        text: in any of the languages.
        said_on: the day it was said; relative dates and days without a year need it. A month or a
            day without a year is the one nearest to it.
    """
    if said_on is not None and said_on.year not in _RECKONABLE_YEARS:
        said_on = None
    taken: list[NamedDate] = []
    for named in _candidates(_Text(_lower(text)), said_on):
        if not any(named.start < other.end and other.start < named.end for other in taken):
            taken.append(named)
    return sorted(taken, key=lambda named: named.start)


def periods_in(question: str, asked_on: date) -> list[Period]:
    """Return the times that a question asks for: none if it names no time.

    Args:
        question: in any of the languages.
        asked_on: the day it was asked.

    Returns:
        Each may be what is meant. A month or a day without a year is in the nearest year, and
        fits by half in the year before and after. "Since March" ends with the day it was asked;
        "Before 2020" begins with the year 1, and what is
        of 2020 fits by half.
    """
    if asked_on.year not in _RECKONABLE_YEARS:
        return []
    text = _lower(question)
    named = dates_in(text, asked_on)
    periods, joined = list[Period](), set[int]()
    for n, (one, other) in enumerate(pairwise(named)):
        between = text[one.end : other.start]
        if n not in joined and between.strip(" ,") and _BETWEEN.fullmatch(between):
            periods += _from_to(one, other)
            joined |= {n, n + 1}
    for n, each in enumerate(named):
        if n not in joined:
            periods += _as_asked(text, each, asked_on)
    if parts := year_parts_in(text):
        years = {each.first.year for each in periods if _is_year(each)}
        periods = [each for each in periods if not _is_year(each)]
        periods += [_season(part, years, asked_on) for part in parts]
    return [*periods, *_lasting(_Text(text), asked_on)]


def _lower(text: str) -> str:
    """Return a text in lower case, of the same length."""
    lowered = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    return lowered.replace("’", "'")


def _from_to(one: NamedDate, other: NamedDate) -> list[Period]:
    first, last = one.period, other.period
    if not one.has_year and first.first > last.first:
        first = _moved_by(first, last.first.year - first.first.year)
    if not other.has_year and first.first > last.first:
        last = _moved_by(last, first.first.year - last.first.year)
    if first.first > last.last:  # of two things, not from one to the other
        return [first, last]
    whole = Period(first.first, last.last)
    if one.has_year or other.has_year:
        return [whole]
    return [whole, *_in_other_years(whole)]


def _in_other_years(period: Period) -> list[Period]:
    return [replace(_moved_by(period, years), fit=_FIT_IN_DOUBT) for years in (-1, 1)]


def _moved_by(period: Period, years: int) -> Period:
    return Period(_same_day(period.first, years), _same_day(period.last, years))


def _same_day(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + years, day=28)


def _as_asked(text: str, named: NamedDate, asked_on: date) -> Iterator[Period]:
    period = named.period
    before, after = text[: named.start], text[named.end :]
    if _ENDS_BEFORE.search(before) or _STARTS_BEFORE.match(after):
        # "Until March" may hold March, too.
        yield Period(date.min, period.first - timedelta(days=1))
        yield replace(period, fit=_FIT_IN_DOUBT)
    elif _ENDS_SINCE.search(before) or _STARTS_SINCE.match(after):
        if not named.has_year and period.first > asked_on:
            period = _moved_by(period, -1)
        yield Period(period.first, max(period.last, asked_on))
    else:
        yield period
        if not named.has_year:
            yield from _in_other_years(period)


def _is_year(period: Period) -> bool:
    year = period.first.year
    return (period.first, period.last) == (date(year, 1, 1), date(year, 12, 31))


def _season(part: YearPart, years: Collection[int], asked_on: date) -> Period:
    """Return the season of a year; without one it is the last that has begun."""
    begun = asked_on.year - (part.month > asked_on.month)
    year = part.year or max(years, default=begun)
    after = part.month + _SEASON_MONTHS
    end = date(year + (after - 1) // _MONTHS, (after - 1) % _MONTHS + 1, 1)
    return Period(date(year, part.month, 1), end - timedelta(days=1))


def _lasting(text: _Text, asked_on: date) -> Iterator[Period]:
    for unit, by, pattern in _SPANS:
        if unit == "week" and any(pattern.finditer(text)):
            monday = asked_on - timedelta(days=asked_on.weekday()) + timedelta(weeks=by)
            # Somebody's week begins on Sunday.
            yield Period(monday - timedelta(days=1), monday + timedelta(days=6))
    for form in _LASTING:
        for match in form.finditer(text):
            start = _ago(asked_on, match)
            if start is not None:
                yield Period(start.period.first, asked_on)


def _candidates(text: _Text, said_on: date | None) -> Iterator[NamedDate]:
    """Yield what may be a date; of those that overlap the first counts."""
    if text.has_digits:
        yield from _all_digits(text.text)
    if said_on is not None:
        yield from _relative(text, said_on)
    for match in _months(text):
        yield from _month(text.text, match, said_on)
    if said_on is not None:
        for match in _ON_WEEKDAY.finditer(text):
            yield _weekday(text.text, match, said_on)
    if text.has_digits:
        yield from _bare_years(text.text)


def _months(text: _Text) -> Iterator[re.Match[str]]:
    for named in _NAMED:
        yield from named.finditer(text)
    if _HAS_NUMBERED_MONTH.search(text.text):
        for numbered in _NUMBERED_MONTHS:
            yield from numbered.finditer(text.text)


def _all_digits(text: str) -> Iterator[NamedDate]:
    for match in _ISO.finditer(text):
        yield from _dated(match, "-".join(part for part in match.groups() if part))
    for match in _SLASHED.finditer(text):
        yield from _dated(match, f"{_common_era(match[3])}-{int(match[2]):02}-{int(match[1]):02}")


def _bare_years(text: str) -> Iterator[NamedDate]:
    is_thai = _THAI.search(text)
    for match in _BARE_YEAR.finditer(text):
        if is_thai or int(match[1]) not in _BUDDHIST_YEARS:
            yield NamedDate(_common_era(match[1]), *match.span())


def _common_era(year: str) -> str:
    """Return a year as the common era counts it: 2569 in Thailand is 2026."""
    number = int(year)
    return str(number - _BUDDHIST_ERA if number in _BUDDHIST_YEARS else number)


def _dated(match: re.Match[str], iso: str, has_year: bool = True) -> Iterator[NamedDate]:
    try:
        date.fromisoformat(iso if len(iso) > len("2026-05") else f"{iso}-01")
    except ValueError:
        return
    yield NamedDate(iso, *match.span(), has_year)


def _relative(text: _Text, said_on: date) -> Iterator[NamedDate]:
    for days, pattern in _RELATIVE_DAYS:
        for match in pattern.finditer(text):
            yield NamedDate((said_on + timedelta(days=days)).isoformat(), *match.span())
    for unit, by, pattern in _SPANS:
        for match in pattern.finditer(text):
            if unit != "week":
                yield NamedDate(_moved(said_on, unit, by), *match.span())
    for form in _AGO:
        for match in form.finditer(text):
            if (ago := _ago(said_on, match)) is not None:
                yield ago


def _ago(said_on: date, match: re.Match[str]) -> NamedDate | None:
    number = match["n"]
    amount = int(number) if number.isdecimal() else _NUMBER[number]
    try:
        return NamedDate(_moved(said_on, _UNITS[match["unit"]], -amount), *match.span())
    except (OverflowError, ValueError):  # before the year 1
        return None


def _moved(said_on: date, unit: str, by: int) -> str:
    if unit == "weekend":
        return (said_on - timedelta(days=said_on.weekday() + 2)).isoformat()
    if unit in ("day", "week"):
        return (said_on + timedelta(days=by * (7 if unit == "week" else 1))).isoformat()
    if unit == "year":
        return f"{date(said_on.year + by, 1, 1).year:04}"
    months = said_on.year * 12 + said_on.month - 1 + by
    return date(months // 12, months % 12 + 1, 1).isoformat()[: len("2026-05")]


def _month(text: str, match: re.Match[str], said_on: date | None) -> Iterator[NamedDate]:
    groups = match.groupdict()
    word, day, year = groups["month"], groups.get("day"), groups.get("year")
    if word in _AMBIGUOUS and not (day or year or _BEFORE_MONTH.search(text[: match.start()])):
        return
    month = _month_number(word)
    has_year = year is not None
    if year is None:
        if said_on is None:
            return
        years = (said_on.year - 1, said_on.year, said_on.year + 1)
        middle = int(day or 15)
        year = str(
            min(years, key=lambda each: abs(each * 372 + month * 31 + middle - _serial(said_on)))
        )
    iso = f"{_common_era(year)}-{month:02}"
    yield from _dated(match, f"{iso}-{int(day):02}" if day else iso, has_year)


def _month_number(word: str) -> int:
    if word.isdecimal():
        return int(word)
    return _MONTH.get(word) or _MONTH_NUMBER[word.replace(" ", "-")]


def _serial(day: date) -> int:
    return day.year * 372 + day.month * 31 + day.day


def _weekday(text: str, match: re.Match[str], said_on: date) -> NamedDate:
    wanted = _WEEKDAY[match["weekday"]]
    which, after = match["which"] or "", match["after"] or ""
    sentence = re.split(r"[.!?。！？]", text[: match.end()])[-1]
    ahead = (wanted - said_on.weekday()) % 7
    back = (said_on.weekday() - wanted) % 7
    past = which in ("last", "letzten", "上") or after in ("pasado", "dernier", "scorso", "passada")
    if not past and (which in ("next", "nächsten", "下") or _AHEAD.search(sentence)):
        return NamedDate((said_on + timedelta(days=ahead or 7)).isoformat(), *match.span())
    return NamedDate((said_on - timedelta(days=back or 7)).isoformat(), *match.span())
