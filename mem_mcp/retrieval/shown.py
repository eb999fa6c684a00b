"""What an answer shows of each memory: its text, or the best passage of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from mem_mcp.api.models import Lesson, Listed, Recalled
from mem_mcp.ranking import Room, excerpt

T = TypeVar("T", Recalled, Lesson, Listed)


def shown(memories: Sequence[T], room: Room, query: str = "", language: str = "") -> list[T]:
    """Return the memories that an answer has room for, long texts cut to their best passages.

    Args:
        memories: best first, whole.
        room: for their texts.
        query: what the passage is to answer; empty for a text's beginning.
        language: of texts and query, where their own words do not tell.
    """
    shares = room.shares([room.size(one.text) for one in memories])
    return [
        _cut(one, share, room, query, language)
        for one, share in zip(memories, shares, strict=True)
        if share or not one.text
    ]


def _cut(memory: T, share: int, room: Room, query: str, language: str) -> T:
    text, size = memory.text, room.size(memory.text)
    if size <= share:
        return memory
    passage, most = text, len(text)
    # A passage may have more bytes a character than the whole text has.
    while room.size(passage) > share:
        most = min(len(text) * share // size, most * share // room.size(passage), most - 1)
        passage = excerpt(text, query, most, language)
    return memory.model_copy(update={"text": passage, "cut": {"text": len(text)}})
