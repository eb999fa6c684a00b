"""Points in time: what is read as which moment, what is refused, and how a moment is shown."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mem_mcp import times
from mem_mcp.errors import ConfigError, InvalidInput
from mem_mcp.times import (
    clock_held_at,
    is_day,
    local_zone,
    optional_time,
    parse_time,
    show_time,
    utc_now,
)

FAST = hypothesis_settings(deadline=None, max_examples=60)
BERLIN, NEW_YORK, KOLKATA = map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Asia/Kolkata"))
TICK = timedelta(microseconds=1)
HELP = "is not a time; write a date like 2026-01-31, or a time like 2026-01-31T12:00:00Z"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


class Undecided(tzinfo):
    def utcoffset(self, _: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (" 2026-01-31T12:00:00Z\n", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00 Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31  12:00 UTC", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00GMT", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00:00+00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00 +01:00", datetime(2026, 1, 31, 11, tzinfo=UTC)),
        ("2026-01-31T12:00:00+01:00", datetime(2026, 1, 31, 11, tzinfo=UTC)),
        ("2026-01-31T12:00:00+0100", datetime(2026, 1, 31, 11, tzinfo=UTC)),
        ("2026-01-31T12:00:00+01", datetime(2026, 1, 31, 11, tzinfo=UTC)),
        ("2026-01-31T12:00:00-05:30", datetime(2026, 1, 31, 17, 30, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5Z", datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("20260131T120000Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-W05-6T12:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_with_its_zone_is_read_in_utc_whatever_the_zone_of_the_reader(
    given: str, meant: datetime
):
    for zone in (UTC, BERLIN, NEW_YORK):
        read = parse_time(given, "since", zone, "end")
        assert read == meant
        assert read.utcoffset() == timedelta(0)
        assert optional_time(given, "since", zone) == meant


@FAST
@given(st.datetimes(timezones=st.timezones()))
def test_an_aware_time_is_the_same_moment_or_refused(moment: datetime):
    try:
        read = parse_time(moment, "since")
    except InvalidInput:
        assert moment.year in (1, 9999)
    else:
        assert read.timestamp() == moment.timestamp()
        assert read.tzinfo is UTC
        assert parse_time(read.isoformat(), "since") == read


@pytest.mark.parametrize(
    "given",
    [
        "2026-07-01T12:00:00",
        "2026-07-01 12:00",
        "2026-07-01T12",
        "20260701T1200",
        datetime(2026, 7, 1, 12),  # noqa: DTZ001 - naive on purpose
        datetime(2026, 7, 1, 12, tzinfo=Undecided()),
    ],
)
@pytest.mark.parametrize(
    ("zone", "hour"), [(UTC, 12), (BERLIN, 10), (NEW_YORK, 16), (timezone(timedelta(hours=3)), 9)]
)
def test_a_time_without_a_zone_is_read_in_the_zone_of_the_reader(
    given: Any, zone: tzinfo, hour: int
):
    assert parse_time(given, "since", zone) == datetime(2026, 7, 1, hour, tzinfo=UTC)


def test_a_zone_has_the_offset_of_the_date_that_is_read():
    assert parse_time("2026-01-31 12:00", "since", BERLIN).hour == 11
    assert parse_time("2026-07-31 12:00", "since", BERLIN).hour == 10


def test_of_an_hour_that_comes_twice_the_first_is_meant_unless_a_datetime_says_the_second():
    # At 03:00 on 25 October 2026 the clocks of Berlin go back to 02:00.
    assert parse_time("2026-10-25 02:30", "since", BERLIN) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    second = datetime(2026, 10, 25, 2, 30, fold=1)  # noqa: DTZ001 - naive on purpose
    assert parse_time(second, "since", BERLIN) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_an_hour_that_is_skipped_is_read_as_if_the_clocks_had_not_gone_on_yet():
    # At 02:00 on 29 March 2026 the clocks of Berlin go on to 03:00.
    read = parse_time("2026-03-29 02:30", "since", BERLIN)
    assert read == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert show_time(read, BERLIN) == "2026-03-29 03:30 +02:00"


# Dates.

DATES: list[Any] = ["2026-01-31", " 20260131 ", "2026-W05-6", "2026w056", date(2026, 1, 31)]


@pytest.mark.parametrize("given", DATES)
def test_a_date_alone_is_its_first_or_its_last_moment(given: Any):
    assert parse_time(given, "since") == datetime(2026, 1, 31, tzinfo=UTC)
    assert parse_time(given, "occurred_at", UTC, "day") == datetime(2026, 1, 31, tzinfo=UTC)
    assert parse_time(given, "until", UTC, "end") == datetime(2026, 2, 1, tzinfo=UTC) - TICK
    assert parse_time(given, "since", BERLIN) == datetime(2026, 1, 30, 23, tzinfo=UTC)
    assert parse_time(given, "until", BERLIN, "end") == datetime(2026, 1, 31, 23, tzinfo=UTC) - TICK


@pytest.mark.parametrize("given", DATES)
def test_a_date_alone_is_known_as_a_day(given: Any):
    assert is_day(given)


@pytest.mark.parametrize(
    "given", ["2026-01-31T00:00Z", "2026-01-31 00:00", datetime(2026, 1, 31, tzinfo=UTC), "x", 5]
)
def test_what_has_a_time_or_is_none_is_no_day(given: Any):
    assert not is_day(given)


@FAST
@given(st.dates(), st.sampled_from([UTC, BERLIN, NEW_YORK, KOLKATA]))
def test_a_day_ends_where_the_next_one_starts_also_when_clocks_change(day: date, zone: tzinfo):
    end = parse_time(day, "until", zone, "end")
    assert end.astimezone(UTC) > parse_time(day, "since", zone)
    if day < date.max - timedelta(days=1):
        assert end + TICK == parse_time(day + timedelta(days=1), "since", zone)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2018-11-04", "America/Sao_Paulo", 23),  # midnight is skipped
        ("2018-02-17", "America/Sao_Paulo", 25),  # 23:00 comes twice
        ("2025-11-02", "America/Havana", 25),  # midnight comes twice
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(day: str, zone: str, hours: int):
    start = parse_time(day, "since", ZoneInfo(zone))
    end = parse_time(day, "until", ZoneInfo(zone), "end")
    assert end + TICK - start == timedelta(hours=hours)


@pytest.mark.parametrize("zone", [UTC, BERLIN, NEW_YORK])
def test_the_first_and_the_last_day_are_cut_where_utc_can_write_no_more(zone: tzinfo):
    assert parse_time("0001-01-01", "since", zone).year == 1
    assert parse_time("9999-12-31", "until", zone, "end") == datetime.max.replace(tzinfo=UTC)
    assert parse_time("9999-12-31", "expires_at", zone).year == 9999


# What is refused.

NO_TIMES = [
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-13-01",
    "2026-02-30",
    "2026-01-31T25:00:00Z",
    "2026-01-31T12:61:00Z",
    "2026-01-31T12:00:00+25:00",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "yesterday",
    "now",
    "2 days ago",
    "31/01/2026",
    "01/31/2026",
    "31.01.2026",
    "Jan 31",
    "Jan 31, 2026",
    "Sat, 31 Jan 2026 12:00:00 GMT",
    "2026",
    "2026-01",
    "2026-W05",  # a week
    "2026W05",
    "26-01-31",
    "2026-01-31+01:00",  # 1 in the morning, or a day in another zone?
    "2026-01-31 -05:00",
    "2026-01-31Z",
    "2026-01-31T",
    "2026-01-31 12:00 PM",
    "2026-01-31 12:00 CET",
    "1769860800",
    "2026013112",
    "T12:00:00Z",
    "12:00",
    "Z",
    " ",
    "null",
    "\x00",
    "\u0662\u0660\u0662\u0666-01-31",  # digits of another script
    "' OR '1'='1",
]


@pytest.mark.parametrize("impossible", NO_TIMES)
@pytest.mark.parametrize("day", ["start", "end", "day"])
def test_what_is_no_time_is_refused_in_one_sentence(impossible: str, day: Any):
    with pytest.raises(InvalidInput) as caught:
        parse_time(impossible, "until", BERLIN, day)
    assert str(caught.value) == f"until: {impossible!r} {HELP}"
    assert caught.value.argument == "until"


@pytest.mark.parametrize(
    "beyond",
    [
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
    ],
)
def test_a_time_that_utc_cannot_write_is_refused(beyond: Any):
    with pytest.raises(InvalidInput, match="as_of"):
        parse_time(beyond, "as_of")


@pytest.mark.parametrize(
    ("beyond", "zone"),
    [("0001-01-01 00:00", BERLIN), (datetime.max, NEW_YORK)],  # noqa: DTZ901
)
def test_a_time_that_utc_cannot_write_in_the_zone_of_the_reader_is_refused(
    beyond: Any, zone: tzinfo
):
    with pytest.raises(InvalidInput, match=HELP):
        parse_time(beyond, "as_of", zone)


@pytest.mark.parametrize("value", [5, 1_769_860_800, 2.5, True, ["2026"], {"a": 1}, b"2026"])
def test_what_is_neither_text_nor_time_is_refused(value: Any):
    for read in (parse_time, optional_time):
        with pytest.raises(InvalidInput, match="since"):
            read(value, "since")


def test_a_long_text_is_not_repeated_whole():
    with pytest.raises(InvalidInput) as caught:
        parse_time("x" * 10_000, "since")
    assert len(str(caught.value)) < 200


@FAST
@given(json_values, st.sampled_from([UTC, BERLIN, NEW_YORK]), st.sampled_from(["start", "end"]))
def test_any_value_is_a_time_or_refused(value: Any, zone: tzinfo, day: Any):
    with suppress(InvalidInput):
        assert parse_time(value, "since", zone, day).tzinfo is UTC


@FAST
@given(
    st.from_regex(r"\A\s?\d{4}-\d\d-\d\d([tT ]\d\d(:\d\d(:\d\d(\.\d+)?)?)? ?(z|[+-]\d\d:\d\d)?)?")
)
def test_what_looks_like_a_time_is_one_or_refused(text: str):
    for zone in (UTC, BERLIN, NEW_YORK):
        with suppress(InvalidInput):
            assert parse_time(text, "since", zone).tzinfo is UTC


def test_a_time_may_be_absent():
    assert optional_time(None, "since") is None
    assert optional_time("", "since") is None


def test_now_is_aware_and_in_utc():
    assert utc_now().utcoffset() == timedelta(0)


# Shown.


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (UTC, "2026-01-31 12:00 +00:00"),
        (BERLIN, "2026-01-31 13:00 +01:00"),
        (NEW_YORK, "2026-01-31 07:00 -05:00"),
        (KOLKATA, "2026-01-31 17:30 +05:30"),
    ],
)
def test_a_moment_is_shown_by_the_clock_of_the_reader(zone: tzinfo, shown: str):
    moment = datetime(2026, 1, 31, 12, 0, 59, 999_999, tzinfo=UTC)
    assert show_time(moment, zone) == shown
    assert show_time(moment, zone, day=True) == "2026-01-31"


def test_a_day_is_shown_by_the_calendar_of_the_reader():
    moment = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    assert show_time(moment, BERLIN, day=True) == "2026-02-01"


@FAST
@given(st.datetimes(timezones=st.just(UTC)), st.timezones())
def test_what_is_shown_can_be_given_back(moment: datetime, zone: tzinfo):
    try:
        read = parse_time(show_time(moment, zone), "since")
    except InvalidInput:
        # Cut to the minute, an early offset with seconds may reach before the first year.
        assert moment.year in (1, 9999)
    else:
        assert timedelta(0) <= moment - read < timedelta(minutes=1)
    assert is_day(show_time(moment, zone, day=True))


# Zones.


@pytest.fixture
def tz() -> Iterator[Any]:
    """Set TZ as a shell does."""
    before = os.environ.get("TZ")

    def put(value: str | None) -> None:
        os.environ.pop("TZ", None)
        if value is not None:
            os.environ["TZ"] = value
        time.tzset()

    yield put
    put(before)


@pytest.mark.parametrize("name", ["Europe/Berlin", " europe/berlin ", "EUROPE/BERLIN"])
def test_a_zone_is_known_by_its_iana_name_in_any_case(name: str):
    assert local_zone(name) == BERLIN


@pytest.mark.parametrize("name", ["UTC", "utc", "Etc/UTC", "EST5EDT", "America/New York"])
def test_other_names_of_zones_are_taken(name: str):
    assert local_zone(name).utcoffset(datetime(2026, 1, 1)) is not None  # noqa: DTZ001


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Europe/Berln", "did you mean Europe/Berlin"),
        ("Berlin", "did you mean Europe/Berlin"),
        ("new york", "did you mean America/New_York"),
        ("Mars/Olympus", "'Mars/Olympus' is not a time zone; write"),
        ("America", "is not a time zone"),
        ("../../etc/passwd", "is not a time zone"),
        ("/etc/localtime", "is not a time zone"),
        ("+01:00", "is not a time zone"),
        ("CET-1CEST", "is not a time zone"),
        ("\x00", "is not a time zone"),
        ("\ud800", "is not a time zone"),
        ("x" * 5_000, "is not a time zone"),
    ],
)
def test_an_unknown_zone_is_refused_with_what_is_allowed(name: str, near: str):
    with pytest.raises(ConfigError) as caught:
        local_zone(name)
    assert str(caught.value).startswith("time_zone: ")
    assert near in str(caught.value)
    assert "IANA name such as Europe/Berlin" in str(caught.value)


def test_no_zone_is_offered_whose_sign_means_the_opposite():
    with pytest.raises(ConfigError) as caught:
        local_zone("GMT+01")
    assert "Etc/" not in str(caught.value)


@pytest.mark.parametrize("value", ["Europe/Berlin", ":Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"])
def test_the_zone_of_the_machine_is_that_of_tz_with_its_summer_time(tz: Any, value: str):
    tz(value)
    zone = local_zone("")
    assert parse_time("2026-01-31 12:00", "since", zone).hour == 11
    assert parse_time("2026-07-31 12:00", "since", zone).hour == 10
    assert parse_time("2026-10-25 02:30", "since", zone).hour == 0
    for month, offset in ((1, "+01:00"), (7, "+02:00")):
        assert show_time(datetime(2026, month, 1, tzinfo=UTC), zone).endswith(offset)
    for hour in (0, 1):
        moment = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        assert show_time(moment, zone) == show_time(moment, BERLIN)


def test_the_zone_of_the_machine_is_that_of_the_file_in_tz(tz: Any, tmp_path: Path):
    file = Path("/usr/share/zoneinfo/Europe/Berlin")
    if not file.exists():
        pytest.skip("no files of zones on this machine")
    copy = tmp_path / "zone"
    copy.write_bytes(file.read_bytes())
    for path in (file, copy):
        tz(str(path))
        assert parse_time("2026-07-31 12:00", "since", local_zone()).hour == 10


def test_without_tz_the_zone_of_the_machine_is_that_of_its_file(
    tz: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tz(None)
    file = Path("/usr/share/zoneinfo/America/New_York")
    if not file.exists():
        pytest.skip("no files of zones on this machine")
    link = tmp_path / "localtime"
    link.symlink_to(file)
    monkeypatch.setattr(times, "_LOCALTIME", link)
    assert str(local_zone()) == "America/New_York"
    assert parse_time("2026-07-31 12:00", "since", local_zone()).hour == 16


def test_a_machine_that_names_no_zone_is_asked_date_by_date(
    tz: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tz("EST5EDT,M3.2.0,M11.1.0")
    monkeypatch.setattr(times, "_LOCALTIME", tmp_path / "missing")
    del os.environ["TZ"]  # the C library keeps what it read; the fixture puts back what was
    assert parse_time("2026-07-31 12:00", "since", local_zone()).hour == 16
    assert parse_time("2026-01-31 12:00", "since", local_zone()).hour == 17


@pytest.mark.parametrize("value", ["", "Nowhere/Here", "\t"])
def test_a_tz_that_names_no_zone_is_no_error(tz: Any, value: str):
    tz(value)
    assert show_time(datetime(2026, 7, 1, 12, tzinfo=UTC), local_zone()).endswith("+00:00")


@FAST
@given(st.datetimes(timezones=st.just(UTC)))
def test_the_zone_of_the_c_library_never_fails(moment: datetime):
    zone = times._SystemZone()
    assert show_time(moment, zone)
    assert parse_time(moment.replace(tzinfo=None).isoformat(), "since", zone)


def test_every_zone_there_is_can_be_named():
    for name in sorted(available_timezones())[::50]:
        assert str(local_zone(name.lower())).casefold() == name.casefold()


def test_a_clock_that_is_held_goes_on_afterwards():
    noon = datetime(2026, 3, 1, 12, tzinfo=BERLIN)
    with clock_held_at(noon):
        assert utc_now() == noon
        assert utc_now().tzinfo is UTC
    assert utc_now() != noon
