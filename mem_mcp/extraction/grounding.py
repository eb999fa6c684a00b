"""Find the messages that support what a model states."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from mem_mcp.extraction.hedging import is_of_listener, is_yes, supposes
from mem_mcp.extraction.quotes import Passages, ordered_words, words
from mem_mcp.extraction.subject_match import EMPTY_WORDS
from mem_mcp.prompts import describe
from mem_mcp.prompts.conversation import Utterance

_LEAST_WORDS = 3
_ALIKE = 0.8
_LEAST_BYTES = 10
"""Shortest memory that counts as recited: shorter ones stand in many texts by chance."""
_REACH = 200
"""Characters on either side of a quote that show its topic."""
_COPIED = 0.75
"""Share of the words of a quote that an inexact copy has in order."""
_BEFORE = 2
"""Messages before a quote that show its topic."""


class NoEvidence(Exception):
    """A quote supports nothing; the text says why."""


class Evidence:
    """The messages that a model read, and the memories that it saw beside them."""

    def __init__(
        self, new: Sequence[Utterance], known: Sequence[str], context: Sequence[Utterance] = ()
    ) -> None:
        self._new = new
        self._context = context
        self._passages = Passages([said.text for said in new])
        self._known = Passages(known)
        self._known_words = [words(text) for text in known]
        telling = [text for text in known if len(text.encode()) >= _LEAST_BYTES]
        self._reciting = {place for text in telling for place in self._passages.holding(text)}

    def of(self, quote: str) -> list[Utterance]:
        """Return the messages that hold a quote, at least one.

        Raises:
            NoEvidence: no message holds it, or only system prompts do.
        """
        if not self._passages.holding(quote):
            raise NoEvidence("what it quotes is not in the messages")
        heard = [self._new[place] for place in self._heard(quote)]
        if not heard:
            raise NoEvidence("what it quotes only sets the agent up")
        return heard

    def nearest(self, quote: str) -> str | None:
        """Return the one sentence that a quote copies inexactly; None if it is exact, or free.

        All content words of the quote must stand in the sentence, and most words in their order.
        """
        if self._passages.holding(quote):
            return None
        sought = ordered_words(quote)
        if len(sought) < _LEAST_WORDS:
            return None
        sentences = [
            sentence
            for said in self._new
            if said.speaker != "setup"
            for sentence in re.split(r"(?<=[.!?…;。！？])\s*", said.text)  # noqa: RUF001
            if sentence.strip()
        ]
        shares = [
            (_in_order(sought, ordered_words(one)), one)
            for one in sentences
            if not ({*sought} - EMPTY_WORDS) - words(one)
        ]
        best, sentence = max(shares, default=(0, ""), key=lambda share: share[0])
        return sentence.strip() if best >= _COPIED * len(sought) else None

    def near(self, quote: str) -> list[str]:
        """Return the text around a quote, for each message that holds it."""
        return [self._passages.near(quote, place, _REACH) for place in self._heard(quote)]

    def before(self, quote: str) -> list[str]:
        """Return the messages just before a quote: "forget that" names nothing by itself."""
        flow, first = [*self._context, *self._new], len(self._context)
        return [
            said.text[-2 * _REACH :]
            for place in self._heard(quote)
            for said in flow[max(0, first + place - _BEFORE) : first + place]
            if said.speaker != "setup"
        ]

    def is_wished(self, quote: str) -> bool:
        """Whether a person says the quote, and not only a picture that they show."""
        said = [self._new[place] for place in self._heard(quote)]
        own = [describe.without(one.text) for one in said if one.speaker == "person"]
        return bool(Passages(own).holding(quote))

    def is_supposed(self, quote: str) -> bool:
        """Whether only agents say the quote, as a guess about the listener that nobody confirms."""
        places = self._unconfirmed(quote)
        return bool(places) and all(supposes(self._new[place].text, quote) for place in places)

    def is_hearsay(self, quote: str) -> bool:
        """Whether only agents say the quote, about the listener, and nobody confirms it."""
        places = self._unconfirmed(quote)
        return bool(places) and all(
            is_of_listener(self._new[place].text, quote) for place in places
        )

    def is_given_back(self, quote: str) -> bool:
        """Whether only agents say the quote, and they repeat it from a memory.

        That is so if each message that holds the quote also holds a whole memory, or if a memory
        holds the quote or nearly all of its words.
        """
        places = self._passages.holding(quote)
        if any(self._new[place].speaker == "person" for place in places):
            return False
        return self._reciting.issuperset(places) or self._is_of_memory(quote)

    def _heard(self, quote: str) -> list[int]:
        holding = self._passages.holding(quote)
        return [place for place in holding if self._new[place].speaker != "setup"]

    def _unconfirmed(self, quote: str) -> list[int]:
        """Return the places of a quote if no person says it or answers yes to it; else nothing."""
        places = self._heard(quote)
        for place in places:
            after = self._new[place + 1 : place + 2]
            if self._new[place].speaker == "person":
                return []
            if after and after[0].speaker == "person" and is_yes(after[0].text):
                return []
        return places

    def _is_of_memory(self, quote: str) -> bool:
        quoted = words(quote)
        least = max(_LEAST_WORDS, _ALIKE * len(quoted))
        return bool(self._known.holding(quote)) or any(
            len(quoted & known) >= least for known in self._known_words
        )


def _in_order(sought: Sequence[str], words_of: Sequence[str]) -> int:
    """Return how many of the words stand in another text in the same order."""
    matcher = SequenceMatcher(None, sought, words_of, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())
