"""Words, numbers and lists in the forms that agents write them in."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from mem_mcp.errors import InvalidInput, quoted

_Word = TypeVar("_Word", bound=str)
Synonyms = Mapping[str, str]
"""The word of ours that is meant, by another one: in lower case, with single spaces."""

_CUTOFF = 0.75
_MOST_SHOWN = 60
_NUMBER = re.compile(r"[+-]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_QUOTES = "\"'`"
# Skin tones, and the sign that asks for the coloured form of an emoji.
_SHADES = {ord("\ufe0f"): None} | dict.fromkeys(range(0x1F3FB, 0x1F400))


def _table(**meanings: str) -> dict[str, str]:
    """Turn {ours: "theirs, theirs"} around."""
    return {
        theirs.strip(): ours for ours, listed in meanings.items() for theirs in listed.split(",")
    }


# Only words whose meaning is clear: what may mean one or another is refused, and not guessed.

OUTCOMES: Synonyms = _table(
    success="succeeded, succeed, succeeds, successful, successfully, ok, okay, passed, pass, "
    "passes, passing, done, worked, works, completed, complete, solved, fixed, resolved, "
    "accomplished, ✅, ✓",
    failure="failed, fail, fails, failing, failures, error, errors, errored, broken, unsuccessful, "
    "crashed, did not work, didn't work, not working, ❌, ✗",
    partial="partially, partly, in part, partial success, partially successful, "
    "partially succeeded, partial failure, mixed",
    unknown="unclear, n/a, na, undetermined, undecided, unsure, uncertain, inconclusive, "
    "not known, not sure, don't know, ?",
)
"""Not in it: finished, ended, aborted, cancelled, skipped, pending, timeout."""

SEVERITIES: Synonyms = _table(
    minor="low, lowest, small, trivial, mild",
    major="high, serious, large, big, significant",
    critical="blocker, blocking, fatal, highest, catastrophic",
)
"""Not in it: medium, moderate, normal (neither minor nor major), severe, urgent."""

FEEDBACKS: Synonyms = _table(
    POSITIVE="like, liked, likes, good, great, helpful, useful, relevant, correct, +1, thumbs up, "
    "thumb up, thumbsup, 👍, up, upvote, upvoted, very positive",
    NEGATIVE="dislike, disliked, dislikes, bad, poor, unhelpful, not helpful, useless, "
    "not useful, irrelevant, not relevant, -1, thumbs down, thumb down, thumbsdown, 👎, down, "
    "downvote, downvoted",
    VERY_NEGATIVE="very bad, terrible, awful, horrible, harmful, dangerous",
)
"""Not in it: wrong, incorrect, outdated (bad here, or to be hidden for good?), and 0, 1 or 5 (of
how many?)."""

KINDS: Synonyms = _table(
    fact="facts",
    message="messages",
    procedure="procedures",
    outcome="outcomes",
    lesson="lessons",
)

INFERS: Synonyms = _table(
    auto="automatic, automatically, default",
    always="true, yes, on, force, forced",
    never="false, no, off, raw, verbatim",
)

ORDERS: Synonyms = _table(
    newest="newest first, new, desc, descending, latest, latest first, most recent, "
    "most recent first, recent, recent first, newest to oldest",
    oldest="oldest first, old, asc, ascending, earliest, earliest first, chronological, "
    "oldest to newest",
)

STATUSES: Synonyms = _table(
    active="activate, activated, unarchive, unarchived, restore, restored",
    archived="archive",
    hidden="hide",
    deleted="delete, forgotten",
)

USER_SCOPES: Synonyms = _table(
    user="me, mine, only me, private, personal, own, self, the user, this user",
    **{"global": "everyone, everybody, shared, all, public, all users, any user"},
)

_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "no", "n", "off", "0"), False),
}


def is_absent(value: object) -> bool:
    """Whether a value says that an optional argument, which is no free text, is not given."""
    # Not as words are read: an id may be a quotation mark.
    return value is None or (
        isinstance(value, str) and value.strip().casefold() in ("", "null", "none")
    )


def word(
    value: object, argument: str, allowed: Iterable[_Word], synonyms: Synonyms | None = None
) -> _Word:
    """Read one of our words, in any case, or a synonym of one.

    Args:
        value: what the caller gave.
        argument: what to name in an error.
        allowed: the words there are.
        synonyms: what else means one of them; what means another is passed over.

    Raises:
        InvalidInput: it is none of them; the text says which there are, and which is near.
    """
    words = tuple(allowed)
    meanings = {_plain(each): each for each in words}
    for theirs, ours in (synonyms or {}).items():
        meanings.update((theirs, each) for each in words if each == ours)
    text = _plain(str(value)) if isinstance(value, str | int) else None
    if text in meanings:
        return meanings[text]
    near = difflib.get_close_matches(text, meanings, n=1, cutoff=_CUTOFF) if text else []
    hint = f"; did you mean {meanings[near[0]]}?" if near else ""
    listed = ", ".join(each for each in words if each)
    raise InvalidInput(argument, f"{quoted(value, _MOST_SHOWN)} is not one of {listed}{hint}")


def boolean(value: object, argument: str) -> bool:
    """Read true or false, also as a word or as 1 or 0.

    Raises:
        InvalidInput: it is neither.
    """
    if isinstance(value, str | int | float):
        text = _plain(str(int(value) if value in (0, 1) else value))
        if text in _BOOLEANS:
            return _BOOLEANS[text]
    raise InvalidInput(argument, f"{quoted(value, _MOST_SHOWN)} is not one of true, false")


def number(value: object) -> object:
    """Return a number that is written as text; anything else as it is."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(text := value.strip()):
        return value
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def whole(value: object) -> object:
    """Return a whole number that is written as text or with a fraction of 0; else as it is."""
    read = number(value)
    if isinstance(read, float):
        # What is past this is not exact.
        return int(read) if read.is_integer() and abs(read) < 2**53 else value
    return read


def items(value: object) -> object:
    """Return what is given for a list as a list.

    Args:
        value: a list; or a text, which is a list in JSON or the only item; or one object, in JSON
            or not.

    Returns:
        The list; anything else as it is.
    """
    read = _json(value)
    if isinstance(read, list):
        return read
    return [read] if isinstance(read, str | Mapping) else value


def fields(value: object) -> object:
    """Return an object that is written as JSON; anything else as it is."""
    read = _json(value)
    return read if isinstance(read, dict) else value


def _json(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return a list or an object that is written as JSON; anything else as it is."""
    if not isinstance(value, str) or (text := value.strip())[:1] not in ("[", "{"):
        return value
    # As Python writes it, too.
    for written in (text, text.replace("'", '"') if '"' not in text else ""):
        try:
            return json.loads(written)
        except (ValueError, RecursionError):
            continue
    return value


def _plain(text: str) -> str:
    """Return a word without what does not tell it from others: case, quotes, kind of separator."""
    plain = text.translate(_SHADES).replace("\u2019", "'").strip().strip(_QUOTES).strip().casefold()
    return re.sub(r"(?<=\w)[\s_-]+(?=\w)", " ", plain)
