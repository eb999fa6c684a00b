"""Fills a store of any size with a limited number of texts, and says whose memory each becomes.

Each text is embedded once. Its copies, under other users or later in a run, get its vector with a
little noise, so that no two vectors are equal.

Every second memory belongs to OWNER. The others go to HUNDRED and THOUSAND, where the store is
large enough for them, and to users of a hundred memories each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mem_mcp.api.models import Memory, Scope
from mem_mcp.config import Settings
from mem_mcp.embedding import BundledEmbedder, Embedder, Role
from mem_mcp.evaluation.datasets import locomo
from mem_mcp.evaluation.harness import memory_with
from mem_mcp.store import Vector, Version
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import new_memory
from mem_mcp.writing.memory_text import embedded_text

OWNER = "owner"
HUNDRED = "hundred"
THOUSAND = "thousand"
RUN = 20
"""Messages of a run."""
TAGS: Mapping[int, str] = {k: f"one_in_{k}" for k in (10, 100, 1_000, 10_000)}
"""Tags that one memory in so many has, whoever it belongs to."""
BY_CALLS = 100_000
"""Memories that are remembered; those above are written to the store directly."""
_BATCH = 1_000
_BULK = 10_000
# Of each of the 384 numbers of a unit vector: a copy has a cosine of about 0.93 to its original.
_NOISE = 0.02
Advance = Callable[[int], None]
"""Takes how many further memories are stored."""
_HUNDRED_FROM = 400
_THOUSAND_FROM = 4_000
# No common divisor with the layout of the memories, so that every user gets every text.
_MOST_TEXTS = 4_999
_MOST_QUESTIONS = 3_000

_NAMES = (
    "Anna", "Ben", "Carla", "David", "Elif", "Frank", "Grace", "Hiro", "Irene", "Jonas",
    "Kamala", "Luis", "Marta", "Nadia", "Omar", "Paula",
)  # fmt: skip
_DEEDS = (
    ("bought", "buy"), ("lost", "lose"), ("repaired", "repair"), ("painted", "paint"),
    ("sold", "sell"), ("found", "find"), ("borrowed", "borrow"), ("photographed", "photograph"),
    ("forgot", "forget"), ("described", "describe"), ("ordered", "order"), ("cleaned", "clean"),
)  # fmt: skip
_THINGS = (
    "an old bicycle", "the garden shed", "a book about whales", "the kitchen table",
    "a ticket to Lisbon", "the violin", "a pair of hiking boots", "the broken printer",
    "a jar of honey", "the family album", "a wooden boat", "the server's backup", "a red scarf",
    "the school play's costumes", "a loaf of rye bread", "the telescope", "a map of Iceland",
    "the neighbour's ladder", "a chess set", "the summer tyres",
)  # fmt: skip
_CIRCUMSTANCES = (
    "after the long meeting on Monday", "because the weather had turned cold",
    "while visiting a sister in Porto", "before moving to the new flat",
    "with the money from the summer job", "although nobody had asked for it",
    "on the way back from the hospital", "for the birthday party next week",
    "during the train strike in March", "when the children were asleep",
    "and was surprised how easy it was", "and promised to tell the others about it",
)  # fmt: skip


class SpokenText(NamedTuple):
    """A text, and who said it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts and questions, which can be repeated to any number."""

    utterances: Sequence[SpokenText]
    questions: Sequence[str]

    def utterance(self, number: int) -> SpokenText:
        """Return the utterance of a number; after the last one they begin again."""
        return self.utterances[number % len(self.utterances)]

    def endless_questions(self) -> Iterator[str]:
        """Yield questions without end, none twice."""
        for times in count():
            for question in self.questions:
                yield question + "?" * times


def corpus_of(data: Path | None, seed: int) -> Corpus:
    """Read a LoCoMo file, or make sentences up.

    Raises:
        InvalidInput: the file cannot be used.
    """
    return _generated(seed) if data is None else _conversations(data, seed)


def _conversations(data: Path, seed: int) -> Corpus:
    dataset = locomo.load(data)
    messages = [message for call in dataset.calls for message in call.arguments["messages"]]
    utterances = [SpokenText(message["name"], message["content"]) for message in messages]
    questions = list(dict.fromkeys(case.arguments["query"] for case in dataset.cases))
    order = np.random.default_rng(seed).permutation(len(questions))
    return Corpus(utterances, [questions[row] for row in order])


def _generated(seed: int) -> Corpus:
    combinations = list(product(_NAMES, _DEEDS, _THINGS, _CIRCUMSTANCES))
    order = np.random.default_rng(seed).permutation(len(combinations))
    sample = [combinations[row] for row in order[:_MOST_TEXTS]]
    return Corpus(
        [SpokenText(name, f"I {did} {thing} {how}.") for name, (did, _), thing, how in sample],
        [
            f"When did {name} {do} {thing} {how}?"
            for name, (_, do), thing, how in sample[:_MOST_QUESTIONS]
        ],
    )


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a memory belongs."""

    rank: int
    """Its number among its user's half of the store."""
    user_id: str

    @property
    def run_id(self) -> str:
        """The run of the memory; another user's run of the same name is another run."""
        return f"run{self.rank // RUN}"

    @property
    def tags(self) -> list[str]:
        """The tags of the memory."""
        return [tag for k, tag in TAGS.items() if self.rank % k == 0]


