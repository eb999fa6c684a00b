"""Questions that name a time: what is of that time comes first."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from candidate_builder import build

from mem_mcp.ranking import Query, rank

NOW = datetime(2026, 11, 18, 9, tzinfo=UTC)


def seconds(*times: str) -> list[float]:
    return [datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() for time in times]


def first(question: str, texts: list[str], *times: str, zone=UTC) -> int:
    candidates = build(texts, times=seconds(*times))
    return int(rank(Query(question, None, NOW.timestamp(), zone), candidates).order[0])


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("lunch in June 2026", 0),
        ("lunch in June 2025", 1),
        ("lunch last week", 2),
        ("lunch on 12 November", 2),
        ("lunch before 2026", 1),
        ("lunch in juni 2026", 0),
    ],
)
def test_of_like_memories_the_one_of_the_named_time_comes_first(question: str, row: int):
    times = ("2026-06-30T20:00", "2025-06-12", "2026-11-12")
    assert first(question, ["Lunch with Tom", "Lunch with Ann", "Lunch with Bo"], *times) == row


def test_a_date_in_the_text_counts_as_well_as_the_time_it_was_said():
    texts = ["The release is planned for 2027-03-09.", "The release is planned with Ann."]
    assert first("release in March 2027", texts, "2026-11-01", "2026-11-02") == 0


def test_what_was_said_yesterday_is_of_the_day_before():
    texts = ["Fell off the bicycle.", "Fell off the bicycle yesterday."]
    assert first("fell off the bicycle on 7 November", texts, "2026-11-08", "2026-11-08") == 1


def test_a_day_begins_in_the_callers_time_zone():
    texts, times = ["Tea with Ann", "Tea with Bo"], ("2026-11-16T20:00", "2026-11-17T20:00")
    assert first("tea yesterday", texts, *times) == 1
    assert first("tea yesterday", texts, *times, zone=ZoneInfo("Asia/Bangkok")) == 0


def test_a_memory_of_the_named_time_does_not_outdo_one_of_the_named_thing():
    texts = ["The violin was sold for 900 to the school.", "It rained all day in the village."]
    assert first("sold violin school june 2026", texts, "2026-05-30", "2026-06-03") == 0


def test_the_part_is_there_only_where_a_time_is_named():
    candidates = build(["Lunch with Tom"], times=seconds("2026-06-30"))
    parts = rank(Query("lunch in June 2026", None, NOW.timestamp()), candidates).parts
    assert parts["period"][0] > 0
    assert "period" not in rank(Query("lunch", None, NOW.timestamp()), candidates).parts


@pytest.mark.parametrize("now", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Pacific/Auckland"), ZoneInfo("Pacific/Midway")])
def test_the_ends_of_the_calendar_are_times_as_well(now: str, zone):
    candidates = build(
        ["Tea in June", "Tea before 2026"], times=seconds("0001-01-01", "9999-12-31")
    )
    for question in ("tea last week", "tea in June 2026", "tea since 1999", "tea before 2026"):
        ranking = rank(Query(question, None, seconds(now)[0], zone), candidates)
        assert np.isfinite(ranking.score).all()


def test_where_no_word_matches_the_time_alone_decides():
    texts, times = ["Signed it.", "Sent it."], ("2026-11-17T08:00", "2026-08-01")
    for question in ("What did I do yesterday?", "2026-11-17", "ماذا فعلت أمس؟", "昨天"):
        candidates = build(texts, times=seconds(*times))
        for wanted, row in ((question, 0), ("on 1 August 2026", 1)):
            ranking = rank(Query(wanted, None, NOW.timestamp()), candidates)
            assert ranking.order[0] == row
            assert ranking.score[row] > 0
            assert np.allclose(sum(ranking.parts.values()), ranking.score)


def test_times_that_contradict_each_other_are_each_what_may_be_meant():
    times = ("2019-03-05", "2026-11-12", "2024-01-01")
    candidates = build(["lunch"] * 3, times=seconds(*times))
    ranking = rank(Query("lunch last week in March 2019", None, NOW.timestamp()), candidates)
    assert set(ranking.order[:2].tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("question", "texts"),
    [
        (
            "Wann ist die Sitzung?",
            ["Die Sitzung ist am 4. Mai.", "Die Sitzung ist im alten Bad."],
        ),
        ("¿Cuándo es la cena?", ["La cena es a las 20:30.", "La cena es en la terraza grande."]),
        ("Когда встреча?", ["Встреча 12 мая.", "Встреча возле старого моста."]),
        ("会议是什么时候?", ["会议是5月3日。", "会议在二楼大厅。"]),
    ],
)
def test_a_question_for_a_time_in_any_language_prefers_what_names_one(question, texts):
    for order in (texts, texts[::-1]):
        assert order[first(question, order, "2026-11-01", "2026-11-01")] == texts[0]


@pytest.mark.parametrize("question", ["the of and", "?", "42", "5555555555", "…", "🙂"])
def test_a_question_of_nothing_is_no_error(question: str):
    for texts in (["Tea at five."], ["42 is the answer", "the of and", "x"]):
        ranking = rank(Query(question, None, NOW.timestamp()), build(texts))
        assert sorted(ranking.order.tolist()) == [*range(len(texts))]
        assert ((ranking.score >= 0) & (ranking.score <= 1)).all()
