"""Check pictures in messages, and let a language model with vision describe them."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mem_mcp.api import checks
from mem_mcp.api.progress import PartsReport
from mem_mcp.config import PictureSettings, Settings
from mem_mcp.errors import InvalidInput, LLMBadOutput, LLMError
from mem_mcp.llm import Gateway
from mem_mcp.prompts import describe
from mem_mcp.runtime import Runtime
from mem_mcp.telemetry import span
from mem_mcp.text import check_text, said_by

MOST_PICTURES = 20
"""Of one call."""
UNDESCRIBED = "[Picture, not described yet]"
_DETAILS = ("low", "high", "auto")
_MOST_ADDRESS = 8_000
_NEAR_CHARACTERS = 2_000
# Of a description, also where the text beside it is as long as a text may be.
_LEAST_CHARACTERS = 200
_SHAPES = (
    "a picture is {type: image_url, image_url: {url}}, or {type: image} with data and mimeType, "
    "with source {type: base64, data} or {type: url, url}, or with the path of a file"
)
_TAKEN = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[\w+/=]+|https?:\S+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Picture:
    """A checked picture."""

    url: str
    """A data: URL, or an address that only the provider may fetch."""
    detail: str = "auto"

    @property
    def is_remote(self) -> bool:
        """Whether only its address is known."""
        return not self.url.startswith("data:")


@dataclass(frozen=True, slots=True)
class Content:
    """The parts of a message, in order."""

    parts: tuple[str | Picture, ...]
    name: str | None = None
    """Who says it."""

    @property
    def text(self) -> str:
        """The texts, with a mark where a picture is not described yet."""
        return "\n".join(part if isinstance(part, str) else UNDESCRIBED for part in self.parts)

    @property
    def pictures(self) -> list[Picture]:
        """The pictures that are not described yet."""
        return [part for part in self.parts if isinstance(part, Picture)]


# What is given


def has_parts(messages: object) -> bool:
    """Whether a message may hold pictures: reading those may take a moment."""
    return isinstance(messages, Sequence) and any(
        isinstance(message, Mapping) and isinstance(message.get("content"), list | tuple)
        for message in messages
    )


def content_of(
    given: object,
    argument: str,
    settings: Settings,
    *,
    name: str | None = None,
    most: int = MOST_PICTURES,
) -> Content:
    """Check what a message holds, and read the files among it.

    Args:
        given: a text, or a list of text and image parts.
        argument: what to name in an error.
        settings: how long texts and how large pictures may be, and where files may lie.
        name: who says it.
        most: pictures that may be among it.

    Raises:
        InvalidInput: some of it cannot be taken.
    """
    longest = settings.remember.max_characters
    if not isinstance(given, list | tuple):
        return Content((checks.required_text(given, argument, longest),), name)
    parts: list[str | Picture] = []
    for part in given:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text":
            parts.append(check_text(part.get("text"), argument, longest))
        elif kind in ("image", "image_url"):
            if not most:
                raise InvalidInput(argument, f"at most {MOST_PICTURES} pictures a call are allowed")
            most -= 1
            parts.append(_picture(part, argument, settings.pictures))
        else:
            raise InvalidInput(argument, "parts have the type text, image or image_url")
    texts = [part for part in parts if isinstance(part, str)]
    whole = check_text("\n".join(texts), argument, longest)
    if len(texts) == len(parts):
        checks.required_text(whole, argument, longest)
    elif not whole.strip():
        parts = [part for part in parts if isinstance(part, Picture)]
    return Content(tuple(parts), name)


def _picture(part: Mapping[str, Any], argument: str, settings: PictureSettings) -> Picture:
    detail = part.get("detail")
    match part:
        case {"type": "image_url", "image_url": {"url": str(address)} as given}:
            detail = given.get("detail", detail)
            url = _of_address(address, argument, settings)
        case {"type": "image_url", "image_url": str(address)}:
            url = _of_address(address, argument, settings)
        case {"type": "image", "source": {"type": "url", "url": str(address)}}:
            url = _of_address(address, argument, settings)
        case {"type": "image", "source": {"type": "base64", "data": str(data)}}:
            url = _of_base64(data, argument, settings)
        case {"type": "image", "data": str(data)}:
            url = _of_base64(data, argument, settings)
        case {"type": "image", "path": str(path)}:
            url = _of_file(path, argument, settings)
        case _:
            raise InvalidInput(argument, _SHAPES)
    if detail not in (None, *_DETAILS):
        raise InvalidInput(argument, f"a picture's detail is one of {', '.join(_DETAILS)}")
    return Picture(url, detail or settings.detail)


def _of_address(address: str, argument: str, settings: PictureSettings) -> str:
    scheme, _, rest = address.partition(":")
    match scheme.lower():
        case "data":
            form, _, data = rest.partition(",")
            if not form.lower().endswith(";base64"):
                raise InvalidInput(argument, "a picture's data: URL is data:image/…;base64,…")
            return _of_base64(unquote(data), argument, settings)
        case "file":
            return _of_file(_path(address, argument), argument, settings)
        case "http" | "https" if _is_address(address):
            return f"{scheme.lower()}:{check_text(rest, argument, _MOST_ADDRESS)}"
    raise InvalidInput(argument, "a picture's address is a data:, https:, http: or file: URL")


def _is_address(address: str) -> bool:
    try:
        return bool(urlsplit(address).hostname) and not any(map(str.isspace, address))
    except ValueError:
        return False


def _path(address: str, argument: str) -> str:
    path = re.fullmatch(r"(?i:file):(?://(?:localhost)?)?(/(?!/)[^?#]*)", address)
    if path is None:
        raise InvalidInput(argument, "a file: URL names a file of this machine, as file:///…")
    return unquote(path[1])


def _of_base64(data: str, argument: str, settings: PictureSettings) -> str:
    packed = "".join(data.split())
    _check_size(len(packed) // 4 * 3 - packed[-2:].count("="), argument, settings)
    try:
        unpacked = base64.b64decode(packed, validate=True)
    except ValueError as error:
        raise InvalidInput(argument, "a picture's data is no base64: it may be cut off") from error
    return _of_bytes(unpacked, argument)


def _of_file(path: str, argument: str, settings: PictureSettings) -> str:
    if not settings.folder:
        raise InvalidInput(argument, "no picture may be named as a file: pictures.folder is empty")
    # Also of what is not there, and with links resolved: so what lies outside is never looked at.
    folder = Path(os.path.realpath(Path(settings.folder).expanduser()))
    found = Path(os.path.realpath(folder / check_text(path, argument, _MOST_ADDRESS)))
    if not found.is_relative_to(folder):
        raise InvalidInput(argument, "a picture's file must lie inside the folder pictures.folder")
    try:
        _check_file(found.stat(), argument, settings)
        with open(found, "rb", opener=_open_as_it_is) as file:
            _check_file(os.fstat(file.fileno()), argument, settings)
            data = file.read(settings.max_bytes + 1)
    except OSError as error:
        raise InvalidInput(
            argument, f"a picture's file cannot be read ({error.strerror}); give its path inside "
            "the folder pictures.folder"
        ) from error  # fmt: skip
    _check_size(len(data), argument, settings)
    return _of_bytes(data, argument)


def _check_file(status: os.stat_result, argument: str, settings: PictureSettings) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(argument, "a picture's path names no regular file")
    _check_size(status.st_size, argument, settings)


def _open_as_it_is(path: str, flags: int) -> int:
    # Of what took its place meanwhile, a link is not followed, and a pipe keeps nobody waiting.
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _check_size(size: int, argument: str, settings: PictureSettings) -> None:
    if size > settings.max_bytes:
        raise InvalidInput(
            argument,
            f"a picture has {size:,} bytes; at most {settings.max_bytes:,} are allowed "
            "(pictures.max_bytes): send a smaller one",
        )


def _of_bytes(data: bytes, argument: str) -> str:
    # By its first bytes: what it is said to be may be wrong, which providers refuse.
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "png"
    elif data.startswith(b"\xff\xd8\xff"):
        kind = "jpeg"
    elif data.startswith((b"GIF87a", b"GIF89a")):
        kind = "gif"
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        kind = "webp"
    else:
        raise InvalidInput(argument, "a picture's data is no PNG, JPEG, GIF or WebP")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


# Left out, or put into words


async def blindness(runtime: Runtime, gateway: Gateway) -> str:
    """Return why the model cannot describe pictures; "" if it can."""
    if await gateway.sees():
        return ""
    model = runtime.settings.llm.model
    return f"{model} is not known to read images; where it does, set llm.vision to true"


def left_out(
    contents: Sequence[Content], settings: Settings, blind: str
) -> tuple[list[Content], list[tuple[int, str]]]:
    """Take out the pictures that cannot be described as things are set.

    Args:
        contents: of messages.
        settings: whether addresses may be passed on.
        blind: why no picture can be described; "" if some can.

    Returns:
        What is left of each message, and of each picture that is not the place of its message and
        why.
    """
    kept, out = [], []
    for place, content in enumerate(contents):
        parts: list[str | Picture] = []
        for part in content.parts:
            if isinstance(part, Picture) and (why := blind or _kept_back(part, settings)):
                out.append((place, why))
            else:
                parts.append(part)
        kept.append(replace(content, parts=tuple(parts)))
    return kept, out


def _kept_back(picture: Picture, settings: Settings) -> str:
    if settings.pictures.urls or not picture.is_remote:
        return ""
    return "addresses are not passed on; send its data, or set pictures.urls to true"


async def described(
    runtime: Runtime, gateway: Gateway, contents: Sequence[Content], report: PartsReport
) -> tuple[list[Content], LLMError | None]:
    """Let the model put pictures into words, all at once.

    Args:
        runtime: what to work with.
        gateway: to the model.
        contents: the messages.
        report: is told when each picture begins and ends.

    Returns:
        The messages with a description in the place of each picture, and why some of them have
        none, if so: those are still pictures.
    """

    async def tell(picture: Picture, near: str, most: int) -> str | LLMError:
        await report.begin()
        told = await _described(runtime, gateway, picture, near, most)
        await report.end()
        return told

    asked = [
        tell(picture, _near(contents, place), _room(content, runtime))
        for place, content in enumerate(contents)
        for picture in content.pictures
    ]
    with span("model"):
        answers = await asyncio.gather(*asked)
    left = iter(answers)

    def worded(part: str | Picture) -> str | Picture:
        answer = next(left) if isinstance(part, Picture) else part
        return part if isinstance(answer, LLMError) else answer

    found = [replace(each, parts=tuple(map(worded, each.parts))) for each in contents]
    return found, next((each for each in answers if isinstance(each, LLMError)), None)


async def _described(
    runtime: Runtime, gateway: Gateway, picture: Picture, near: str, most: int
) -> str | LLMError:
    try:
        asked = describe.messages(
            picture.url, near=near, detail=picture.detail, guidance=runtime.prompts.describe
        )
        done = await gateway.complete(asked, describe.PictureDescription)
    except LLMError as error:
        return error
    told = describe.told(done.answer, most)
    return told or LLMBadOutput(f"{done.model} said nothing of a picture")


def _near(contents: Sequence[Content], place: int) -> str:
    """Return the text beside a picture, or of the message before if it comes alone."""
    for content in (contents[place], *contents[max(place - 1, 0) : place]):
        text = "\n".join(part for part in content.parts if isinstance(part, str))
        if text.strip():
            return said_by(content.name, text)[-_NEAR_CHARACTERS:]
    return ""


def _room(content: Content, runtime: Runtime) -> int:
    """Return the longest description, in characters, that keeps the message within its limit."""
    left = runtime.settings.remember.max_characters - len(content.text)
    return max(left // len(content.pictures), _LEAST_CHARACTERS)


# Until it is described


def noted(content: Content) -> list[Any]:
    """Return a message as values that JSON can hold."""
    return [
        part if isinstance(part, str) else {"url": part.url, "detail": part.detail}
        for part in content.parts
    ]


def from_note(note: object, text: str, name: str | None) -> Content:
    """Read what `noted` returned.

    Args:
        note: what `noted` returned; anything else is ignored.
        text: the text of the message now; a note of another text is ignored.
        name: who says it.
    """
    found = Content(tuple(map(_part, note if isinstance(note, list) else [])), name)
    return found if found.text == text else Content((text,), name)


def _part(note: object) -> str | Picture:
    match note:
        case {"url": str(url), "detail": str(detail)}:
            if detail in _DETAILS and _TAKEN.fullmatch(url):
                return Picture(url, detail)
    return str(note)
