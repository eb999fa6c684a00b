"""Pictures of messages: which are taken, and what stands in their place."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from mem_mcp import Settings
from mem_mcp.errors import InvalidInput
from mem_mcp.extraction.pictures import (
    MOST_PICTURES,
    UNDESCRIBED,
    Content,
    Picture,
    content_of,
    from_note,
    left_out,
    noted,
)
from mem_mcp.prompts import describe

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 16
KINDS = {
    "png": PNG,
    "jpeg": b"\xff\xd8\xff\xe0 and more",
    "gif": b"GIF89a and more",
    "webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
}
TEXT = {"type": "text", "text": "my bicycle"}
ADDRESS = "https://example.org/a.png"


def packed(data: bytes = PNG) -> str:
    return base64.b64encode(data).decode()


def url(data: bytes = PNG, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{packed(data)}"


def settings(**pictures: Any) -> Settings:
    return Settings.model_validate({"pictures": pictures})


def taken(part: dict[str, Any], **pictures: Any) -> Picture:
    (picture,) = content_of([TEXT, part], "messages[0].content", settings(**pictures)).pictures
    return picture


def refusal(part: Any, **pictures: Any) -> str:
    with pytest.raises(InvalidInput) as error:
        content_of([TEXT, part], "messages[3].content", settings(**pictures))
    assert error.value.argument == "messages[3].content"
    return str(error.value)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": url()}},
        {"type": "image_url", "image_url": url()},
        {"type": "image", "data": packed(), "mimeType": "image/png"},
        {"type": "image", "data": "\n".join(packed()), "mimeType": "image/png"},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": packed()},
        },
        {"type": "image", "source": {"type": "url", "url": url()}},
        {"type": "image_url", "image_url": {"url": f"DATA:;base64,{packed()}"}},
    ],
)
def test_a_picture_is_taken_in_every_form_that_clients_send(part: dict[str, Any]):
    assert taken(part) == Picture(url(), "auto")


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_picture_is_its_first_bytes_tell_and_not_its_label(kind: str):
    part = {"type": "image", "data": packed(KINDS[kind]), "mimeType": "image/tiff"}
    assert taken(part).url == url(KINDS[kind], kind)


def test_a_pictures_own_detail_wins_over_the_setting():
    own = {"type": "image_url", "image_url": {"url": url(), "detail": "high"}}
    without = {"type": "image", "data": packed()}
    assert taken(own, detail="low").detail == "high"
    assert taken(without, detail="low").detail == "low"
    assert taken({**without, "detail": "high"}, detail="low").detail == "high"


@pytest.mark.parametrize(
    "address", [ADDRESS, "HTTPS://example.org/a.png", "http://[::1]:8/a.png?x=1#y"]
)
def test_an_address_is_taken_as_it_is(address: str):
    for part in (
        {"type": "image_url", "image_url": address},
        {"type": "image", "source": {"type": "url", "url": address}},
    ):
        picture = taken(part)
        assert picture.is_remote
        assert picture.url.lower() == address.lower()
        assert picture.url.startswith("http")


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "image", "data": packed()[:-3]}, "no base64"),
        ({"type": "image", "data": "<>"}, "no base64"),
        ({"type": "image", "data": "b\u00e4r="}, "no base64"),
        ({"type": "image", "data": ""}, "no PNG, JPEG, GIF or WebP"),
        ({"type": "image", "data": packed(b"%PDF-1.7")}, "no PNG, JPEG, GIF or WebP"),
        ({"type": "image", "data": packed(b"<svg/>")}, "no PNG, JPEG, GIF or WebP"),
        ({"type": "image_url", "image_url": "data:image/png,abc"}, "data:image/…;base64,…"),
        ({"type": "image_url", "image_url": "ftp://example.org/a.png"}, "address"),
        ({"type": "image_url", "image_url": "https://"}, "address"),
        ({"type": "image_url", "image_url": "https://[::1/a.png"}, "address"),
        ({"type": "image_url", "image_url": "https://example.org/a b.png"}, "address"),
        ({"type": "image_url", "image_url": ""}, "address"),
        ({"type": "image_url", "image_url": f"https://example.org/{'a' * 8_000}"}, "characters"),
        ({"type": "image_url", "image_url": {"href": ADDRESS}}, "a picture is {type"),
        ({"type": "image"}, "a picture is {type"),
        ({"type": "image", "data": 5}, "a picture is {type"),
        ({"type": "image", "source": {"type": "file", "file_id": "x"}}, "a picture is {type"),
        ({"type": "image", "data": packed(), "detail": "sharp"}, "low, high, auto"),
        ({"type": "image_url", "image_url": {"url": url(), "detail": []}}, "low, high, auto"),
        ({"type": "audio", "data": packed()}, "type text, image or image_url"),
        ("a picture", "type text, image or image_url"),
        ({"type": "image", "path": "a.png"}, "pictures.folder is empty"),
        ({"type": "image_url", "image_url": "file:///a.png"}, "pictures.folder is empty"),
        ({"type": "image_url", "image_url": "file://server/a.png"}, "file of this machine"),
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused_by_name(part: Any, why: str):
    assert why in refusal(part)


def test_the_largest_picture_is_taken_and_one_byte_more_is_not(tmp_path: Path):
    size = len(PNG)
    (tmp_path / "a.png").write_bytes(PNG)
    parts = [{"type": "image", "data": packed()}, {"type": "image", "path": "a.png"}]
    for part in parts:
        assert taken(part, max_bytes=size, folder=str(tmp_path)).url == url()
        told = refusal(part, max_bytes=size - 1, folder=str(tmp_path))
        assert f"{size} bytes" in told
        assert "pictures.max_bytes" in told


def test_a_call_takes_so_many_pictures_and_no_more():
    part = {"type": "image", "data": packed()}
    found = content_of([part] * MOST_PICTURES, "m", settings())
    assert len(found.pictures) == MOST_PICTURES
    with pytest.raises(InvalidInput, match=f"at most {MOST_PICTURES} pictures"):
        content_of([part] * (MOST_PICTURES + 1), "m", settings())
    with pytest.raises(InvalidInput, match="pictures"):
        content_of([part], "m", settings(), most=0)


# Files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "shared pictures"
    (inside / "of").mkdir(parents=True)
    (inside / "of" / "a.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    return inside


def test_a_file_is_named_by_its_path_or_its_address(folder: Path):
    whole = folder / "of" / "a.png"
    for part in (
        {"type": "image", "path": "of/a.png"},
        {"type": "image", "path": "of/../of/a.png"},
        {"type": "image", "path": str(whole)},
        {"type": "image_url", "image_url": {"url": whole.as_uri()}},
        {
            "type": "image",
            "source": {"type": "url", "url": f"file://localhost{whole.as_uri()[7:]}"},
        },
    ):
        assert taken(part, folder=str(folder)).url == url()


def test_a_link_that_stays_inside_is_followed(folder: Path):
    (folder / "link.png").symlink_to(folder / "of" / "a.png")
    assert taken({"type": "image", "path": "link.png"}, folder=str(folder)).url == url()


def test_of_what_lies_outside_not_even_is_told_whether_it_exists(folder: Path):
    (folder / "out").symlink_to(folder.parent)
    (folder / "out.png").symlink_to(folder.parent / "secret.png")
    outside = [
        str(folder.parent / "secret.png"),
        str(folder.parent / "absent.png"),
        "../secret.png",
        "../absent.png",
        "out/secret.png",
        "out/absent.png",
        "out.png",
        f"{folder}-too/a.png",
    ]
    told = {refusal({"type": "image", "path": path}, folder=str(folder)) for path in outside}
    told |= {
        refusal({"type": "image_url", "image_url": f"file://{folder.as_uri()[7:]}/%2e%2e/{name}"},
                folder=str(folder))
        for name in ("secret.png", "absent.png")
    }  # fmt: skip
    assert len(told) == 1
    assert "inside the folder" in told.pop()


def test_what_is_no_file_is_refused_without_being_opened(folder: Path):
    os.mkfifo(folder / "pipe.png")  # to open it would wait for a writer
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "text.png").write_text("no picture")
    for path, why in (
        ("of", "no regular file"),
        ("pipe.png", "no regular file"),
        (".", "no regular file"),
        ("absent.png", "cannot be read"),
        ("of/a.png/b.png", "cannot be read"),
        ("loop.png", "cannot be read"),
        ("a\x00.png", "NUL"),
        ("text.png", "no PNG"),
    ):
        assert why in refusal({"type": "image", "path": path}, folder=str(folder)), path


# What a message holds


def test_texts_around_pictures_keep_their_places():
    given = [TEXT, {"type": "image", "data": packed()}, {"type": "text", "text": "and I"}]
    found = content_of(given, "m", settings(), name="Ana")
    assert found.text == f"my bicycle\n{UNDESCRIBED}\nand I"
    assert found.name == "Ana"


def test_empty_texts_beside_a_picture_do_not_count():
    given = [{"type": "text", "text": " \n"}, {"type": "image", "data": packed()}]
    assert content_of(given, "m", settings()).parts == (Picture(url(), "auto"),)


@pytest.mark.parametrize("given", [[], [{"type": "text", "text": " "}], "", None])
def test_a_message_of_nothing_is_refused(given: Any):
    with pytest.raises(InvalidInput):
        content_of(given, "m", settings())


def test_addresses_are_left_out_unless_they_may_be_passed_on():
    remote, own = Picture(ADDRESS), Picture(url())
    contents = [Content((remote,)), Content(("hi", own, remote))]
    kept, out = left_out(contents, settings(urls=False), "")
    assert [content.parts for content in kept] == [(), ("hi", own)]
    assert [place for place, _ in out] == [0, 1]
    assert all("pictures.urls" in why for _, why in out)
    assert left_out(contents, settings(urls=True), "") == (contents, [])
    kept, out = left_out(contents, settings(urls=True), "it is dark")
    assert [content.parts for content in kept] == [(), ("hi",)]
    assert {why for _, why in out} == {"it is dark"}


def test_what_is_noted_comes_back_as_it_was():
    content = Content(("a", Picture(url(), "high"), UNDESCRIBED, Picture(ADDRESS)), "Ana")
    assert from_note(noted(content), content.text, "Ana") == content


@pytest.mark.parametrize(
    "note",
    [
        None,
        "a",
        [],
        [5],
        [{"url": "file:///etc/passwd", "detail": "auto"}],
        [{"url": ADDRESS}],
        [{"url": ADDRESS, "detail": "auto"}, "of another text"],
    ],
)
def test_a_note_that_is_not_of_this_text_does_not_count(note: Any):
    assert from_note(note, UNDESCRIBED, "Ana") == Content((UNDESCRIBED,), "Ana")


# What a model says of a picture


def said(description: str, written: str | None = None, **most: int) -> str | None:
    return describe.told(
        describe.PictureDescription(description=description, written=written), **most
    )


def test_a_description_stands_on_one_line_between_brackets():
    assert said(" A red bicycle\nin front of a house ") == (
        "[Picture: A red bicycle in front of a house]"
    )
    assert said("A red bicycle", "For\nsale") == (
        "[Picture: A red bicycle. Written in it: “For sale”]"
    )
    assert said("A bicycle!", "Now") == "[Picture: A bicycle! Written in it: “Now”]"
    assert said("", "Now") == "[Picture: Written in it: “Now”]"


def test_a_description_of_nothing_is_none():
    assert said(" ") is None
    assert said("\x00", "\n") is None


def test_a_description_can_be_stored_and_is_no_longer_than_allowed():
    assert said("a\x00b \ud800 {}") == "[Picture: a b ? {}]"
    assert said("abcdefgh" * 10, most=20) == "[Picture: abcdefgh…]"
    longest = said("x" * 9_000, "y" * 9_000)
    assert longest is not None
    assert len(longest) == describe.MOST_CHARACTERS


def test_a_picture_is_shown_as_closely_as_it_is_asked_for():
    for detail, shown in (("", {"url": "u"}), ("low", {"url": "u", "detail": "low"})):
        _, user = describe.messages("u", detail=detail)
        assert user["content"][1]["image_url"] == shown
