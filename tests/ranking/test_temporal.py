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
