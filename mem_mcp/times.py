"""Points in time: read from what callers write, kept in UTC, shown in a time zone."""

from __future__ import annotations

import difflib
import os
import re
import time
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Literal

from mem_mcp.errors import ConfigError, InvalidInput, quoted

Day = Literal["start", "end", "day"]
"""What a date without a time means: its first moment, its last one, or the day as such."""

_DATE = r"\d{4}-\d\d-\d\d|\d{8}|\d{4}-W\d\d-\d|\d{4}W\d{3}"
_WRITTEN = re.compile(rf"(?:{_DATE})(?P<time>[T ]\d.*)?", re.ASCII)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_TICK = timedelta(microseconds=1)
NEVER = _LAST
"""An end that never comes: what takes the end of a memory off."""
_MOST_SHOWN = 60
_LOCALTIME = Path("/etc/localtime")
_held: ContextVar[datetime | None] = ContextVar("held", default=None)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return _held.get() or datetime.now(UTC)


@contextmanager
def clock_held_at(moment: datetime) -> Iterator[None]:
    """Make `utc_now` return one moment inside the block, and in the tasks that it starts.

    For evaluations whose questions are about "yesterday" or "last week".

    Args:
        moment: the moment, with a time zone.
    """
    token = _held.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _held.reset(token)


def parse_time(value: object, argument: str, zone: tzinfo = UTC, day: Day = "start") -> datetime:
    """Read a point in time.

    Args:
        value: a text in ISO 8601 or RFC 3339, also with a space for the "T", before the zone or
            around it all, in lower case, or with "UTC" for the zone; or a datetime or a date.
        argument: what to name in an error.
        zone: where a time without a zone is read. An hour that the clocks show twice is the first
            of the two; one that they skip is read with the offset from before they skip it.
        day: what a date alone means; "day" is read as "start" is. The end of a day is its last
            microsecond.

    Returns:
        The moment in UTC.

    Raises:
        InvalidInput: not a time, no such time, or in UTC outside the years 1 to 9999.
    """
    try:
        read = _read(value)
        if isinstance(read, datetime):
            return _in_utc(read, zone)
        return _edge(read, zone, last=day == "end")
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            argument,
            f"{quoted(value, _MOST_SHOWN)} is not a time; write a date like 2026-01-31, "
            "or a time like 2026-01-31T12:00:00Z",
        ) from error


def parse_end(value: object, argument: str, zone: tzinfo = UTC) -> datetime:
    """Read when something ends, as `parse_time` does; the word "never", in any case, is NEVER."""
    if isinstance(value, str) and value.strip().lower() == "never":
        return NEVER
    try:
        return parse_time(value, argument, zone)
    except InvalidInput as error:
        raise InvalidInput(argument, f'{error.problem}, or "never" for no end') from error


def optional_time(
    value: object, argument: str, zone: tzinfo = UTC, day: Day = "start"
) -> datetime | None:
    """Read a point in time, as `parse_time` does, that may be absent ("" or None)."""
    return None if value is None or value == "" else parse_time(value, argument, zone, day)


def is_day(value: object) -> bool:
    """Whether a value that `parse_time` reads is a date without a time."""
    try:
        return not isinstance(_read(value), datetime)
    except ValueError:
        return False


def show_time(moment: datetime, zone: tzinfo, *, day: bool = False) -> str:
    """Write a moment for a reader in a time zone, in a form that `parse_time` reads.

    Args:
        moment: an aware time.
        zone: the time zone of the reader.
        day: whether to write its date alone.

    Returns:
        A text such as "2026-01-31 13:00 +01:00"; its seconds are left out.
    """
    try:
        local = moment.astimezone(zone)
    except OverflowError:
        # Within a day of the first or the last that can be written.
        local = moment
    if day:
        return local.date().isoformat()
    written = local.isoformat(" ", "minutes")
    return f"{written[:16]} {written[16:]}"


