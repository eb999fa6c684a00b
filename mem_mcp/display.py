"""How stored texts and ids are shown: no text passes for a line, an id or an order of the server.

Whatever others stored or gave stands on a line that the server began, or on one that begins with
FENCE.
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

_MADE_HERE = re.compile(r"[0-9a-f]{32}")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Unicode's Default_Ignorable_Code_Point, among them all that turns the direction of writing, and
# annotations; but for the joiners and the selectors that emoji and some scripts are written with.
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{_UNSEEN}]")
_HIDDEN = re.compile(f"[\x7f-\x9f\u2028\u2029{_UNSEEN}]")


def fenced(text: str) -> str:
    """Return a text to stand at the end of a line of the server's; its further lines are fenced.

    What nobody sees is left out, other control characters are replaced.
    """
    first, *others = _lines(text)
    return "\n".join([first, *(f"{FENCE}{line}".rstrip() for line in others)])


def one_line(text: str, longest: int = 100) -> str:
    """Return a text on one line, without what nobody sees.

    Args:
        text: any.
        longest: characters to keep at most, an ellipsis for what follows among them; 0 for all.
    """
    line = " ".join(" ".join(_lines(text)).split())
    return line if not longest or len(line) <= longest else f"{line[: longest - 1]}…"


def escaped(json_text: str) -> str:
    """Return JSON in which what breaks a line in a text, or is not seen, is escaped."""
    return _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], json_text)


def short_ids(ids: Iterable[str]) -> dict[str, str]:
    """Return what each of some ids is shown by: its first 8 characters.

    It is whole where two of these begin with the same, or where it was not made here. No store is
    asked, which would double the time of a recall among few memories: another memory of the user
    begins with the same 8 hexadecimal digits in 2 of a million cases where there are 10,000, in 23
    of a million where there are 100,000. Whoever uses it then is told which memories it may be.

    Args:
        ids: those of one answer.
    """
    every = set(ids)
    beginnings = Counter(one[:SHOWN_ID] for one in every)
    return {
        one: one_line(one, 0)
        if beginnings[one[:SHOWN_ID]] > 1 or not _MADE_HERE.fullmatch(one)
        else one[:SHOWN_ID]
        for one in every
    }


def _lines(text: str) -> list[str]:
    lines = [_CONTROL.sub("\ufffd", _INVISIBLE.sub("", line)) for line in text.splitlines()]
    while lines and not lines[-1].strip():
        lines.pop()
    while lines and not lines[0].strip():
        lines.pop(0)
    return lines or [""]
