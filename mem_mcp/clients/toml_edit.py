"""Change TOML as text: a table is added at the end, and everything before it stays."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from mem_mcp.clients.edit import BOM, Edit, Keys, Unfit, at

_HEADER = re.compile(r"\s*\[\[?\s*(?P<keys>[^\[\]#]+?)\s*\]\]?\s*(?:#.*)?\s*")
_KEY = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|([A-Za-z0-9_-]+))\s*(?:\.|$)')
_PLAIN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def read(text: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the value of a file; see `formats.FileFormat`."""
    try:
        return tomllib.loads(text.removeprefix(BOM))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Unfit(f"it is not TOML ({error})") from error


def put(text: str, path: Keys, value: Mapping[str, Any]) -> Edit:
    """Return the change that sets a mapping at a path; see `formats.FileFormat`."""
    line = "\r\n" if "\r\n" in text else "\n"
    table = "".join(f"{one}{line}" for one in _written(path, value))
    if at(read(text), path) is not None:
        start, end = _span(text, path)
        return Edit(start, text[start:end], table)
    apart = "" if text in ("", BOM) else line if text.endswith("\n") else line + line
    return Edit(len(text), "", f"{apart}{table}")


def drop(text: str, path: Keys) -> str:
    """Return the text without what is at a path; see `formats.FileFormat`."""
    start, end = _span(text, path)
    before = text[:start]
    # The blank line that set it apart.
    return (re.sub(r"\n\r?\n\Z", "\n", before) if end == len(text) else before) + text[end:]


def _written(path: Keys, value: Mapping[str, Any]) -> Iterator[str]:
    yield f"[{'.'.join(map(_key, path))}]"
    inner = {}
    for key, one in value.items():
        if isinstance(one, Mapping):
            inner[key] = one
        else:
            # Texts, numbers, truth values and lists of them are written as in JSON.
            yield f"{_key(key)} = {json.dumps(one, ensure_ascii=False)}"
    for key, table in inner.items():
        yield ""
        yield from _written((*path, key), table)


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _span(text: str, path: Keys) -> tuple[int, int]:
    """Return where the lines of a table, and of the tables in it, start and end.

    Comments and blank lines before the next table belong to that.
    """
    begin = end = None
    place = 0
    inside = False
    for one in text.splitlines(keepends=True):
        header = _HEADER.fullmatch(one)
        is_ours = header is not None and _keys(header["keys"])[: len(path)] == path
        if header and (inside or is_ours) and _is_whole(text[:place]):
            inside = is_ours
            if inside and begin is None:
                begin = place
        place += len(one)
        if inside and one.strip() and not one.lstrip().startswith("#"):
            end = place
    if begin is None or end is None:
        raise Unfit(f"{'.'.join(path)} is not written as a table")
    return begin, end


def _is_whole(text: str) -> bool:
    """Return whether a text may end here: not within a string or a list of several lines."""
    try:
        read(text)
    except Unfit:
        return False
    return True


def _keys(text: str) -> Keys:
    return tuple("".join(found.groups(default="")) for found in _KEY.finditer(text.strip()))
