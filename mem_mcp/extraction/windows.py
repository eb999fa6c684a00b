"""Long conversations, in parts that a model can read at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mem_mcp.prompts.conversation import Said, message
from mem_mcp.prompts.cutting import Count, ending, parts
from mem_mcp.text import count_tokens

OVERLAP = 4
"""Messages of the previous window that help to understand the next."""
_CONTEXT_SHARE = 4
"""At most one part in so many of a window is context."""
_CUT = "[…] "


@dataclass(frozen=True, slots=True)
class Window:
    """What a model reads at once."""

    new: tuple[Said, ...]
    """To learn from; every message is new in one window, or part by part in several."""
    context: tuple[Said, ...] = ()
    """Of the window before, to understand it by; a long one is cut to its end."""


def windows(
    messages: Sequence[Said],
    most: int,
    *,
    overlap: int = OVERLAP,
    count: Count = count_tokens,
) -> list[Window]:
    """Cut a conversation between its messages.

    A message that is longer than a window is cut itself, at paragraphs, sentences or words.

    Args:
        messages: in order.
        most: tokens of a window, the marks around each message included.
        overlap: most messages of context.
        count: tokens of a text; a longer one never counts less, and two no less than both joined.
    """

    def size(said: Said) -> int:
        # With the line break after it.
        return count(message(said) + "\n")

    found: list[Window] = []
    new: list[Said] = []
    context: tuple[Said, ...] = ()
    left = most
    for said in _fitting(messages, most, size):
        if new and size(said) > left:
            found.append(Window(tuple(new), context))
            context = _context(new, min(most // _CONTEXT_SHARE, most - size(said)), overlap, size)
            left = most - sum(map(size, context))
            new = []
        new.append(said)
        left -= size(said)
    return [*found, Window(tuple(new), context)] if new else found


def _fitting(messages: Sequence[Said], most: int, size: Callable[[Said], int]) -> list[Said]:
    """Cut what is longer than a window, so that there is room for context beside each part."""
    fitting: list[Said] = []
    for said in messages:
        if size(said) <= most:
            fitting.append(said)
        else:
            room = most - most // _CONTEXT_SHARE
            cut = parts(said.text, room, _counting(said, size))
            fitting += [replace(said, text=text) for text in cut]
    return fitting


def _context(
    before: Sequence[Said], most: int, overlap: int, size: Callable[[Said], int]
) -> tuple[Said, ...]:
    """Return the last messages that fit; the first of them from where it fits."""
    kept: list[Said] = []
    for said in reversed(before[-overlap:] if overlap else ()):
        if size(said) > most:
            start = ending(said.text, most, _counting(said, size, _CUT))
            if start < len(said.text):
                kept.append(replace(said, text=_CUT + said.text[start:]))
            break
        kept.append(said)
        most -= size(said)
    return tuple(reversed(kept))


def _counting(said: Said, size: Callable[[Said], int], mark: str = "") -> Count:
    """Return how large a message is with other texts."""
    return lambda text: size(replace(said, text=mark + text))
