"""The room of an answer: how much it shows of each text, best first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mem_mcp.text import count_tokens

# A passage of a few sentences. Less of a long text is shown only where the best has no more room.
_PASSAGE_TOKENS, _PASSAGE_CHARACTERS = 125, 500
_CHARACTERS_PER_TOKEN = 4
# A sentence: less than that says nothing.
_SENTENCE_TOKENS = 20


@dataclass(frozen=True, slots=True)
class Room:
    """What the texts of an answer may take."""

    total: int
    """Of all of them together."""
    most: int
    """Of one."""
    passage: int
    """From how much on a text is better shown in part than left out."""
    size: Callable[[str], int]
    """Measures a text."""

    @classmethod
    def of_tokens(cls, total: int) -> Room:
        """Return the room that a caller gives; one text may fill it."""
        return cls(total, total, _PASSAGE_TOKENS, count_tokens)

    @classmethod
    def of_characters(cls, total: int, most: int) -> Room:
        """Return the room of an answer to a caller that names none."""
        return cls(total, min(total, most), min(_PASSAGE_CHARACTERS, most), len)

    @property
    def tokens(self) -> int:
        """About how many tokens may be said in all."""
        return self.total if self.size is count_tokens else self.total // _CHARACTERS_PER_TOKEN

    def needed(self, size: int) -> int:
        """Return the least that a text of this size takes: all of it, or a passage."""
        return min(size, self.passage)

    def shares(self, sizes: Sequence[int]) -> list[int]:
        """Share the room out.

        A text that has no room is left out, and smaller ones after it may still have some. But the
        best is never left out for another: it is cut to the room there is, and where that is none
        to speak of, nothing is shown.

        Args:
            sizes: of the texts, best first.

        Returns:
            How much of each is shown, 0 for one that is left out. Short texts are shown whole; what
            they leave is shared equally by the longer ones.
        """
        left, taken, shares = self.total, list[int](), [0] * len(sizes)
        for place, size in enumerate(sizes):
            needed = self.needed(size)
            if not taken and needed > left >= _SENTENCE_TOKENS:
                needed = left
            if needed <= left:
                taken.append(place)
                left -= needed
            elif not taken:
                break
        left = self.total
        for others, place in enumerate(sorted(taken, key=sizes.__getitem__)):
            shares[place] = min(sizes[place], self.most, left // (len(taken) - others))
            left -= shares[place]
        return shares
