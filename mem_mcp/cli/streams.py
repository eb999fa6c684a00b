"""What the system hands to a command, made to be what all of it relies on."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import IO


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


def speak_utf_8() -> None:
    """Begin again in UTF-8 mode where the locale knows ASCII only.

    Arguments, variables and file names in UTF-8 could not be read, nor given to libraries.
    """
    if sys.getfilesystemencoding() == "ascii" and not sys.flags.utf8_mode:
        with suppress(OSError):  # as in a program that is no Python of its own; then without
            os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606


def _nothing(number: int) -> IO[str]:
    """Open the null device under a standard number, so that no other file gets it."""
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    mode = "r" if number == 0 else "w"
    return open(number, mode, encoding="utf-8", closefd=False)
