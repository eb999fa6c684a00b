"""Cut long conversations into windows that a model can read at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mem_mcp.extraction.text_splitter import Count, ending, parts
from mem_mcp.prompts.conversation import Utterance, message
from mem_mcp.text import count_tokens

OVERLAP = 4
"""How many messages of the previous window are shown as context of the next."""
_CONTEXT_SHARE = 4
"""Context takes at most one in so many tokens of a window."""
_CUT = "[…] "


@dataclass(frozen=True, slots=True)
class ConversationWindow:
    """The part of a conversation that a model reads at once."""

    new: tuple[Utterance, ...]
    """The messages to learn from. Each message is new in one window; a long one is split."""
    context: tuple[Utterance, ...] = ()
    """The last messages of the window before; a long one is cut to its end."""


def windows(
    messages: Sequence[Utterance],
    most: int,
    *,
    overlap: int = OVERLAP,
    count: Count = count_tokens,
) -> list[ConversationWindow]:
    """Cut a conversation between its messages.

    A message that is longer than a window is cut itself, at paragraphs, sentences or words.

    Args:
        messages: in order.
        most: most tokens of a window, the tags around each message included.
        overlap: most messages of context.
        count: counts the tokens of a text; a longer text never counts less, and two texts
            never less than both joined.
    """

    def size(said: Utterance) -> int:
        # With the line break after it.
        return count(message(said) + "\n")

    found: list[ConversationWindow] = []
    new: list[Utterance] = []
    context: tuple[Utterance, ...] = ()
    left = most
    for said in _fitting(messages, most, size):
        if new and size(said) > left:
            found.append(ConversationWindow(tuple(new), context))
            context = _context(new, min(most // _CONTEXT_SHARE, most - size(said)), overlap, size)
            left = most - sum(map(size, context))
            new = []
        new.append(said)
        left -= size(said)
    return [*found, ConversationWindow(tuple(new), context)] if new else found


def _fitting(
    messages: Sequence[Utterance], most: int, size: Callable[[Utterance], int]
) -> list[Utterance]:
    """Split messages longer than a window; each part leaves room for context."""
    fitting: list[Utterance] = []
    for said in messages:
        if size(said) <= most:
            fitting.append(said)
        else:
            room = most - most // _CONTEXT_SHARE
            cut = parts(said.text, room, _counting(said, size))
            fitting += [replace(said, text=text) for text in cut]
    return fitting


def _context(
    before: Sequence[Utterance], most: int, overlap: int, size: Callable[[Utterance], int]
) -> tuple[Utterance, ...]:
    """Return the last messages that fit; the first of them may be cut to its end."""
    kept: list[Utterance] = []
    for said in reversed(before[-overlap:] if overlap else ()):
        if size(said) > most:
            start = ending(said.text, most, _counting(said, size, _CUT))
            if start < len(said.text):
                kept.append(replace(said, text=_CUT + said.text[start:]))
            break
        kept.append(said)
        most -= size(said)
    return tuple(reversed(kept))


def _counting(said: Utterance, size: Callable[[Utterance], int], mark: str = "") -> Count:
    """Return a function that counts a message with another text in it."""
    return lambda text: size(replace(said, text=mark + text))
