"""Find the numbers that a text names, in digits and in words. Pure.

Words of English, German, Spanish, French, Italian, Portuguese, Russian, Arabic, Thai and Chinese
count; "one" and its like do not, which are mostly articles.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mem_mcp.extraction.quotes import comparable

_ONES = """
0 zero cero zéro 零 \u3007 ноль ศูนย์ صفر
1 一 หนึ่ง
2 two zwei dos deux due dois duas 两 二 два две двух สอง اثنان اثنين اثنتان اثنتين
3 three drei tres trois tre três 三 три трёх трех สาม ثلاث ثلاثة
4 four vier cuatro quatre quattro quatro 四 четыре четырёх четырех สี่ أربع أربعة
5 five fünf cinco cinq cinque 五 пять пяти ห้า خمس خمسة
6 six sechs seis sei 六 шесть шести หก ست ستة
7 seven sieben siete sept sette sete 七 семь семи เจ็ด سبع سبعة
8 eight acht ocho huit otto oito 八 восемь восьми แปด ثمان ثماني ثمانية
9 nine neun nueve neuf nove 九 девять девяти เก้า تسع تسعة
10 ten zehn diez dix dieci dez десять десяти عشر عشرة
11 eleven elf once onze undici одиннадцать
12 twelve zwölf doce douze dodici doze двенадцать
13 thirteen dreizehn trece treize tredici treze
14 fourteen vierzehn catorce quatorze quattordici
15 fifteen fünfzehn quince quinze quindici пятнадцать
16 sixteen sechzehn dieciséis seize sedici dezesseis
17 seventeen siebzehn diecisiete diciassette dezessete
18 eighteen achtzehn dieciocho diciotto dezoito
19 nineteen neunzehn diecinueve diciannove dezenove
20 twenty zwanzig veinte vingt venti vinte двадцать عشرون عشرين ยี่สิบ
30 thirty dreißig treinta trente trenta trinta тридцать ثلاثون ثلاثين
40 forty vierzig cuarenta quarante quaranta quarenta сорок أربعون أربعين
50 fifty fünfzig cincuenta cinquante cinquanta cinquenta пятьдесят خمسون خمسين
60 sixty sechzig sesenta soixante sessanta sessenta шестьдесят ستون ستين
70 seventy siebzig setenta septante settanta семьдесят سبعون سبعين
80 eighty achtzig ochenta huitante ottanta oitenta восемьдесят ثمانون ثمانين
90 ninety neunzig noventa nonante novanta девяносто تسعون تسعين
"""
_TIMES = """
10 十 สิบ
100 hundred hundert cien ciento cent cento cem 百 сто ร้อย مئة مائة
1000 thousand tausend mil mille k 千 тысяч тысячи тысяча พัน ألف آلاف
10000 万 หมื่น
100000 แสน
1000000 million millionen millón millones milhão milhões milione milioni миллион ล้าน مليون
"""


def _table(lines: str) -> dict[str, int]:
    rows = (line.split() for line in lines.strip().splitlines())
    return {comparable(word): int(number) for number, *words in rows for word in words}


_VALUE, _FACTOR = _table(_ONES), _table(_TIMES)
_AMBIGUOUS = frozenset({"once", "onze", "elf", "sei", "sept", "neuf", "due", "k"})
"""Words that are numbers in one language, and mostly something else in another."""
_UNSPACED = re.compile("[\u0e00-\u0eff\u3400-\u9fff\u3007]")


def _either(words: Sequence[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_EVERY = [*_VALUE, *_FACTOR]
_SPACED = _either([word for word in _EVERY if not _UNSPACED.match(word)])
_CHINESE = _either([word for word in _EVERY if re.match("[\u3400-\u9fff\u3007]", word)])
_THAI = _either([word for word in _EVERY if re.match("[\u0e00-\u0eff]", word)])
_GERMAN_ONES = "ein|zwei|drei|vier|fünf|sechs|sieben|acht|neun"
_NUMBER = re.compile(
    rf"(?P<digits>\d+(?:[.,:'\u066b\u066c]\d+)*)(?:\s?(?P<times>{_either([*_FACTOR])})(?!\w))?"
    rf"|\b(?P<ones>{_GERMAN_ONES})und(?P<tens>\w+zig|dreissig)\b"
    rf"|\b(?:ال)?(?P<spaced>(?:{_SPACED})(?:(?:\s|-|\s(?:and|y|e|et|и|و)\s?)(?:{_SPACED}))*)\b"
    rf"|(?P<chinese>(?:{_CHINESE})+)"
    # Husband, forbid, chair, and others that only begin like a number.
    rf"|(?P<thai>(?:(?!สามี|ห้าม(?![ื้])|เก้าอี้|หกล้ม)(?:{_THAI}))+)"
)
_WORD = re.compile(_either(_EVERY))
_GROUPED = re.compile(r"\d{1,3}(?:[.,'\u066c]\d{3})+")
_LEAST_SHORT = 100


@dataclass(frozen=True, slots=True)
class NamedNumber:
    """A number in a text."""

    readings: frozenset[str]
    """What it may be: "1,150" is 1150 or 1.15."""
    parts: frozenset[str]
    """The numbers in it: 7 and 45 of 7:45."""
    is_sure: bool
    """Whether it can hardly be another word."""
    start: int
    end: int


@lru_cache(maxsize=256)
def numbers_in(text: str) -> tuple[NamedNumber, ...]:
    """Return the numbers that a text names, in order.

    Args:
        text: as `comparable` returns it.
    """
    return (*_found(text),)


def _found(text: str) -> Iterator[NamedNumber]:
    for match in _NUMBER.finditer(text):
        is_sure, parts = True, set[str]()
        if digits := match["digits"]:
            readings, parts = _of_digits(digits)
            if times := match["times"]:
                parts |= readings
                readings = {
                    f"{float(each) * _FACTOR[times]:.0f}"
                    for each in readings
                    if re.fullmatch(r"[\d.]+", each) and each.count(".") <= 1
                }
        elif tens := match["tens"]:
            readings = {str(_VALUE.get(match["ones"], 1) + _VALUE.get(tens, 0))}
        else:
            named = _WORD.findall(match["spaced"] or match["chinese"] or match["thai"])
            readings = {str(_of_words(named))}
            is_sure = not (len(named) == 1 and named[0] in _AMBIGUOUS | {"一", "หนึ่ง", "千", "万"})
        yield NamedNumber(frozenset(readings), frozenset(parts), is_sure, *match.span())


def _of_digits(digits: str) -> tuple[set[str], set[str]]:
    plain = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in digits)
    parts = [part.lstrip("0") or "0" for part in re.split(r"\D", plain)]
    if ":" in plain:
        return {":".join(parts)}, {*parts}
    readings = {re.sub(r"\D", ".", plain).lstrip("0") or "0"}
    if _GROUPED.fullmatch(plain):
        readings.add(re.sub(r"\D", "", plain).lstrip("0") or "0")
    return readings, {*parts}


def _of_words(named: Sequence[str]) -> int:
    """Return the value of a number in words, such as "three hundred and five"."""
    total = section = digit = 0
    for place, word in enumerate(named):
        if word in _VALUE:
            digit += _VALUE[word]
            before = _FACTOR.get(named[place - 1], 0) if place else 0
            if place == len(named) - 1 and before >= _LEAST_SHORT and _UNSPACED.match(word):
                digit *= before // 10  # 一万八 is 18,000
        elif (factor := _FACTOR[word]) < 1_000:  # noqa: PLR2004
            section += max(digit, 1) * factor
            digit = 0
        else:
            total += max(section + digit, 1) * factor
            section = digit = 0
    return total + section + digit
