"""An agent that acts on a stream of messages by a fixed rule, from recalled earlier episodes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mem_mcp.api.models import Outcome
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.memory import AsyncMemory

NEIGHBOURS = 10
"""How many recalled episodes vote."""
SHARE = 0.3
"""Vote of an episode with the same message: for its action if that went well, else against it."""
POWER = 4
"""An episode's vote is weighed by this power of the cosine between its message and the new one.

SHARE, POWER and NEIGHBOURS belong to the protocol: do not tune them with the memory.
"""

Vectors = NDArray[np.float32]


class Episode(NamedTuple):
    """An action on a message, and whether it was right."""

    message: int
    action: int
    success: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """Messages in their order, and the actions to choose from."""

    texts: Sequence[str]
    truth: Sequence[int]
    """The right action of each."""
    actions: Sequence[str]
    vectors: Vectors
    """(n, d) of the messages."""
    closeness: NDArray[np.float64]
    """(n, a) cosines of messages and the names of actions."""

    def act(self, message: int, recalled: Sequence[Episode]) -> int:
        """Choose the action whose name is closest, corrected by the votes of episodes."""
        scores = self.closeness[message].copy()
        for episode in recalled[:NEIGHBOURS]:
            cosine = max(0.0, float(self.vectors[message] @ self.vectors[episode.message]))
            scores[episode.action] += (SHARE if episode.success else -SHARE) * cosine**POWER
        return int(scores.argmax())


async def embedded(texts: Sequence[str], truth: Sequence[str], actions: Sequence[str]) -> Stream:
    """Embed the messages and the names of the actions of a stream.

    Args:
        texts: the messages.
        truth: the right action of each message, by name.
        actions: the names of all actions.
    """
    with closing(BundledEmbedder()) as embedder:
        vectors = await embedder.embed(texts, "passage")
        names = await embedder.embed([name.replace("_", " ") for name in actions], "passage")
    return Stream(
        texts=texts,
        truth=[actions.index(name) for name in truth],
        actions=actions,
        vectors=vectors,
        closeness=(vectors @ names.T).astype(np.float64),
    )


@dataclass(slots=True)
class MemoryEpisodes:
    """Episodes in a memory; they are recalled with the outcomes that the memory shows."""

    memory: AsyncMemory
    stream: Stream
    outcomes: Sequence[Outcome]
    """Only episodes with these outcomes are recalled."""
    _messages: dict[str, int] = field(default_factory=dict)

    async def like(self, message: int) -> Sequence[Episode]:
        """Return the best of successes and failures together."""
        result = await self.memory.recall_lessons(
            self.stream.texts[message], outcomes=self.outcomes, limit=NEIGHBOURS
        )
        both = sorted([*result.successes, *result.failures], key=lambda outcome: -outcome.score)
        return [
            Episode(
                self._messages[outcome.memory_id],
                self.stream.actions.index(outcome.tool_name or ""),
                outcome.outcome == "success",
            )
            for outcome in both[:NEIGHBOURS]
        ]

    async def add(self, episode: Episode) -> None:
        """Record the outcome of a message's task."""
        stored = await self.memory.record_outcome(
            self.stream.texts[episode.message],
            "success" if episode.success else "failure",
            tool_name=self.stream.actions[episode.action],
        )
        self._messages[stored.memory_id] = episode.message


@dataclass(slots=True)
class NearestEpisodes:
    """Episodes ranked only by the exact cosine of their messages, to compare a memory with."""

    stream: Stream
    outcomes: Sequence[Outcome]
    """Only episodes with these outcomes are kept."""
    _kept: list[Episode] = field(default_factory=list)

    async def like(self, message: int) -> Sequence[Episode]:
        """Return the nearest."""
        cosines = self.stream.vectors @ self.stream.vectors[message]
        messages = np.array([episode.message for episode in self._kept], np.int64)
        nearest = np.argsort(-cosines[messages], kind="stable")
        return [self._kept[row] for row in nearest[:NEIGHBOURS].tolist()]

    async def add(self, episode: Episode) -> None:
        """Keep an episode if its outcome may be recalled."""
        if ("success" if episode.success else "failure") in self.outcomes:
            self._kept.append(episode)
