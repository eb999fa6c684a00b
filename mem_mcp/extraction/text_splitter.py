"""Long logs, cut to what a model can read at once: how it began and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mem_mcp.prompts.cutting import Count, beginning, ending
from mem_mcp.text import count_tokens

_HEAD_SHARE = 3
"""One part in so many is the beginning: what was tried. How it ended is told at the end."""
_GAP_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Log:
    """What a model reads of a log."""

    passages: tuple[str, ...]
    """The log itself: whole, or its beginning and its end."""
    left_out: int = 0
    """Characters between them."""

    @property
    def text(self) -> str:
        """What is shown: the gap, where there is one, marked."""
        return f"\n[... {self.left_out} characters were cut out here ...]\n".join(self.passages)


def log(texts: Sequence[str], most: int, *, count: Count = count_tokens) -> Log:
    """Return what fits of a log.

    Args:
        texts: its parts, in order.
        most: tokens.
        count: tokens of a text; a longer one never counts less.
    """
    whole = "\n".join(texts)
    if count(whole) <= most:
        return Log((whole,))
    room = max(most - _GAP_TOKENS, 2)
    head = beginning(whole, room // _HEAD_SHARE, count)
    tail = head + ending(whole[head:], room - count(whole[:head]), count)
    return Log((whole[:head], whole[tail:]), tail - head)
