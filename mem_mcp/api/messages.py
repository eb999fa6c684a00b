"""Messages of a conversation, in the forms in which other programs keep them, in one form.

What is taken, told apart by its keys alone:

    OpenAI          {role, content: text or parts, name, refusal, tool_calls, function_call, audio},
                    and the items of its Responses: function_call, function_call_output
    Anthropic       {role, content: text or blocks text, image, document, tool_use, tool_result}
    LangChain       {type: human, content}, {type, data: {content}}, {lc, id, kwargs: {content}}
    Claude Code     {type: user, message: {role, content}, timestamp}: a line of a transcript
    Gemini          {role: model, parts: [{text}, {inlineData}, {functionCall}]}
    ShareGPT        {from: human, value}
    ChatGPT         {author: {role}, content: {parts}, create_time}

What a model thinks is not said, and is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from pydantic import BaseModel

from mem_mcp.api.message_parts import Part, calls_of, is_thought, of_a_tool, parts_of
from mem_mcp.errors import InvalidInput
from mem_mcp.times import optional_time

_Layers = Sequence[Mapping[str, Any]]
"""A message and what it wraps, the innermost first."""

_ROLES = {
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "ai", "bot", "chatbot", "model", "gpt", "chatgpt"), "assistant"),
    **dict.fromkeys(("function_call", "custom_tool_call", "tool_call", "tool_use"), "assistant"),
    **dict.fromkeys(("tool", "function", "tool_result"), "tool"),
    **dict.fromkeys(("function_call_output", "custom_tool_call_output"), "tool"),
    "system": "system",
}
"""Our role for each role of another program; any other role stays as it is."""

_TEXTS = ("content", "parts", "text", "value", "message")
_TIMES = ("occurred_at", "timestamp", "created_at", "createdAt", "create_time")
_THOUGHTS = ("thinking", "reasoning", "reasoning_content")
_BOOKKEEPING = (
    *("summary", "file-history-snapshot", "queue-operation", "progress", "attachment"),
    *("custom-title", "ai-title", "agent-name", "last-prompt", "permission-mode", "mode", "tag"),
    "pr-link",
)
"""Types of transcript lines that hold no message."""

# As unix time, the years 2001 to 2286: no number lies in both.
_SECONDS = range(10**9, 10**10)
_MILLISECONDS = range(10**12, 10**13)


def normalise(message: object, argument: str, zone: tzinfo = UTC) -> dict[str, Any] | None:
    """Return who said what in a message, and when.

    Args:
        message: an object in one of the forms above, or the same as JSON text. Its other keys are
            passed over.
        argument: what to name in an error.
        zone: where a time without a zone is read. A number is unix time, in seconds or
            milliseconds.

    Returns:
        {role, content, name, occurred_at}: content is a text, or where there are pictures a list of
        {type: text} and pictures as `extraction.pictures.content_of` takes them; occurred_at is in
        UTC; each but content may be None. None for a message that says nothing by its nature: only
        thoughts, or the bookkeeping of a transcript. The lengths and characters of the texts, and
        the pictures themselves, are not checked.

    Raises:
        InvalidInput: it is no such object, or there is no text in any place known.
    """
    layers = _layers(_object(message, argument))
    if layers[-1].get("type") == "queue-operation" and "operation" in layers[-1]:
        # The same words come again as a line of their own.
        return None
    said = next((said for layer in layers if (said := _said(layer, argument))), [])
    if not said:
        if _says_nothing(layers):
            return None
        raise InvalidInput(
            argument,
            f"has no text; it was looked for in {', '.join(_TEXTS)}, refusal and tool_calls",
        )
    role, name = _speaker(layers, argument)
    content: str | list[dict[str, Any]] = "\n".join(part for part in said if isinstance(part, str))
    if any(isinstance(part, dict) for part in said):
        content = [
            {"type": "text", "text": part} if isinstance(part, str) else part for part in said
        ]
    occurred_at = _moment(layers, argument, zone)
    return {"role": role, "content": content, "name": name, "occurred_at": occurred_at}


def _object(message: object, argument: str) -> Mapping[str, Any]:
    read = message
    if isinstance(message, BaseModel):
        # As LangChain's and OpenAI's own libraries have them.
        read = message.model_dump()
    elif isinstance(message, str) and message.lstrip().startswith("{"):
        try:
            read = json.loads(message)
        except (ValueError, RecursionError):
            read = message
    if not isinstance(read, Mapping):
        raise InvalidInput(
            argument,
            "must be {role, content}, with name and occurred_at if known, "
            f"not {type(message).__name__}",
        )
    return read


def _layers(message: Mapping[str, Any]) -> _Layers:
    match message:
        case {"lc": _, "kwargs": Mapping() as inner}:
            return [inner, message]
        case {"attachment": {"type": "queued_command", "prompt": prompt} as queued}:
            # What a user typed while the model was at work; or the program, in another mode.
            typed = queued.get("commandMode", "prompt") == "prompt"
            return [{"type": "user" if typed else "system", "content": prompt}, message]
        case {"content": content} if content:
            return [message]
        case {"message": Mapping() as inner}:
            return [inner, message]
        case {"type": str(kind), "data": Mapping() as inner} if _role(kind) or kind == "chat":
            return [inner, message]
    return [message]


def _said(message: Mapping[str, Any], argument: str) -> list[Part]:
    """Return what one layer says, in order."""
    if of_a_tool(message):
        return parts_of(message, argument)
    # A message that is an object is a layer of its own.
    texts = [place for place in _TEXTS if place != "message" or isinstance(message.get(place), str)]
    found = (parts_of(message.get(place), f"{argument}.{place}") for place in texts)
    said = next(filter(None, found), [])
    audio = message.get("audio")
    spoken = audio.get("transcript") if isinstance(audio, Mapping) else None
    said += [text for text in (message.get("refusal"), spoken) if isinstance(text, str) and text]
    # Some programs keep a call among the parts as well.
    return [*said, *(call for call in calls_of(message, argument) if call not in said)]


def _says_nothing(layers: _Layers) -> bool:
    """Whether a message without text is one by its nature."""
    for layer in layers:
        content = layer.get("content") or layer.get("parts")
        parts = content if isinstance(content, list | tuple) else [layer]
        if any(map(is_thought, parts)) or any(map(layer.get, _THOUGHTS)):
            return True
    kind = layers[-1].get("type")
    return kind in _BOOKKEEPING or (kind == "system" and "subtype" in layers[-1])


def _first(layers: _Layers, *keys: str) -> Any:  # noqa: ANN401 - JSON
    """Return the first value that is given."""
    values = (layer.get(key) for key in keys for layer in layers)
    return next((value for value in values if value is not None and value != ""), None)


def _speaker(layers: _Layers, argument: str) -> tuple[str | None, str | None]:
    """Return the role and the name of who says it."""
    # A tool's name is in the text.
    role, name = _first(layers, "role"), None if of_a_tool(layers[0]) else _first(layers, "name")
    for key, value in (("role", role), ("name", name)):
        if not isinstance(value, str | None):
            raise InvalidInput(f"{argument}.{key}", f"must be text, not {type(value).__name__}")
    for sender in (_first(layers, "author"), _first(layers, "from")):
        match sender:
            case {"role": str(word)}:
                role = role or word
            case str(word) if _role(word):
                role = role or word
            case str(word):
                name = name or word
    for kind in (_first(layers, "type"), _class(layers[-1])):
        if isinstance(kind, str):
            role = role or _role(kind)
    return (_role(role) or role.strip() if role else None), name


def _role(word: str) -> str | None:
    return _ROLES.get(word.strip().casefold())


def _class(message: Mapping[str, Any]) -> str | None:
    """Return what stands before "Message" in the name of a class of LangChain."""
    match message.get("id"):
        case [*_, str(name)]:
            return name.removesuffix("Chunk").removesuffix("Message")
    return None


def _moment(layers: _Layers, argument: str, zone: tzinfo) -> datetime | None:
    for key in _TIMES:
        value = _first(layers, key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            # What is no number at all lies in no range, either.
            if _SECONDS.start <= value < _SECONDS.stop:
                return datetime.fromtimestamp(value, UTC)
            if _MILLISECONDS.start <= value < _MILLISECONDS.stop:
                return datetime.fromtimestamp(value / 1000, UTC)
        if value is not None:
            return optional_time(value, f"{argument}.{key}", zone)
    return None
