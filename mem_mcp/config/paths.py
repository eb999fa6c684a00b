"""Paths in settings: variables are filled in, and what cannot be a path is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

# Patterns that a shell or an editor fills in. Taken literally, they would make a folder of that
# name in the client's current directory.
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)", re.ASCII)
_UNFILLED = re.compile(
    r"\$[{(][^/})]*[})]?|%[A-Za-z]\w*(?:\(\w+\))?%|\{\{|\{(?:env|file|input):", re.ASCII
)
# Two letters at least: C: is a drive.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_STORES = ("s3", "gs", "az", "db")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_QUOTES = "\"'`“”„‘’«»"  # noqa: RUF001 - quotes that editors insert
_LONGEST = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOWHERE = Path(os.devnull)
"""The default for a user without a home folder; it can never become a folder."""


def user_data() -> Path:
    """Return the platform's user data folder for mem-mcp."""
    try:
        folder = platformdirs.user_data_dir("mem_mcp", appauthor=False)
    except RuntimeError:
        return _NOWHERE
    # Older versions of platformdirs keep the ~ where there is no home.
    return _NOWHERE if folder.startswith("~") else Path(folder)


def local_path(text: str) -> Path:
    """Return the absolute path that a text names; `~`, `$NAME` and `${NAME}` are filled in.

    Args:
        text: absolute or relative to the current directory; the file need not exist.

    Raises:
        ValueError: the text cannot be a path; the message says why and what to write.
    """
    _check_form(text)
    path = Path(_filled(text))
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(
            f"{text!r}: there is no home folder for ~; write the whole path"
        ) from error
    except OSError as error:
        raise ValueError(
            f"{text!r} is relative, and the current directory is gone; write the whole path"
        ) from error


def is_relative(text: str) -> bool:
    """Return whether a text that `local_path` takes is relative to the current directory."""
    return not Path(_filled(text)).expanduser().is_absolute()


def check_folder(path: Path) -> None:
    """Check that a path is a folder or that one can be made there.

    Raises:
        ValueError: a file is in the way, or the path cannot be read; the message names it.
    """
    if path == _NOWHERE:
        raise ValueError("this user has no home folder to keep it in; name a folder")
    for place in (path, *path.parents):
        try:
            if place.is_dir():
                return
            if place.exists() or place.is_symlink():
                raise ValueError(f"{str(place)!r} is no folder; choose one")
        except OSError as error:
            raise ValueError(
                f"{_shortened(path)} cannot be used ({error.strerror}); choose a folder you can "
                "write to"
            ) from error


def _check_form(text: str) -> None:
    shown = _shortened(text)
    if not text.strip():
        raise ValueError("must not be empty; write a path, or leave it out")
    if text != text.strip() or _CONTROL.search(text):
        raise ValueError(f"{shown} has blanks at an end or a line break in it; take them out")
    if text.encode(errors="replace").decode() != text:
        raise ValueError(f"{shown} is not UTF-8; choose another name")
    if text[0] in _QUOTES or text[-1] == '"':
        raise ValueError(f"{shown} has quotes in it; write it without")
    if address := _ADDRESS.match(text):
        if address[1] in _STORES:
            raise ValueError(f"{shown} is the address of a store; set storage_uri to it instead")
        raise ValueError(f"{shown} is an address; write a path of this machine, like /home/me/x")
    if os.name != "nt" and _WINDOWS.match(text):
        raise ValueError(f"{shown} is a path of Windows; this machine has none such")


def _filled(text: str) -> str:
    path = _VARIABLE.sub(_value, text)
    if left := _UNFILLED.search(_VARIABLE.sub("", text)):
        raise ValueError(
            f"{_shortened(text)}: {left[0]} is not filled in here; only ~, $NAME and ${{NAME}} "
            "are: write the path itself"
        )
    return path


def _value(variable: re.Match[str]) -> str:
    if value := os.environ.get(variable[1] or variable[2]):
        return value
    raise ValueError(
        f"{_shortened(variable.string)}: {variable[0]} is not set in the environment that mem-mcp "
        "is started in; write the path itself"
    )


def _shortened(text: object) -> str:
    shown = repr(str(text))
    return shown if len(shown) <= _LONGEST else f"{shown[:150]}…{shown[-40:]}"
