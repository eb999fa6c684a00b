"""Take out of a text what nobody sees: control characters and invisible ones.

Nothing visible is lost, and what scripts and emoji are written with stays: joiners, the breaks
between words of Thai and its neighbours, the letters of the flags of England, Scotland and Wales.
"""

from __future__ import annotations

import re

# Without NUL, which is refused wherever it stands.
_CONTROL = "\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
# What turns the direction of writing, but for the marks that stand for a letter of it.
_TURNING = "\u202a-\u202e\u2066-\u2069"
_MARKS = "\u061c\u200e\u200f"
# Unicode's Default_Ignorable_Code_Point without what is treated apart, and annotations.
_UNSEEN = (
    "\u00ad\u034f\u17b4\u17b5\u180e\u2061-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
)
_BREAKS = "\u200b\u2060"
_JOINERS = "\u200c\u200d"
_OF_MONGOLIAN = "\u180b-\u180d\u180f"
_SELECTORS = "\ufe00-\ufe0f"
_OF_IDEOGRAPHS = "\U000e0100-\U000e01ef"
_TAGS = "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
_FILLERS = "\u115f\u1160"

# Arabic to Tibetan without Thai and Lao, Myanmar, Khmer, Mongolian, the Brahmic scripts beyond, and
# forms of Arabic; so wide that a script with joiners is never missed.
_JOINED = (
    "\u0600-\u0dff\u0f00-\u109f\u1700-\u1c4f\u1cd0-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00011fff\U0001e900-\U0001e95f"
)
_UNSPACED = "\u0e00-\u109f\u1780-\u17ff\u1950-\u1aff\ua9e0-\ua9ff\uaa60-\uaadf"
_FROM_RIGHT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_JAMO = "\u1100-\u115e\u1161-\u11ff\ua960-\ua97f\ud7b0-\ud7ff"
_EMOJI = "\u00a9\u00ae\u203c\u2049\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff\ufe0f"
_VARIED = (
    "#*0-9\u00a9\u00ae\u1000-\u109f\u2010-\u205f\u2100-\u9fff\ua840-\ud7ff\uf900-\ufaff"
    "\U00010ac0-\U00010aff\U0001f000-\U0003ffff"
)
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

_ANY = re.compile(
    f"[{_CONTROL}{_TURNING}{_MARKS}{_UNSEEN}{_BREAKS}{_JOINERS}{_OF_MONGOLIAN}{_SELECTORS}"
    f"{_OF_IDEOGRAPHS}{_TAGS}{_FILLERS}]"
)
_STEPS = tuple(
    (re.compile(f"[{characters}]"), re.compile(pattern), kept)
    for characters, pattern, kept in (
        (_CONTROL + _TURNING + _UNSEEN, f"[{_CONTROL}{_TURNING}{_UNSEEN}]", ""),
        # The flag of a part of a country: a flag, the letters of the part's name, and an end.
        (_TAGS, "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)"
                f"|[{_TAGS}]", r"\1"),
        # One behind what it varies: a row of them can hold a text.
        (_SELECTORS, f"(?<![{_VARIED}])[{_SELECTORS}]", ""),
        (_OF_MONGOLIAN, f"(?<![\u1800-\u180a\u1810-\u18af])[{_OF_MONGOLIAN}]", ""),
        (_OF_IDEOGRAPHS, f"(?<![{_IDEOGRAPHS}])[{_OF_IDEOGRAPHS}]", ""),
        (_FILLERS, f"(?<![{_JAMO}])[{_FILLERS}](?![{_JAMO}])", ""),
        (_JOINERS, f"(?<=[{_JOINERS}])[{_JOINERS}]", ""),
        (_JOINERS, f"(?<![{_JOINED}])(?!.[{_JOINED}])(?!(?<=[{_EMOJI}])\u200d[{_EMOJI}])"
                   f"[{_JOINERS}]", ""),
        (_BREAKS, f"(?<=[{_BREAKS}])[{_BREAKS}]", ""),
        (_BREAKS, f"(?<![{_UNSPACED}])(?!.[{_UNSPACED}])[{_BREAKS}]", ""),
        (_MARKS, f"(?<=[{_MARKS}])[{_MARKS}]", ""),
    )
)  # fmt: skip
"""What may have to go, which of it goes, and what stays of a match.

Each step judges by neighbours that no later one takes away.
"""
_COLOUR = re.compile(
    # Sequences of terminals: colours and cursor moves; titles and addresses, which end in a bell.
    "(?:\x1b\\[|\x9b)[0-?]{0,50}[ -/]{0,5}[@-~]|\x1b\\][^\x07\x1b\n]{0,2000}(?:\x07|\x1b\\\\)"
)
_MARK = re.compile(f"[{_MARKS}]")
_RIGHT = re.compile(f"[{_FROM_RIGHT}]")
_C1 = re.compile("[\x80-\x9f]")
_LINE_ENDS = {ord(sign): "\n" for sign in "\x0b\x0c\x1c\x1d\x1e\x85"}
# Signs of Windows' code page 1252 that were read as Latin-1, as browsers have it.
_MISREAD = {
    code: sign
    for code in range(0x80, 0xA0)
    if chr(code) != "\x85" and (sign := bytes([code]).decode("cp1252", "ignore"))
}


def cleaned(text: str) -> tuple[str, int]:
    """Return a text without what nobody sees, and how many such characters it had.

    Tabs and line ends stay. Other breaks of lines and pages become line ends, signs of Windows that
    were read as Latin-1 become what they are, and the colours of a terminal go whole. A text that
    was cleaned is not changed again.
    """
    if not _ANY.search(text):
        return text, 0
    seen = _COLOUR.sub("", text) if "\x1b" in text or "\x9b" in text else text
    seen = seen.translate(_MISREAD) if _C1.search(seen) else seen
    seen = seen.translate(_LINE_ENDS)
    if _MARK.search(seen):
        seen = "\n".join(map(_without_marks, seen.split("\n")))
    for characters, pattern, kept in _STEPS:
        if characters.search(seen):
            seen = pattern.sub(kept, seen)
    return (text, 0) if seen == text else (seen, max(1, len(text) - len(seen)))


def _without_marks(line: str) -> str:
    """Return a line; its marks of direction stay where something is written from the right."""
    return line if _RIGHT.search(line) else _MARK.sub("", line)
