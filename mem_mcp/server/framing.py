"""From bytes to lines, and from a line to a message, or to the answers that say why it is none."""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mcp.types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)
from pydantic import ValidationError
from pydantic_core import from_json

# Of a line that is too long, this much of each end is kept: the id of a request is in one of them.
_ENDS = 1_000

_WELL_FORMED = "send one JSON object a line, in UTF-8, no lone surrogates, nested 200 deep at most"
_RULES = {
    "jsonrpc": 'must be "2.0"',
    "id": "must be a text or a whole number",
    "method": "must be a text",
    "params": "must be an object",
    "result": "must be an object",
    "error": "must be an object with code and message",
}

_ANSWERS = {"result", "error"}

_NOBODY = (None,)
_LENIENT = json.JSONDecoder(strict=False)
_PLAIN = r'"[^"\\]*"\s*:\s*(?:"[^"\\]*"|[-+.\w]+)\s*'
_ID = r'"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)\s*'
# Before and after the outermost object's id there may be plain fields only: in anything nested
# there may be another "id", which is not the request's.
_FIRST = re.compile(rf"\{{\s*(?:{_PLAIN},\s*)*{_ID}[,}}]")
_LAST = re.compile(rf"[,{{]\s*{_ID}(?:,\s*{_PLAIN})*\}}$")


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end."""

    data: bytes
    too_long: bool = False
    """Of such a line there are only the two ends."""


class Lines:
    """Collects chunks into lines, in bounded memory.

    Args:
        longest: bytes that a line may have.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Take what came in; yield the lines that end in it."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            yield self.end()
        self._add(rest)

    def end(self) -> Line:
        """Return the line that has come so far, and begin another one."""
        line = Line(b"".join(self._parts), too_long=self._size > self._longest)
        self._parts, self._size = [], 0
        return line

    def _add(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._longest:
            kept = b"".join(self._parts)
            self._parts = [kept[:_ENDS], kept[_ENDS:][-_ENDS:]]


def understand(line: Line, longest: int) -> JSONRPCMessage | list[bytes]:
    """Read a line.

    Args:
        line: not a blank one.
        longest: what the refusal of a line that is too long names, in bytes.

    Returns:
        The message, or the error that answers each request in it: with null for an id where none
        can be made out.
    """
    data = line.data.removeprefix(BOM_UTF8)
    if line.too_long:
        reason = f"a line may have {longest:,} bytes; send less at once"
        return _refusals(INVALID_REQUEST, reason, _outer_ids(_text(data)))
    try:
        sent = from_json(data)
    except ValueError as error:
        reason = f"cannot be read: {error}; {_WELL_FORMED}"
        return _refusals(PARSE_ERROR, reason, _ids_within(_text(data)))
    if not isinstance(sent, dict):
        reason = "must be a JSON object; send each request on a line of its own"
        return _refusals(INVALID_REQUEST, reason, _ids(sent if isinstance(sent, list) else []))
    try:
        return _model(sent).model_validate(sent, by_name=False)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        return _refusals(INVALID_REQUEST, f"{name}: {_RULES[name]}", _ids([sent]))


def _model(
    sent: dict[str, Any],
) -> type[JSONRPCRequest | JSONRPCNotification | JSONRPCResponse | JSONRPCError]:
    if "method" in sent:
        # By its presence: a request with an unusable id waits for an answer, a notification not.
        return JSONRPCRequest if "id" in sent else JSONRPCNotification
    if "error" in sent:
        return JSONRPCError
    return JSONRPCResponse if "result" in sent else JSONRPCRequest


def _refusals(code: int, reason: str, ids: list[str | int | float]) -> list[bytes]:
    error = {"code": code, "message": reason}
    return [
        json.dumps({"jsonrpc": "2.0", "id": each, "error": error}).encode()
        for each in ids or _NOBODY
    ]


def _ids(values: list[Any]) -> list[str | int | float]:
    """Return the ids of the requests among some messages; answers are not answered."""
    asked = [each for each in values if isinstance(each, dict) and not each.keys() & _ANSWERS]
    return [each["id"] for each in asked if _is_id(each.get("id"))]


def _is_id(value: object) -> bool:
    """Whether JSON-RPC allows a value as an id: a text, or a finite number."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int) and not isinstance(value, bool)


def _text(data: bytes) -> str:
    """Decode a line as UTF-8; of a line in UTF-16, its ASCII characters are read."""
    return data.replace(b"\0", b"").decode("utf-8", "replace").strip("\ufffd\ufeff \t\r")


def _ids_within(text: str) -> list[str | int | float]:
    """Find the ids in a line that is not JSON, but perhaps nearly."""
    values: list[Any] = []
    at = 0
    try:
        while at < len(text):
            value, at = _LENIENT.raw_decode(text, at)
            values.extend(value if isinstance(value, list) else [value])
            while text[at : at + 1].isspace():
                at += 1
    except (ValueError, RecursionError):
        pass
    return _ids(values) or _outer_ids(text)


def _outer_ids(text: str) -> list[str | int | float]:
    """Find the outermost object's id where it stands among the first or the last fields."""
    found = _FIRST.match(text[:_ENDS]) or _LAST.search(text[-_ENDS:])
    return [_LENIENT.decode(found[1])] if found else []
