"""The streams and words that the system hands to a command, made to be what all of it relies on."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO


def prepare() -> None:
    """Make stdin, stdout and stderr be there, and the latter two speak UTF-8.

    A lone surrogate, which UTF-8 does not have, is shown as its escape.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed by who started this
            setattr(sys, name, _nothing(number))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def arguments() -> list[str]:
    """Return the words of the command line, read as UTF-8 where the locale could not read them.

    What is not UTF-8 either stays as it is: it may name a file.
    """
    return [_read(word) for word in sys.argv[1:]]


def _read(word: str) -> str:
    if word.isascii() or not any("\udc80" <= char <= "\udcff" for char in word):
        return word
    with suppress(UnicodeError):
        return os.fsencode(word).decode("utf-8")
    return word


def _nothing(number: int) -> TextIO:
    """Open the null device under a standard number, so that no other file gets it."""
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    mode = "r" if number == 0 else "w"
    return open(number, mode, encoding="utf-8", closefd=False)
