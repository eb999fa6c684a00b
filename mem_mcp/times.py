"""Points in time: aware, in UTC, never guessed."""

from __future__ import annotations

from datetime import UTC, datetime

from mem_mcp.errors import InvalidInput


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def parse_time(value: str | datetime, argument: str) -> datetime:
    """Read a point in time.

    Args:
        value: ISO 8601 with a time zone, or an aware datetime.
        argument: what to name in an error.

    Returns:
        The same moment in UTC.

    Raises:
        InvalidInput: not a time, no such time, or without a time zone.
    """
    if not isinstance(value, str | datetime):
        raise InvalidInput(argument, f"{value!r} is not a time; write it like 2026-01-31T12:00:00Z")
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        aware = moment.tzinfo is not None and moment.utcoffset() is not None
        in_utc = moment.astimezone(UTC) if aware else moment
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            argument, f"{value!r} is not a time; write it like 2026-01-31T12:00:00Z"
        ) from error
    if not aware:
        raise InvalidInput(
            argument,
            f"{str(value)!r} has no time zone; write it like 2026-01-31T12:00:00Z "
            "or 2026-01-31T12:00:00+01:00",
        )
    return in_utc


def optional_time(value: str | datetime | None, argument: str) -> datetime | None:
    """Read a point in time that may be absent ("" or None)."""
    return None if value is None or value == "" else parse_time(value, argument)
