"""What a measured store holds: texts that people said, questions about them, and whose they are.

Every second memory belongs to OWNER. The others go to HUNDRED and THOUSAND, where the store is
large enough for them, and to users of a hundred memories each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path

import numpy as np

from mem_mcp.evaluation.datasets import locomo

OWNER = "owner"
HUNDRED = "hundred"
THOUSAND = "thousand"
RUN = 20
"""Messages of a run."""
TAGS: Mapping[int, str] = {k: f"one_in_{k}" for k in (10, 100, 1_000, 10_000)}
"""Tags that one memory in so many has, whoever it belongs to."""
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


@dataclass(frozen=True, slots=True)
class Utterance:
    """A text, and who said it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts and questions; repeated, they are as many as are needed."""

    utterances: Sequence[Utterance]
    questions: Sequence[str]

    def utterance(self, number: int) -> Utterance:
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
    utterances = [Utterance(message["name"], message["content"]) for message in messages]
    questions = list(dict.fromkeys(case.arguments["query"] for case in dataset.cases))
    order = np.random.default_rng(seed).permutation(len(questions))
    return Corpus(utterances, [questions[row] for row in order])


def _generated(seed: int) -> Corpus:
    combinations = list(product(_NAMES, _DEEDS, _THINGS, _CIRCUMSTANCES))
    order = np.random.default_rng(seed).permutation(len(combinations))
    sample = [combinations[row] for row in order[:_MOST_TEXTS]]
    return Corpus(
        [Utterance(name, f"I {did} {thing} {how}.") for name, (did, _), thing, how in sample],
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


def usual_user(size: int) -> str:
    """Return the user that stands for most users: the largest of known size, or OWNER."""
    return [OWNER, *small_users(size)][-1]
