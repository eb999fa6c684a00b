"""Types of arguments that operations share: how each is read, and what callers are told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from mem_mcp.api import checks
from mem_mcp.api.call import Check, Doc
from mem_mcp.api.models import Kind, Outcome, Scope, Severity
from mem_mcp.api.words import KINDS, OUTCOMES, SEVERITIES, Synonyms, boolean
from mem_mcp.api.words import word as read_word
from mem_mcp.text import check_text
from mem_mcp.times import NEVER, Day, parse_end, parse_time

Time = str | datetime | None
"""A point in time as callers give it; ISO 8601, or a datetime. Checked, it is a datetime in UTC."""
TEXT = {"type": "string"}
OBJECT = {"type": "object"}
TEXTS = {"type": "array", "items": TEXT}
OBJECTS = {"type": "array", "items": OBJECT}
MAX_QUERY = 50_000
"""Most characters of a question."""
MAX_REASON = 10_000
"""Most characters of why something is done."""


def text(longest: int | None = None) -> Check:
    """Return the check of a free text that may be absent."""
    return Check(partial(check_text, limit=longest), TEXT, is_text=True)


def required(longest: int | None = None) -> Check:
    """Return the check of a text that must say something."""
    return Check(partial(checks.required_text, limit=longest), TEXT)


def word(allowed: Sequence[str], synonyms: Synonyms) -> Check:
    """Return the check of one of several words, or a synonym of one."""
    schema = {"enum": list(allowed), "type": "string"}
    return Check(partial(read_word, allowed=allowed, synonyms=synonyms), schema)


def words(allowed: Sequence[str], synonyms: Synonyms) -> Check:
    """Return the check of a list of words."""
    return Check(partial(checks.words_of, allowed=allowed, synonyms=synonyms), TEXTS)


def time(day: Day) -> Check:
    """Return the check of a point in time; `day` says what a date alone means."""
    return Check(partial(parse_time, day=day), TEXT, is_zoned=True)


def whole(least: int, most: int) -> Check:
    """Return the check of a whole number in a range."""
    return Check(partial(checks.whole, least=least, most=most), {"type": "integer"})


NAME = Check(checks.name, TEXT)
NAMES = Check(checks.names, TEXTS)
FRACTION = Check(checks.fraction, {"type": "number"})
FLAG = Check(boolean, {"type": "boolean"})
FILTERS = Check(checks.filters, OBJECT, is_zoned=True)
END = Check(parse_end, TEXT, is_zoned=True)
"""The check of when something ends; "never" reads as NEVER."""

UserId = Annotated[
    str, NAME, Doc("Owner", "empty for the user that the settings name; global for everybody's")
]
AgentId = Annotated[str, NAME, Doc("Agent", "empty on reads for any")]
RunId = Annotated[str, NAME, Doc("Conversation", "or task; empty on reads for any")]
MemoryId = Annotated[str, required(checks.MAX_NAME)]
Limit = Annotated[int, whole(1, checks.MAX_LIMIT), Doc("1..200")]
MaxTokens = Annotated[int, whole(0, checks.MAX_COUNT)]
Kinds = Annotated[
    str | Sequence[str] | None,
    words(checks.literal(Kind), KINDS),
    Doc("Any of: fact, message, procedure, outcome, lesson"),
]
AnyTags = Annotated[str | Sequence[str] | None, NAMES, Doc("Any of these tags")]
Tags = Annotated[str | Sequence[str] | None, NAMES, Doc("Labels", "to filter by; at most 100")]
Metadata = Annotated[
    Mapping[str, Any] | None,
    Check(checks.metadata, OBJECT),
    Doc("Your own fields", "filterable as metadata.KEY"),
]
Filters = Annotated[Mapping[str, Any] | None, FILTERS]
Since = Annotated[Time, time("start"), Doc("From then on; ISO 8601", "what occurred then or later")]
OccurredAt = Annotated[
    Time,
    time("day"),
    Doc("ISO 8601; default now", "when it happened or was said; without a zone in time_zone"),
]
ExpiresAt = Annotated[Time, END, Doc("Recalled until", 'ISO 8601, or "never"')]
ValidUntil = Annotated[Time, END, Doc("True until", 'ISO 8601, or "never"')]
IncludeGlobal = Annotated[bool, FLAG, Doc("Also shared ones", "of the user global")]
IdempotencyKey = Annotated[
    str, NAME, Doc("Retries store nothing", "and get the first answer; within the same scope")
]
OutcomeWord = Annotated[str, word(checks.literal(Outcome), OUTCOMES)]
SeverityWord = Annotated[str, word(checks.literal(Severity), SEVERITIES)]


@dataclass(frozen=True, kw_only=True)
class Scoped:
    """Whose memory a call is about."""

    user_id: UserId = ""
    agent_id: AgentId = ""
    run_id: RunId = ""

    def scope(self, default_user: str) -> Scope:
        """Return the scope; an empty user is `default_user`, an empty agent or run is any."""
        return Scope(
            user_id=self.user_id or default_user,
            agent_id=self.agent_id or None,
            run_id=self.run_id or None,
        )


def names(value: str | Sequence[str] | None) -> list[str]:
    """Return a checked list of names."""
    return [] if value is None else list(value)


def end(value: datetime | None) -> datetime | None:
    """Return when something ends; None for NEVER."""
    return None if value == NEVER else value


def moment(value: Time) -> datetime | None:
    """Return a checked time."""
    if isinstance(value, str):
        raise TypeError("a time that was not checked")
    return value