def local_zone(name: str = "") -> tzinfo:
    """Return a time zone.

    Args:
        name: as IANA names it, in any case; empty for the machine's.

    Raises:
        ConfigError: there is no such time zone.
    """
    wanted = name.strip()
    if not wanted:
        return _machine_zone()
    if zone := _named_zone(wanted):
        return zone
    names = {each.casefold(): each for each in sorted(zoneinfo.available_timezones())}
    wanted = wanted.casefold().replace(" ", "_")
    if wanted in names and (zone := _named_zone(names[wanted])):
        return zone
    # Of Etc/GMT+1 and its like none is offered: their signs mean the opposite of what is written.
    names = {key: each for key, each in names.items() if not each.startswith("Etc/")}
    cities = {key.rpartition("/")[2]: each for key, each in names.items()} | names
    near = dict.fromkeys(cities[key] for key in difflib.get_close_matches(wanted, cities, n=3))
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ConfigError(
        f"time_zone: {name!r} is not a time zone; {hint}write an IANA name such as Europe/Berlin, "
        "or leave it empty for the machine's"
    )


def _read(value: object) -> date | datetime:
    """Return a datetime, or a date where no time is given.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, date):
        return value
    if not isinstance(value, str):
        raise ValueError("neither text nor time")  # noqa: TRY004 - told apart by nobody
    text = " ".join(value.upper().split())
    text = re.sub(r" ?(?:Z|UTC|GMT)$", "Z", text)
    text = re.sub(r" (?=[+-]\d)", "", text)
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError("neither a date nor a time")
    return datetime.fromisoformat(text) if written["time"] else date.fromisoformat(text)


def _in_utc(moment: datetime, zone: tzinfo) -> datetime:
    aware = moment.tzinfo is not None and moment.utcoffset() is not None
    return (moment if aware else moment.replace(tzinfo=zone)).astimezone(UTC)


def _edge(day: date, zone: tzinfo, *, last: bool) -> datetime:
    """Return the first or the last moment of a day, cut where UTC can write no more."""
    try:
        if last:
            return _in_utc(_midnight(day + timedelta(days=1)), zone) - _TICK
        return _in_utc(_midnight(day), zone)
    except OverflowError:
        return _LAST if last else _FIRST


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the zone is given by the caller


def _named_zone(name: str) -> tzinfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # The last for a folder of zones, such as "America".
        return None


def _machine_zone() -> tzinfo:
    name = os.environ.get("TZ")
    if name is None:
        return _zone_in(_LOCALTIME) or _SystemZone()
    name = name.removeprefix(":")
    return _named_zone(name) or (_zone_in(Path(name)) if name[:1] == "/" else None) or _SystemZone()


def _zone_in(path: Path) -> tzinfo | None:
    try:
        with path.open("rb") as file:
            name = os.path.realpath(path).partition("zoneinfo/")[2] or str(path)
            return zoneinfo.ZoneInfo.from_file(file, key=name)
    except (ValueError, OSError):
        return None


class _SystemZone(tzinfo):
    """What the C library says: for rules in TZ, and where the system has no files of zones."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        if moment is None:
            return None
        try:
            return moment.replace(tzinfo=None).astimezone().utcoffset()
        except (ValueError, OverflowError, OSError):
            # Some systems know no years before 1970 or after 3000.
            return timedelta(seconds=-time.timezone)

    def dst(self, _: datetime | None) -> None:
        return None

    def tzname(self, _: datetime | None) -> str:
        return "local"

    def fromutc(self, moment: datetime) -> datetime:
        aware = moment.replace(tzinfo=UTC)
        try:
            local = aware.astimezone()
        except (ValueError, OverflowError, OSError):
            local = aware.astimezone(timezone(timedelta(seconds=-time.timezone)))
        placed = local.replace(tzinfo=self)
        repeated = placed.utcoffset() != local.utcoffset()
        return placed.replace(fold=1) if repeated else placed
