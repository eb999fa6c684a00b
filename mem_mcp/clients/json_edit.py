"""Change JSON as text: comments, trailing commas, indentation and line ends stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mem_mcp.clients.edit import BOM, Edit, Keys, Unfit

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null", re.ASCII)
_DEEPEST = 200
_SHORTEST = "  "


@dataclass
class _Node:
    start: int
    end: int
    value: Any
    members: list[_Member] = field(default_factory=list)


@dataclass
class _Member:
    key: str
    start: int
    node: _Node


def read(text: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the value of a file; see `formats.FileFormat`."""
    try:
        # Most files are plain JSON, and some have megabytes.
        return json.loads(text.removeprefix(BOM), parse_constant=_no_number)
    except (ValueError, RecursionError):
        node = _parse(text)
    return {} if node is None else node.value


def put(text: str, path: Keys, value: Mapping[str, Any]) -> Edit:
    """Return the change that sets a mapping at a path; see `formats.FileFormat`."""
    root = _parse(text)
    line = "\r\n" if "\r\n" in text else "\n"
    if root is None:
        start = "" if text in ("", BOM) or text.endswith("\n") else line
        whole = _written(_nested(path, value), _SHORTEST, "", line)
        return Edit(len(text), "", f"{start}{whole}{line}")
    unit = _unit(text, root)
    node = root
    for depth, key in enumerate(path):
        if not isinstance(node.value, dict):
            raise Unfit(f"{'.'.join(path[:depth]) or 'the whole'} is not an object")
        member = _last(node, key)
        if member is None:
            return _inserted(text, node, key, _nested(path[depth + 1 :], value), unit, line)
        node = member.node
    indent = _indent(text, member.start if member else node.start)
    return Edit(node.start, text[node.start : node.end], _written(value, unit, indent, line))


def drop(text: str, path: Keys) -> str:
    """Return the text without what is at a path; see `formats.FileFormat`."""
    node = _parse(text)
    for depth, key in enumerate(path):
        member = None if node is None else _last(node, key)
        if node is None or member is None:
            raise Unfit(f"{'.'.join(path)} is not there")
        if depth < len(path) - 1:
            node = member.node
    return _cut(text, node, node.members.index(member)) if node and member else text


def _cut(text: str, node: _Node, index: int) -> str:
    """Cut out a member, the comma that it leaves over, and its line if nothing else is on it."""
    member = node.members[index]
    start, end = member.start, member.node.end
    comma = _BLANK.match(text, end)
    after = comma.end() if comma else end
    if text[after] == ",":
        # A comment between the value and its comma stays.
        end, rest = after + 1, text[end:after]
    else:
        rest = ""
    before = text[: _line_start(text, start)]
    tail = text[end:]
    if rest.strip():
        before, tail = text[:start], rest.lstrip() + tail
    elif blank := re.match(r"[ \t]*(\r?\n)", tail):
        tail = tail[blank.end() :] if before.endswith("\n") else tail
    elif tail.startswith(" "):
        tail, before = tail[1:], text[:start]
    if index == len(node.members) - 1 and index and text[after] != ",":
        # The member before is the last one by now: its comma goes, the comments after it stay.
        previous = node.members[index - 1].node.end
        gap = _BLANK.match(text, previous)
        place = gap.end() if gap else previous
        before = before[:place] + before[place + 1 :]
    return before + tail


def _inserted(
    text: str, node: _Node, key: str, value: Mapping[str, Any], unit: str, line: str
) -> Edit:
    """Return the change that adds a member to an object, in one place."""
    inside = text[node.start + 1 : node.end - 1]
    outer = _indent(text, node.start)
    if "\n" not in inside and node.members:
        member = f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        return Edit(node.members[-1].node.end, "", f", {member}")
    child = _indent(text, node.members[0].start) if node.members else outer + unit
    member = f"{line}{child}{json.dumps(key)}: {_written(value, unit, child, line)}"
    if not node.members:
        kept = inside.rstrip(" \t\r\n")
        closed = "" if "\n" in inside[len(kept) :] else line + outer
        return Edit(node.start + 1 + len(kept), "", member + closed)
    last = node.members[-1].node.end
    rest = text[last : node.end - 1]
    if not rest.strip(" \t\r\n,"):
        return Edit(last, "", f",{member}")
    # Comments follow the last member. In front, nothing comes between them and what they are about.
    first = re.compile(r"(?:[ \t]+|//[^\r\n]*|/\*(?:(?!\*/)[^\r\n])*\*/)*").match(
        text, node.start + 1
    )
    place = first.end() if first and text[first.end()] in "\r\n" else node.start + 1
    return Edit(place, "", f"{member},")


