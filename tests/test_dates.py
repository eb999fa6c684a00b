"""The dates that a text names, and the times that a question asks for, in many languages."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem_mcp.date_words import MONTHS, SPANS
from mem_mcp.dates import dates_in, periods_in


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
        ("التقيت به قبل يومين", "2026-09-15", ["2026-09-13"]),
        ("قبل ثلاثة أيام", "2026-09-15", ["2026-09-12"]),
        ("منذ شهرين", "2026-09-15", ["2026-07"]),
        ("दो दिन पहले", "2026-09-15", ["2026-09-13"]),
        ("o que fiz na terça?", "2026-09-17", ["2026-09-15"]),
        ("a terça parte do bolo", "2026-09-17", []),
        ("dois dias atrás", "2026-09-17", ["2026-09-15"]),
        ("jeden dzień temu", "2026-09-17", ["2026-09-16"]),
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


def asked(question: str) -> list[str]:
    """The times that a question names on a Wednesday, the best ones first."""
    periods = sorted(periods_in(question, date(2026, 11, 18)), key=lambda period: -period.fit)
    return [f"{period.first}..{period.last}" for period in periods]


@pytest.mark.parametrize(
    ("question", "period"),
    [
        ("What did we decide in June 2026?", "2026-06-01..2026-06-30"),
        ("the invoice of 2026-02", "2026-02-01..2026-02-28"),
        ("who called on 3 May", "2026-05-03..2026-05-03"),
        ("and in 2024?", "2024-01-01..2024-12-31"),
        ("dinner last week", "2026-11-08..2026-11-15"),
        ("commits of the last 3 weeks", "2026-10-28..2026-11-18"),
        ("since March", "2026-03-01..2026-11-18"),
        ("what holds from May 2027 on, after June 2027", "2027-06-01..2027-06-30"),
        ("before 2020", "0001-01-01..2019-12-31"),
        ("between March and May 2026", "2026-03-01..2026-05-31"),
        ("from 3 May 2025 to 9 June 2025", "2025-05-03..2025-06-09"),
        ("was habe ich vorgestern gekauft", "2026-11-16..2026-11-16"),
        ("seit Oktober", "2026-10-01..2026-11-18"),
        ("¿qué pasó el mes pasado?", "2026-10-01..2026-10-31"),
        ("depuis mai 2026", "2026-05-01..2026-11-18"),
        ("a settembre 2025", "2025-09-01..2025-09-30"),
        ("w zeszłym roku", "2025-01-01..2025-12-31"),
        ("что я делал в июне 2026", "2026-06-01..2026-06-30"),
        ("τον περασμένο μήνα", "2026-10-01..2026-10-31"),
        ("geçen hafta neler oldu", "2026-11-08..2026-11-15"),
        ("tháng 6 năm 2026", "2026-06-01..2026-06-30"),
        ("bulan lalu", "2026-10-01..2026-10-31"),
        ("ماذا فعلت في يونيو 2026؟", "2026-06-01..2026-06-30"),
        ("पिछले महीने क्या किया", "2026-10-01..2026-10-31"),
        ("เมื่อวานกินอะไร", "2026-11-17..2026-11-17"),
        ("วันที่ 3 พฤษภาคม 2569", "2026-05-03..2026-05-03"),
        ("昨天和谁打羽毛球?", "2026-11-17..2026-11-17"),
        ("2025年3月に何をした", "2025-03-01..2025-03-31"),
        ("지난달에 뭐 샀어", "2026-10-01..2026-10-31"),
    ],
)
def test_a_question_asks_for_the_time_that_it_names(question: str, period: str):
    assert period in asked(question)


@pytest.mark.parametrize(
    ("question", "period"),
    [
        ("What did I do yesterday?", "2026-11-17..2026-11-17"),
        ("and what did we do last month", "2026-10-01..2026-10-31"),
        ("war sie da gestern", "2026-11-17..2026-11-17"),
        ("o que fiz na semana passada", "2026-11-08..2026-11-15"),
    ],
)
def test_a_word_before_a_time_that_another_language_has_for_until_or_since_means_neither(
    question: str, period: str
):
    assert asked(question) == [period]


def test_a_month_without_a_year_may_be_of_another_year_but_the_nearest_fits_best():
    august, before, after = periods_in("dinner in August", date(2026, 11, 18))
    assert (august.first, august.fit) == (date(2026, 8, 1), 1.0)
    assert (before.first.year, after.first.year) == (2025, 2027)
    assert before.fit == after.fit < 1


def test_a_week_within_another_year_is_either():
    assert asked("last week in March 2019") == ["2019-03-01..2019-03-31", "2026-11-08..2026-11-15"]


@pytest.mark.parametrize(
    "question",
    ["which may I take?", "I march on", "error 2500 at 10:30", "", "the weekly review", "marsh"],
)
def test_a_question_without_a_time_asks_for_none(question: str):
    assert not asked(question)


@given(st.text(max_size=60), st.dates())
def test_any_text_on_any_day_is_read(text: str, day: date):
    for named in dates_in(text, day):
        assert 0 <= named.start < named.end <= len(text)
    for period in periods_in(text, day):
        assert period.first <= period.last


_PIECES = st.sampled_from(
    [
        *"0123456789 -/.年月日",
        *" ".join(MONTHS).split(),
        *(phrase for row in SPANS.values() for phrase in row.split("|")),
        *("since", "until", "ago", "from", "to", "vor", "hace", "เดือน", "ที่แล้ว"),
    ]
)


@given(st.lists(_PIECES, max_size=8).map(" ".join), st.dates())
def test_words_for_times_in_any_order_name_days_of_the_calendar(text: str, day: date):
    for period in periods_in(text, day):
        assert period.first <= period.last
        assert 0 < period.fit <= 1


@pytest.mark.parametrize(
    ("question", "periods"),
    [
        ("what happened last summer", ["2026-06-01/2026-08-31"]),
        ("im Sommer 2025", ["2025-06-01/2025-08-31"]),
        ("in the winter of 2024", ["2024-12-01/2025-02-28"]),
        ("el verano pasado", ["2026-06-01/2026-08-31"]),
        ("l'été dernier", ["2026-06-01/2026-08-31"]),
        ("去年夏天", ["2025-06-01/2025-08-31"]),
        ("الصيف الماضي", ["2026-06-01/2026-08-31"]),
        ("der Kurs im Frühjahr", []),
        ("прошлой осенью", ["2026-09-01/2026-11-30"]),
        ("revenue in Q3", ["2026-07-01/2026-09-30"]),
        ("2025-Q4", ["2025-10-01/2025-12-31"]),
        ("2026/05/03", ["2026-05-03/2026-05-03"]),
        ("a été mangé", []),
        ("the fall of Rome", []),
        ("the spring of the door", []),
        ("Anna Sommer, 春节", []),
    ],
)
def test_a_season_and_a_quarter_are_times(question: str, periods: list[str]):
    found = periods_in(question, date(2026, 11, 16))
    assert [f"{each.first}/{each.last}" for each in found] == periods
