"""Change a configuration file of any format, and check that only what is meant changes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from mem_mcp.clients.edit import Edit, Keys, Unfit, at

_UNSAFE = "it is written in a way that cannot be changed safely"


class FileFormat(Protocol):
    """How one format is read and changed. Each function raises Unfit rather than guess."""

    def read(self, text: str) -> Any:  # noqa: ANN401 - whatever the file holds
        """Return the value of a whole file; that of an empty one is an empty mapping."""

    def put(self, text: str, path: Keys, value: Mapping[str, Any]) -> Edit:
        """Return the change that sets the mapping at a path, with what leads to it."""

    def drop(self, text: str, path: Keys) -> str:
        """Return the text without what is at a path, which is there."""


def format_of(name: str) -> FileFormat:
    """Return the format of a name: json (comments are allowed), toml or yaml."""
    # Imported late: a start needs one of them.
    return cast("FileFormat", import_module(f"mem_mcp.clients.{name}_edit"))


def put(form: FileFormat, text: str, path: Keys, value: Mapping[str, Any]) -> Edit:
    """Return the change that sets a mapping at a path; it is checked to change nothing else.

    Args:
        form: the format of the file.
        text: all of the file.
        path: the keys that lead to the place.
        value: what is to be there.

    Raises:
        Unfit: the file does not parse, or has no place for it.
    """
    before = form.read(text)
    edit = form.put(text, path, value)
    after = _read_again(form, edit.applied(text))
    if at(after, path) != value or not _same(before, after, path):
        raise Unfit(_UNSAFE)
    return edit


def drop(form: FileFormat, text: str, path: Keys) -> str:
    """Return a text without what is at a path; the rest is checked to stay as it was.

    Raises:
        Unfit: the file does not parse, or the place cannot be taken out of it safely.
    """
    before = form.read(text)
    changed = form.drop(text, path)
    after = _read_again(form, changed)
    if at(after, path) is not None or not _same(before, after, path):
        raise Unfit(_UNSAFE)
    return changed


def undo(form: FileFormat, text: str, path: Keys, edit: Edit) -> str | None:
    """Return a text with a change taken back, wherever it is by now; None if it is not whole.

    Args:
        form: the format of the file.
        text: all of the file, in which anything else may have changed.
        path: where the change put something.
        edit: the change.
    """
    before = form.read(text)
    starts = [edit.start, text.find(edit.inserted), text.rfind(edit.inserted)]
    for start in starts:
        if start < 0 or text[start : start + len(edit.inserted)] != edit.inserted:
            continue
        changed = Edit(start, edit.inserted, edit.removed).applied(text)
        try:
            after = form.read(changed)
        except Unfit:
            continue
        gone = at(after, path) is None or bool(edit.removed)
        if gone and _same(before, after, path):
            return changed
    return None


def _read_again(form: FileFormat, changed: str) -> Any:  # noqa: ANN401
    try:
        return form.read(changed)
    except Unfit as error:
        raise Unfit(_UNSAFE) from error


def _same(one: Any, other: Any, path: Keys) -> bool:  # noqa: ANN401
    """Return whether two values are equal but for what is at a path, and what leads to it."""
    # By their texts: 1 is not True here, and what is no number equals itself.
    return repr(_without(one, path)) == repr(_without(other, path))


def _without(tree: Any, path: Keys) -> Any:  # noqa: ANN401
    if not path or not isinstance(tree, Mapping) or path[0] not in tree:
        return tree
    rest = {key: value for key, value in tree.items() if key != path[0]}
    inner = _without(tree[path[0]], path[1:]) if len(path) > 1 else None
    # Empty mappings on the way count as nothing: a change may have to make them.
    return {**rest, path[0]: inner} if inner else rest
