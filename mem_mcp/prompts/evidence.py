"""Which messages show what a model states."""

from __future__ import annotations

from collections.abc import Sequence

from mem_mcp.prompts.conversation import Said
from mem_mcp.prompts.quotes import Passages, words

_LEAST_WORDS = 3
_ALIKE = 0.8
_LEAST_BYTES = 10
"""Of a memory that is recited: shorter ones stand in many texts by chance."""


class NoEvidence(Exception):
    """Why a quote shows nothing."""


class Evidence:
    """The messages a model learnt from, and the memories that it saw beside them."""

    def __init__(self, new: Sequence[Said], known: Sequence[str]) -> None:
        self._new = new
        self._passages = Passages([said.text for said in new])
        self._known = Passages(known)
        self._known_words = [words(text) for text in known]
        telling = [text for text in known if len(text.encode()) >= _LEAST_BYTES]
        self._reciting = {place for text in telling for place in self._passages.holding(text)}

    def of(self, quote: str) -> list[Said]:
        """Return the messages that hold a quote; one at least.

        Raises:
            NoEvidence: none does, or only what sets an agent up.
        """
        holding = self._passages.holding(quote)
        if not holding:
            raise NoEvidence("what it quotes is not in the messages")
        heard = [self._new[place] for place in holding if self._new[place].speaker != "setup"]
        if not heard:
            raise NoEvidence("what it quotes only sets the agent up")
        return heard

    def is_given_back(self, quote: str) -> bool:
        """Whether nobody but machines says this, and they have it from a memory.

        That is, each message that holds the quote holds a whole memory, too; or the quote stands
        in a memory, or nearly all of its words do.
        """
        places = self._passages.holding(quote)
        if any(self._new[place].speaker == "person" for place in places):
            return False
        return self._reciting.issuperset(places) or self._is_of_memory(quote)

    def _is_of_memory(self, quote: str) -> bool:
        quoted = words(quote)
        least = max(_LEAST_WORDS, _ALIKE * len(quoted))
        return bool(self._known.holding(quote)) or any(
            len(quoted & known) >= least for known in self._known_words
        )
