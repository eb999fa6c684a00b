"""Prepare the standard streams and the text encoding of the process."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import IO


def prepare() -> None:
    """Open the standard streams that are closed, and let stdout and stderr write UTF-8.

    A lone surrogate, which UTF-8 cannot encode, is written as its escape.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # the parent process closed it
            setattr(sys, name, _null_stream(number))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def speak_utf_8() -> None:
    """Restart Python in UTF-8 mode if the locale's encoding is ASCII.

    Otherwise arguments, variables and file names in UTF-8 could not be read or passed to libraries.
    """
    if sys.getfilesystemencoding() == "ascii" and not sys.flags.utf8_mode:
        with suppress(OSError):  # not a standalone Python, for example; go on without
            os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606


def _null_stream(number: int) -> IO[str]:
    """Open the null device as this file descriptor, so that no other file is opened as it."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    mode = "r" if number == 0 else "w"
    return open(number, mode, encoding="utf-8", closefd=False)
