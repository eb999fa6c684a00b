"""The dates that a text names, in seven languages."""

from __future__ import annotations

from datetime import date

import pytest

from mem_mcp.dates import dates_in


@pytest.mark.parametrize(
    ("text", "said_on", "iso"),
    [
        ("We picked up the keys the day before yesterday.", "2026-03-01", ["2026-02-27"]),
        ("Signed the lease yesterday.", "2026-04-10", ["2026-04-09"]),
        ("until the holidays begin there on 10 July.", "2026-02-02", ["2026-07-10"]),
        ("The twins were born last Friday!", "2026-08-04", ["2026-07-31"]),
        ("I started at Halden Optics on Monday.", "2026-06-03", ["2026-06-01"]),
        ("Had the knee surgery on Tuesday, all went well.", "2026-03-20", ["2026-03-17"]),
        ("I will fly on Monday.", "2026-03-20", ["2026-03-23"]),
        ("We sold it last weekend", "2026-09-15", ["2026-09-12"]),
        ("Left Lyon in August.", "2026-10-05", ["2026-08"]),
        ("I gave up being vegan in January", "2026-02-20", ["2026-01"]),
        ("the 15th of July, I misread it", "2026-06-20", ["2026-07-15"]),
        ("Ich bin im März nach Jena gezogen", "2026-05-14", ["2026-03"]),
        ("se casa el 12 de septiembre en Cádiz", "2026-06-18", ["2026-09-12"]),
        ("desde la lesión de abril solo nado", "2026-07-22", ["2026-04"]),
        ("上个月我从银行辞职了", "2026-09-10", ["2026-08"]),
        ("我昨天到的", "2026-09-10", ["2026-09-09"]),
        ("2024年8月12日", "2026-09-10", ["2024-08-12"]),
        ("vor drei Tagen", "2026-09-10", ["2026-09-07"]),
        ("il y a deux semaines", "2026-09-15", ["2026-09-01"]),
        ("hace un mes", "2026-09-15", ["2026-08"]),
        ("I started in May 2024 and left on 2025-03-01", "2026-01-01", ["2024-05", "2025-03-01"]),
        ("I may march in 2019", "2026-01-01", ["2019"]),
        ("It costs 2000.50 and the room is 2:30", "2026-01-01", []),
        ("on 31 February", "2026-01-01", ["2026-02"]),
    ],
)
def test_a_date_is_reckoned_from_the_day_it_was_said(text: str, said_on: str, iso: list[str]):
    assert [named.iso for named in dates_in(text, date.fromisoformat(said_on))] == iso


def test_without_a_day_only_full_dates_are_known():
    text = "yesterday, in May 2024, on 3 July, on Monday"
    assert [named.iso for named in dates_in(text, None)] == ["2024-05"]
