"""Put a mask in place of each secret that is known by its form."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from mem_mcp.intake.secret_formats import (
    MARKED,
    PREFIXED,
    PRIVATE_KEYS,
    MarkedForm,
    PrefixedForm,
)

_SHOWN_END = 4
_LONGEST_SHOWN_BEGIN = 12
_DIGITS_OF_KEY = 8
_FEWEST_DISTINCT = 4
"""A run of fewer different characters stands for a key, and is none."""
_PLACEHOLDER = re.compile(
    r"(?:your|my|the|some|a|db|new|old|app|user|\W|_)*(?:pass(?:word|wd|phrase)?|pwd|pw|secret|token|key|"
    r"changeme|change_me|example|placeholder|required|optional|redacted|hidden|removed|none|null|"
    r"true|false)(?:here|\d|\W|_)*"
    r"|[$%{<\[@].*|[*x.•…?_-]+|\{\{.*",
    re.IGNORECASE,
)
# GitHub's, Docker's and other programs' way to name a variable where a value will stand.
_VARIABLE = re.compile(r"[A-Z]+(?:_[A-Z]+)+|\w+\.\w+(?:\.\w+)*|\w+\[.*")
_DISCORD = re.compile(r"[MNO](?<![\w.-].)[\w-]{17,27}\.[\w-]{6}\.[\w-]{27,38}(?![\w-])", re.ASCII)


class _Found(NamedTuple):
    start: int
    end: int
    what: str
    mask: str


def masked(text: str) -> tuple[str, list[str]]:
    """Return a text with a mask in place of each secret, and what each was.

    A mask names the kind of secret and keeps its beginning and its last four characters, or a few
    digits that stand for it, so that two secrets have two masks, and the same one the same.
    A text that was masked is not changed again.
    """
    # At one place the longer one, which has the other within it, counts.
    found = sorted(_found(text), key=lambda one: (one.start, -one.end))
    if not found:
        return text, []
    parts, kinds, end = [], [], 0
    for one in found:
        if one.start >= end:
            parts += [text[end : one.start], one.mask]
            kinds.append(one.what)
            end = one.end
    return "".join([*parts, text[end:]]), kinds


def _found(text: str) -> Iterator[_Found]:
    for form, beginning in _BEGINNINGS:
        if beginning in text:
            yield from _beginning(form, beginning, text)
    small = text.lower()
    for marked in MARKED:
        if any(gate in small for gate in marked.gates):
            yield from _marked(marked, text)
    for gate, pattern in PRIVATE_KEYS:
        if gate in text:
            for match in _compiled(pattern).finditer(text):
                yield _whole("private key", match[1], match.start(1), _DIGITS_OF_KEY)
    for match in _DISCORD.finditer(text):
        if _is_of_discord(match[0]):
            yield _token("Discord token", "", match[0], match.start())


def _beginning(form: PrefixedForm, beginning: str, text: str) -> Iterator[_Found]:
    for match in _prefixed(form, beginning).finditer(text):
        if _is_value(match["body"]):
            yield _token(form.what, beginning, match[0], match.start())


def _marked(form: MarkedForm, text: str) -> Iterator[_Found]:
    for match in _compiled(form.pattern).finditer(text):
        value, start = match[1], match.start(1)
        if form.digits and not _stands_for_one(value, match[0]):
            yield _whole(form.what, value, start, form.digits)
        elif not form.digits and _is_value(value):
            yield _token(form.what, "", value, start)


def _token(what: str, beginning: str, value: str, start: int) -> _Found:
    begins = beginning if len(beginning) <= _LONGEST_SHOWN_BEGIN else ""
    mask = f"[secret: {what} {begins}…{value.rstrip('=')[-_SHOWN_END:]}]"
    return _Found(start, start + len(value), what, mask)


def _whole(what: str, value: str, start: int, digits: int) -> _Found:
    """Return a secret of which nothing is shown; few digits do not tell which word it was."""
    stands_for = hashlib.sha256(f"mem-mcp {what} {value}".encode()).hexdigest()[:digits]
    return _Found(start, start + len(value), what, f"[secret: {what} #{stands_for}]")


def _is_value(value: str) -> bool:
    """Whether what has a secret's form is one: neither a placeholder, nor words with hyphens."""
    if len(set(value)) < _FEWEST_DISTINCT:
        return False
    return any(map(str.isdigit, value)) or (value.lower() != value and value.upper() != value)


def _stands_for_one(value: str, whole: str) -> bool:
    """Whether a password is a word that stands for one, or is everybody's."""
    if _PLACEHOLDER.fullmatch(value) or _VARIABLE.fullmatch(value) or value.startswith("[secret:"):
        return True
    user = whole.partition("://")[2].partition(":")[0]
    return value == user


def _is_of_discord(token: str) -> bool:
    """Whether the first part of a token is the number of a user, in base64, as Discord has it."""
    first = token.partition(".")[0]
    try:
        return base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)).isdigit()
    except (binascii.Error, ValueError):
        return False


_BEGINNINGS = tuple((form, beginning) for form in PREFIXED for beginning in form.begins)


@cache
def _prefixed(form: PrefixedForm, beginning: str) -> re.Pattern[str]:
    """Return the pattern of a form; the literal is first, so that it is searched for at once."""
    literal = re.escape(beginning)
    # A line end that is written as \n, and a sign that is written as %3D, end what is before.
    begins = rf"(?:(?<![\w-]{literal})|(?<=\\[nrt]{literal})|(?<=%[0-9A-F]{{2}}{literal}))"
    return re.compile(rf"{literal}{begins}(?P<body>{form.follows})(?![A-Za-z0-9])", re.ASCII)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)
