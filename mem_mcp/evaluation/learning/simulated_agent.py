"""What became of earlier messages of a stream, and the fixed rule that acts on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mem_mcp.api.models import Outcome
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.memory import AsyncMemory

NEIGHBOURS = 10
"""Recalled episodes that vote."""
SHARE = 0.3
"""Vote of an episode with the very same message: for its action if it went well, else against."""
POWER = 4
"""Power of the cosine of its message to this one by which an episode's vote counts.

Both belong to the protocol, as NEIGHBOURS does: with exact neighbours they give the figures that
are known of it. They are not to be tuned with the memory.
"""

Vectors = NDArray[np.float32]


class Episode(NamedTuple):
    """What was done about a message, and how it went."""

    message: int
    action: int
    success: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """Messages in their order, and what can be done about each."""

    texts: Sequence[str]
    truth: Sequence[int]
    """The right action of each."""
    actions: Sequence[str]
    vectors: Vectors
    """(n, d) of the messages."""
    closeness: NDArray[np.float64]
    """(n, a) cosines of messages and the names of actions."""

    def act(self, message: int, recalled: Sequence[Episode]) -> int:
        """Choose an action: the one whose name is closest, corrected by the votes of episodes."""
        worth = self.closeness[message].copy()
        for one in recalled[:NEIGHBOURS]:
            cosine = max(0.0, float(self.vectors[message] @ self.vectors[one.message]))
            worth[one.action] += (SHARE if one.success else -SHARE) * cosine**POWER
        return int(worth.argmax())


async def embedded(texts: Sequence[str], truth: Sequence[str], actions: Sequence[str]) -> Stream:
    """Make a stream; actions are named by what they are called, in words."""
    embedder = BundledEmbedder()
    try:
        vectors = await embedder.embed(texts)
        names = await embedder.embed([name.replace("_", " ") for name in actions])
    finally:
        embedder.close()
    return Stream(
        texts=texts,
        truth=[actions.index(name) for name in truth],
        actions=actions,
        vectors=vectors,
        closeness=(vectors @ names.T).astype(np.float64),
    )


class Past(Protocol):
    """Where episodes are kept."""

    async def like(self, message: int) -> Sequence[Episode]:
        """Return the episodes that speak to a message, best first."""
        ...

    async def add(self, episode: Episode) -> None:
        """Keep an episode."""
        ...


@dataclass(slots=True)
class Remembered:
    """Episodes in a memory: what it recalls, with the outcome that it shows."""

    memory: AsyncMemory
    stream: Stream
    outcomes: Sequence[Outcome]
    """Only episodes that went so are recalled."""
    _messages: dict[str, int] = field(default_factory=dict)
    _actions: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self._actions = {name: number for number, name in enumerate(self.stream.actions)}

    async def like(self, message: int) -> Sequence[Episode]:
        """Return the best of both lists together."""
        found = await self.memory.recall_lessons(
            self.stream.texts[message], outcomes=self.outcomes, limit=NEIGHBOURS
        )
        both = sorted([*found.successes, *found.failures], key=lambda one: -one.score)
        return [
            Episode(
                self._messages[one.memory_id],
                self._actions[one.tool_name or ""],
                one.outcome == "success",
            )
            for one in both[:NEIGHBOURS]
        ]

    async def add(self, episode: Episode) -> None:
        """Record how a message's task went."""
        stored = await self.memory.record_outcome(
            self.stream.texts[episode.message],
            "success" if episode.success else "failure",
            tool_name=self.stream.actions[episode.action],
        )
        self._messages[stored.memory_id] = episode.message


@dataclass(slots=True)
class Nearest:
    """Episodes ranked by nothing but the exact cosine of their messages: what to compare with."""

    stream: Stream
    outcomes: Sequence[Outcome]
    _kept: list[Episode] = field(default_factory=list)

    async def like(self, message: int) -> Sequence[Episode]:
        """Return the nearest."""
        cosines = self.stream.vectors @ self.stream.vectors[message]
        kept = np.array([one.message for one in self._kept], np.int64)
        nearest = np.argsort(-cosines[kept], kind="stable")
        return [self._kept[row] for row in nearest[:NEIGHBOURS].tolist()]

    async def add(self, episode: Episode) -> None:
        """Keep it if it may be recalled."""
        if ("success" if episode.success else "failure") in self.outcomes:
            self._kept.append(episode)