def spot(number: int, size: int) -> Spot:
    """Return where a memory of a store belongs.

    Args:
        number: of the memory, from 0.
        size: of the store.
    """
    rank = number // 2
    if number % 2 == 0:
        return Spot(rank, OWNER)
    if size >= _HUNDRED_FROM and rank < 100:  # noqa: PLR2004 - what its name says
        return Spot(rank, HUNDRED)
    if size >= _THOUSAND_FROM and rank < 1_100:  # noqa: PLR2004
        return Spot(rank, THOUSAND)
    return Spot(rank, f"user{rank // 100}")


def small_users(size: int) -> dict[str, str]:
    """Return the users of known size, smallest first, with a name for each."""
    users = {}
    if size >= _HUNDRED_FROM:
        users[HUNDRED] = "one user, 100 memories"
    if size >= _THOUSAND_FROM:
        users[THOUSAND] = "one user, 1,000 memories"
    return users


class CopyingEmbedder:
    """Embeds each text once; later it returns the same vector with noise."""

    def __init__(self, embedder: Embedder, seed: int) -> None:
        self._embedder = embedder
        self._draw = np.random.default_rng(seed)
        self._kept: dict[tuple[str, Role], Vector] = {}

    @property
    def identity(self) -> str:
        """The identity of the embedder behind it."""
        return self._embedder.identity

    @property
    def dimension(self) -> int | None:
        """The length of a vector."""
        return self._embedder.dimension

    async def embed(self, texts: Sequence[str], role: Role) -> Vector:
        """Embed texts; see `Embedder.embed`."""
        first = {text for text in texts if (text, role) not in self._kept}
        if first:
            new = sorted(first)
            rows = await self._embedder.embed(new, role)
            self._kept |= {(text, role): row for text, row in zip(new, rows, strict=True)}
        vectors = []
        for text in texts:
            kept = self._kept[text, role]
            vectors.append(kept if text in first else self._noisy(kept))
            first.discard(text)
        return np.stack(vectors) if vectors else await self._embedder.embed([], role)

    def _noisy(self, vector: Vector) -> Vector:
        noise = self._draw.standard_normal(vector.size, dtype=np.float32)
        moved = vector + _NOISE * noise
        return np.asarray(moved / np.linalg.norm(moved), dtype=np.float32)


async def fill(settings: Settings, corpus: Corpus, size: int, seed: int, advance: Advance) -> None:
    """Fill the store that settings name, which does not exist yet."""
    with closing(BundledEmbedder()) as bundled:
        embedder = CopyingEmbedder(bundled, seed)
        async with memory_with(settings, embedder) as (memory, store):
            by_calls = min(size, BY_CALLS)
            for numbers in _batches(0, by_calls, _BATCH):
                await memory.remember_many([_call(corpus, number, size) for number in numbers])
                advance(len(numbers))
            for numbers in _batches(by_calls, size, _BULK):
                memories = [_memory(corpus, number, size) for number in numbers]
                vectors = await embedder.embed(
                    [embedded_text(each) for each in memories], "passage"
                )
                await store.apply([Version(*row) for row in zip(memories, vectors, strict=True)])
                advance(len(numbers))
            await memory.maintain()


def _batches(first: int, end: int, size: int) -> Iterator[range]:
    for start in range(first, end, size):
        yield range(start, min(start + size, end))


def _call(corpus: Corpus, number: int, size: int) -> dict[str, Any]:
    place = spot(number, size)
    utterance = corpus.utterance(place.rank)
    return {
        "messages": [{"role": "user", "name": utterance.name, "content": utterance.text}],
        "user_id": place.user_id,
        "run_id": place.run_id,
        "tags": place.tags,
    }


def _memory(corpus: Corpus, number: int, size: int) -> Memory:
    place = spot(number, size)
    utterance = corpus.utterance(place.rank)
    memory = new_memory(
        Scope(user_id=place.user_id, run_id=place.run_id),
        utterance.text,
        utc_now(),
        kind="message",
        role="user",
        actor_id=utterance.name,
        position=place.rank % RUN,
        tags=place.tags,
    )
    return memory.model_copy(update={"memory_id": f"bulk{number}", "version_id": f"bulk{number}.1"})
