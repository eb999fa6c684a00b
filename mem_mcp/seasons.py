"""Seasons and quarters that a text names, in many languages. Pure."""
# ruff: noqa: RUF001 - letters of other alphabets look like Latin ones

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = 3
_SEASONS = {
    3: r"spring|früh(?:ling|jahr)s?|primavera|printemps|voorjaar|lente|wiosn\w+|весн\w+"
    r"|ilkbahar|mùa xuân|الربيع|春[天季]?|ฤดูใบไม้ผลิ|वसंत",
    6: r"summer|sommers?|verano|été|estate|verão|zomer|lat[oae]m?|лет(?:ом|о|а)|yaz(?:ın)?|mùa hè"
    r"|الصيف|夏[天季]?|ฤดูร้อน|หน้าร้อน|गर्मी|गर्मियों",
    9: r"autumn|fall|herbst(?:es)?|otoño|automne|autunno|outono|herfst|jesie\w+|осен\w+|sonbahar"
    r"|mùa thu|الخريف|秋[天季]?|ฤดูใบไม้ร่วง|शरद",
    12: r"winter|invierno|hiver|inverno|zim[aęy]|zim(?:ie|ą)|зим\w+|kış(?:ın)?|mùa đông|الشتاء"
    r"|冬[天季]?|ฤดูหนาว|หน้าหนาว|सर्दी|सर्दियों",
}
_BEFORE = (
    r"(?P<before>\b(?:last|this|previous|past|letzte[nrsm]?|vergangene[nrsm]?|diese[nrsm]?"
    r"|vorige[nrsm]?|este|cet|quest[ao']|neste|deste|vorige|afgelopen|deze|zeszł\w+|te[jg]o?"
    r"|прошл\w+|эт(?:им|ой|ого)|geçen|bu|पिछली|पिछले)\s?|去年|今年|昨年|\b)"
)
_AFTER = (
    r"(?P<after>\s?(?:pasad[oa]|dernier|dernière|scors[oa]|passad[oa]|الماضي|trước|ที่แล้ว|的时候)?)"
    r",?\s?(?:de |del |of )?(?P<year>(?:19|20)\d\d)?(?!\w)"
)
_NAMED = {month: re.compile(rf"{_BEFORE}(?:{words}){_AFTER}") for month, words in _SEASONS.items()}
_QUARTER = re.compile(
    r"\b(?:(?P<year>(?:19|20)\d\d)[ -]?)?q(?P<n>[1-4])(?:[ /-]?(?P<then>(?:19|20)\d\d))?\b"
)


@dataclass(frozen=True, slots=True)
class YearPart:
    """Three months of a year."""

    month: int
    """The first of them."""
    year: int | None
    """Of its first month; None where it is not named."""


def year_parts_in(text: str) -> list[YearPart]:
    """Return the seasons of the northern half of the earth, and the quarters, that a text names.

    A season is a time where "last", "this" or a year stands beside it; without, as in "the course
    in spring", it may be that of any year.

    Args:
        text: in lower case.
    """
    parts = [
        YearPart(month, int(match["year"]) if match["year"] else None)
        for month, pattern in _NAMED.items()
        for match in pattern.finditer(text)
        if match["before"].strip() or match["after"].strip() or match["year"]
    ]
    for match in _QUARTER.finditer(text):
        year = match["year"] or match["then"]
        parts.append(YearPart(_MONTHS * int(match["n"]) - 2, int(year) if year else None))
    return parts
