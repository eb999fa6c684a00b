"""Change YAML as text: an entry is added in front of its siblings, and the rest stays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from mem_mcp.clients.edit import BOM, Edit, Keys, Unfit

_UNIT = 2


def read(text: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Return the value of a file; see `formats.FileFormat`."""
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unfit(f"it is not YAML ({' '.join(str(error).split())})") from error
    return {} if value is None else value


def put(text: str, path: Keys, value: Mapping[str, Any]) -> Edit:
    """Return the change that sets a mapping at a path; see `formats.FileFormat`."""
    line = "\r\n" if "\r\n" in text else "\n"
    node = _parse(text)
    column = 0
    for depth, key in enumerate(path):
        if _is_nothing(node):
            return _below(text, node, path[depth:], value, line, column)
        if not isinstance(node, yaml.MappingNode):
            raise Unfit(f"{'.'.join(path[:depth]) or 'the whole'} is not a mapping")
        found = _find(node, key)
        if found is None:
            return _added(text, node, path[depth:], value, line, top=not depth)
        column = found[0].start_mark.column + _UNIT
        node = found[1]
    if _is_nothing(node):
        return _below(text, node, (), value, line, column)
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        start, end = (node.start_mark.index, node.end_mark.index) if node else (0, 0)
        return Edit(start, text[start:end], json.dumps(value))
    start = node.start_mark.index
    whole = "".join(_written(value, node.start_mark.column, line))
    return Edit(start, text[start : _ends_whole(text, node)], whole.strip(" \r\n"))


def drop(text: str, path: Keys) -> str:
    """Return the text without what is at a path; see `formats.FileFormat`."""
    node = _parse(text)
    pair = None
    for key in path:
        pair = _find(node, key) if isinstance(node, yaml.MappingNode) else None
        if pair is None or (isinstance(node, yaml.MappingNode) and node.flow_style):
            raise Unfit(f"{'.'.join(path)} is not written as a block")
        node = pair[1]
    if pair is None:
        return text
    start = text.rfind("\n", 0, pair[0].start_mark.index) + 1
    end = text.find("\n", max(_ends_whole(text, pair[1]), pair[0].end_mark.index))
    return text[:start] + ("" if end < 0 else text[end + 1 :])


def _parse(text: str) -> yaml.Node | None:
    read(text)
    return yaml.compose(text, yaml.SafeLoader)


def _is_nothing(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and not node.value and not node.style)


def _find(node: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = [pair for pair in node.value if pair[0].value == key]
    return pairs[-1] if pairs else None


def _below(
    text: str,
    node: yaml.Node | None,
    path: Keys,
    value: Mapping[str, Any],
    line: str,
    column: int,
) -> Edit:
    """Return the change where nothing is yet: in an empty file, or after a key without value."""
    whole = "".join(_written(_nested(path, value), column, line))
    if node is None:
        start = "" if text in ("", BOM) or text.endswith("\n") else line
        return Edit(len(text), "", start + whole)
    return Edit(node.end_mark.index, "", line + whole.removesuffix(line))


def _added(
    text: str,
    node: yaml.MappingNode,
    path: Keys,
    value: Mapping[str, Any],
    line: str,
    *,
    top: bool,
) -> Edit:
    """Return the change that adds a member to a mapping."""
    nested = _nested(path, value)
    if node.flow_style:
        comma = ", " if node.value else ""
        return Edit(node.start_mark.index + 1, "", f"{json.dumps(nested)[1:-1]}{comma}")
    first = node.value[0][0].start_mark
    whole = "".join(_written(nested, first.column, line))
    if top:
        return Edit(len(text), "", ("" if text.endswith("\n") else line) + whole)
    start = text.rfind("\n", 0, first.index) + 1
    return Edit(start, "", whole)


def _nested(path: Keys, value: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return value


def _written(value: Mapping[str, Any], column: int, line: str) -> Iterator[str]:
    for key, one in value.items():
        if isinstance(one, Mapping) and one:
            yield f"{' ' * column}{key}:{line}"
            yield from _written(one, column + _UNIT, line)
        else:
            # JSON is YAML on one line.
            yield f"{' ' * column}{key}: {json.dumps(one)}{line}"


def _end(node: yaml.Node) -> int:
    """Return where a value ends; a block's own mark is where the next thing starts."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _ends_whole(text: str, node: yaml.Node) -> int:
    # A text of several lines ends where the next thing starts: its last line end is not its own.
    return len(text[: _end(node)].rstrip(" \r\n"))
