"""The parts of a message's content: texts, pictures, calls of tools and what these answered.

A call is written as "[tool call] search({"q": "tea"})", its result as "[tool result] …", one that
failed as "[tool error] …", and a file that is only named as "[file NAME]". Nothing is cut.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mem_mcp.errors import InvalidInput

Part = str | dict[str, Any]
"""A text, or a picture in a form that `extraction.pictures.content_of` takes."""

_THOUGHTS = ("thinking", "redacted_thinking", "reasoning")
_CALLS = ("tool_use", "tool_call", "function_call")
_ANSWERS = ("tool_result", "tool_call_output", "function_call_output")
_READABLE = (
    *("text", "input_text", "output_text", "image", "image_url", "input_image", "file"),
    *("document", "resource", "resource_link", "search_result", *_THOUGHTS),
)
"""Parts of an answer that are no data of the tool's own."""
_NAMES = (
    *("filename", "file_name", "fileName", "title", "name", "displayName", "display_name", "path"),
    *("uri", "fileUri", "file_uri", "url", "file_url", "file_id", "fileId"),
)
_HOLDERS = ("file", "source", "resource", "fileData", "file_data", "image_file")
_FORMS = ("mimeType", "mime_type", "mediaType", "media_type")
_MOST_NAME = 200
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class _Place:
    argument: str
    depth: int = 0
    in_answer: bool = False
    """Whether a tool answered it: what is not understood is kept as JSON."""

    def wrong(self, problem: str) -> InvalidInput:
        return InvalidInput(self.argument, problem)


def parts_of(content: object, argument: str) -> list[Part]:
    """Return the texts and pictures of a content, in order; texts of white space are left out.

    Args:
        content: None, a text, a part, or a list of texts and parts.
        argument: what to name in an error.

    Raises:
        InvalidInput: it is none of these, or a part has nothing that can be kept.
    """
    return _parts(content, _Place(argument))


def calls_of(message: Mapping[str, Any], argument: str) -> list[str]:
    """Return the calls of tools that a message lists beside its content, as texts."""
    more = message.get("additional_kwargs")
    for holder in (message, more if isinstance(more, Mapping) else {}):
        if calls := holder.get("tool_calls") or holder.get("function_call"):
            place = _Place(f"{argument}.tool_calls")
            listed = calls if isinstance(calls, list | tuple) else [calls]
            return [_call(call, place) for call in listed]
    return []


def of_a_tool(part: object) -> bool:
    """Whether a part is a call of a tool, or its answer."""
    return _kind(part).replace("-", "_").endswith((*_CALLS, *_ANSWERS))


def is_thought(part: object) -> bool:
    """Whether a part is what a model thinks."""
    return isinstance(part, Mapping) and (_kind(part) in _THOUGHTS or part.get("thought") is True)


def _parts(content: object, place: _Place) -> list[Part]:
    match content:
        case None:
            return []
        case str():
            return [content] if content.strip() else []
        case list() | tuple():
            return [part for each in content for part in _part(each, place)]
        case {"parts": list() as listed} if not place.in_answer:
            return [part for each in listed for part in _part(each, place)]
    return _part(content, place)


def _part(part: object, place: _Place) -> list[Part]:
    if isinstance(part, str):
        return _parts(part, place)
    if place.in_answer and _kind(part) not in _READABLE:
        return [_data(part, place)]
    if not isinstance(part, Mapping):
        raise place.wrong(f"must be text or a list of parts, not {type(part).__name__}")
    if place.depth > _DEEPEST:
        raise place.wrong(f"is nested deeper than {_DEEPEST}")
    if is_thought(part):
        return []
    if picture := _picture(part):
        return [picture]
    if (said := _of_tool(part, place)) is None and (said := _texts(part, place)) is None:
        said = _note(part)
    if said is None:
        what = f"of type {_kind(part)!r}" if _kind(part) else "without a type"
        raise place.wrong(f"a part {what} has no text and no name to keep; leave it out")
    return said


# Texts


def _texts(part: Mapping[str, Any], place: _Place) -> list[Part] | None:
    """Return what a part says; None where it has no place for it."""
    match part:
        case {"text": str(text)} | {"text": {"value": str(text)}}:
            return _parts(text, place)
        case {"type": "text"}:
            raise place.wrong("a part of type text has its text in text")
        case {"refusal": str(text)} | {"transcript": str(text)}:
            return _parts(text, place)
        case {"resource": {"text": str() as inner}}:
            pass
        case {"source": {"type": "text", "data": str() as inner}}:
            pass
        case {"source": {"type": "content", "content": inner}} | {"content": inner}:
            pass
        case _:
            return None
    return [*(_note(part) or []), *_parts(inner, replace(place, depth=place.depth + 1))]


