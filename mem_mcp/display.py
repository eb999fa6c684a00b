"""How stored texts and ids are shown to a model, so that no text looks like the server's own line.

A stored or given text stands at the end of a line that the server began; the further lines of a
text begin with FENCE.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable

FENCE = "   | "
"""Begins every line of a text but its first."""
SHORTEST_ID = 6
"""Characters of an id that are taken for it, if no other one begins with them."""
SHOWN_ID = 8

_OURS = re.compile(r"[0-9a-f]{32}")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Unicode's Default_Ignorable_Code_Point, among them all that turns the direction of writing, and
# annotations; but for the joiners and the selectors that emoji and some scripts are written with.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
# The flags of England, Scotland, Wales and other parts of a country are written with some of these.
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
_INVISIBLE = re.compile(f"({_FLAG})|[{_UNSEEN}]")
_HIDDEN = re.compile(f"[\x7f-\x9f\u2028\u2029{_UNSEEN}]")


def fenced(text: str) -> str:
    """Return a text to be put at the end of a line; FENCE begins each of its further lines.

    Invisible characters are left out, and other control characters are replaced by U+FFFD.
    """
    first, *others = _lines(text)
    return "\n".join([first, *(f"{FENCE}{line}".rstrip() for line in others)])


def one_line(text: str, longest: int = 100) -> str:
    """Return a text on one line, without invisible and control characters.

    Args:
        text: any.
        longest: most characters; a longer text is cut and ends with an ellipsis. 0 for no limit.
    """
    line = " ".join(" ".join(_lines(text)).split())
    return line if not longest or len(line) <= longest else f"{line[: longest - 1]}…"


def escaped(json_text: str) -> str:
    """Return the same JSON with line breaks and invisible characters within its texts escaped."""
    return _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], json_text)


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """Return how each id is shown: by its first 8 characters.

    An id is shown whole if two of the answer begin with the same 8 characters, or if it is not one
    of ours (32 hexadecimal digits).

    The store is not asked whether another memory of the user begins with them: that would double
    the time of a recall among few memories. Among 10,000 memories this happens to 2 ids in a
    million, among 100,000 to 23; a caller who then uses the 8 characters is told the candidates.

    Args:
        ids: the ids of one answer.
    """
    every = set(ids)
    beginnings = Counter(one[:SHOWN_ID] for one in every)
    return {
        one: one_line(one, 0)
        if beginnings[one[:SHOWN_ID]] > 1 or not _OURS.fullmatch(one)
        else one[:SHOWN_ID]
        for one in every
    }


def _lines(text: str) -> list[str]:
    lines = [_cleaned(line) for line in text.splitlines()]
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        lines.pop(0)
    return lines or [""]


def _cleaned(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    return _CONTROL.sub("\ufffd", _INVISIBLE.sub(r"\1", line))