def _nested(path: Keys, value: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return value


def _written(value: Any, unit: str, indent: str, line: str) -> str:  # noqa: ANN401 - any JSON
    """Return JSON with an object's members on lines of their own, and lists on one."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value, ensure_ascii=False)
    inner = indent + unit
    members = (
        f"{inner}{json.dumps(key, ensure_ascii=False)}: {_written(one, unit, inner, line)}"
        for key, one in value.items()
    )
    return f"{{{line}{f',{line}'.join(members)}{line}{indent}}}"


def _line_start(text: str, place: int) -> int:
    """Return where the line of a place starts; the place itself if more than blanks are before."""
    start = text.rfind("\n", 0, place) + 1
    return place if text[start:place].strip(" \t" + BOM) else start


def _indent(text: str, place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str, root: _Node) -> str:
    """Return by how much an object's members are indented."""
    if root.members:
        start = root.members[0].start
        if _line_start(text, start) != start or text[start - 1] == "\n":
            return _indent(text, start) or _SHORTEST
    return _SHORTEST


def _last(node: _Node, key: str) -> _Member | None:
    # Of two members of one name, programs take the last.
    return next((one for one in reversed(node.members) if one.key == key), None)


def _parse(text: str) -> _Node | None:
    """Return the value with its places; None if there is none."""
    start = _blank(text, 1 if text.startswith(BOM) else 0)
    if start == len(text):
        return None
    node = _value(text, start, 0)
    end = _blank(text, node.end)
    if end != len(text):
        raise _wrong(text, end)
    return node


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _blank(text: str, place: int) -> int:
    found = _BLANK.match(text, place)
    return found.end() if found else place


def _value(text: str, place: int, depth: int) -> _Node:
    if depth > _DEEPEST:
        raise Unfit("it is nested too deeply")
    if text.startswith("{", place):
        return _object(text, place, depth)
    if text.startswith("[", place):
        return _list(text, place, depth)
    if text.startswith('"', place):
        end, value = _string(text, place)
        return _Node(place, end, value)
    scalar = _SCALAR.match(text, place)
    if not scalar:
        raise _wrong(text, place)
    try:
        return _Node(place, scalar.end(), json.loads(scalar[0]))
    except ValueError as error:  # more digits than Python reads
        raise _wrong(text, place) from error


def _object(text: str, start: int, depth: int) -> _Node:
    node = _Node(start, start, {})
    place = _blank(text, start + 1)
    while not text.startswith("}", place):
        end, key = _string(text, place)
        colon = _blank(text, end)
        if not text.startswith(":", colon):
            raise _wrong(text, colon)
        child = _value(text, _blank(text, colon + 1), depth + 1)
        node.members.append(_Member(key, place, child))
        node.value[key] = child.value
        place = _separator(text, child.end, "}")
    node.end = place + 1
    return node


def _list(text: str, start: int, depth: int) -> _Node:
    values = []
    place = _blank(text, start + 1)
    while not text.startswith("]", place):
        child = _value(text, place, depth + 1)
        values.append(child.value)
        place = _separator(text, child.end, "]")
    return _Node(start, place + 1, values)


def _separator(text: str, place: int, closing: str) -> int:
    """Return where the next item, or the closing bracket, starts."""
    place = _blank(text, place)
    if text.startswith(",", place):
        return _blank(text, place + 1)
    if not text.startswith(closing, place):
        raise _wrong(text, place)
    return place


def _string(text: str, place: int) -> tuple[int, str]:
    found = _STRING.match(text, place)
    try:
        if found:
            return found.end(), str(json.loads(found[0]))
    except ValueError as error:
        raise _wrong(text, place) from error
    raise _wrong(text, place)


def _wrong(text: str, place: int) -> Unfit:
    line = text.count("\n", 0, place) + 1
    column = place - text.rfind("\n", 0, place)
    return Unfit(f"it is not JSON (line {line}, column {column})")