def _note(part: Mapping[str, Any]) -> list[Part] | None:
    """Say which file a part is, by the first name of it that is no data."""
    holders = [part, *(held for key in _HOLDERS if isinstance(held := part.get(key), Mapping))]
    for key in _NAMES:
        for holder in holders:
            name = holder.get(key)
            if isinstance(name, str) and name.strip() and not name.startswith("data:"):
                return [f"[file {' '.join(name.split())[:_MOST_NAME]}]"]
    return None


# Pictures


def _picture(part: Mapping[str, Any]) -> Part | None:
    """Return a picture in a form that `content_of` takes, or refuses in its own words."""
    detail = {"detail": part["detail"]} if "detail" in part else {}
    match part:
        case {"type": "image", "source": {"type": "file"}} | {"type": "image", "file_id": str()}:
            return None
        case {"type": "image", "base64": str(data)} | {"type": "image", "image": str(data)} if (
            ":" not in data
        ):
            return {"type": "image", "data": data, **detail}
        case (
            {"type": "image", "image": str(address)}
            | {"type": "image" | "image_url", "url": str(address)}
            | {"type": "image" | "input_image", "image_url": address}
        ):
            return {"type": "image_url", "image_url": address, **detail}
        case {"type": "image" | "image_url"}:
            return dict(part)
        case {"inlineData": Mapping() as file} | {"inline_data": Mapping() as file}:
            return _picture_in(file)
    return _picture_in(part)


def _picture_in(file: Mapping[str, Any]) -> Part | None:
    """Return the picture that a file holds, if it does."""
    form = next((form for key in _FORMS if isinstance(form := file.get(key), str)), "")
    if not form.casefold().startswith("image/"):
        return None
    match file:
        case {"data": str(data)} | {"base64": str(data)}:
            return {"type": "image", "data": data, "mimeType": form}
        case {"url": str(address)}:
            return {"type": "image_url", "image_url": address}
    return None


# Tools


def _of_tool(part: Mapping[str, Any], place: _Place) -> list[Part] | None:
    """Return the text of a call, or what a tool answered; None where it is neither."""
    match part:
        case {"functionResponse": Mapping() as answer} | {"function_response": Mapping() as answer}:
            return _answer(answer, place)
        case {"functionCall": Mapping() as call} | {"function_call": Mapping() as call}:
            return [_call(call, place)]
    kind = _kind(part).replace("-", "_")
    if kind.endswith(_ANSWERS):
        return _answer(part, place)
    return [_call(part, place)] if kind.endswith(_CALLS) else None


def _call(call: object, place: _Place) -> str:
    match call:
        case {"function": Mapping() as inner} | {"custom": Mapping() as inner}:
            pass
        case Mapping() as inner:
            pass
        case _:
            raise place.wrong(f"must be a list of {{name, arguments}}, not {type(call).__name__}")
    given = _first(inner, "input", "arguments", "args", "parameters")
    written = given if isinstance(given, str) else _json(given, place) if given else ""
    return f"[tool call] {_first(inner, 'name', 'toolName') or 'tool'}({written})"


def _answer(part: Mapping[str, Any], place: _Place) -> list[Part]:
    """Return what a tool answered, its first text marked as such."""
    content = _first(part, "content", "output", "result", "response", "text")
    said = _parts(content, replace(place, depth=place.depth + 1, in_answer=True))
    failed = part.get("is_error") is True or part.get("isError") is True
    mark = "[tool error]" if failed else "[tool result]"
    if name := _first(part, "name", "toolName"):
        mark = f"{mark} {name}:"
    if said and isinstance(said[0], str):
        return [f"{mark} {said[0]}", *said[1:]]
    return [mark, *said]


def _data(value: object, place: _Place) -> str:
    """Write data of a tool's own, without what only its provider can read."""
    if isinstance(value, Mapping):
        value = {key: each for key, each in value.items() if key != "encrypted_content"}
    return _json(value, place)


def _json(value: object, place: _Place) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_as_json)
    except (TypeError, ValueError, RecursionError) as error:
        raise place.wrong("what a tool was given or answered is no JSON") from error


def _as_json(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _kind(part: object) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    return kind if isinstance(kind, str) else ""


def _first(part: Mapping[str, Any], *keys: str) -> object:
    return next((value for key in keys if (value := part.get(key)) is not None), None)
