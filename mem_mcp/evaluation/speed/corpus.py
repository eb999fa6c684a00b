"""What speed is measured with: things people said, and questions about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path

import numpy as np

from mem_mcp.evaluation.datasets import locomo

GENERATED = "made-up sentences"
# No common divisor with how memories are laid out, so that every user gets every text.
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
class Said:
    """One message, and who said it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts and questions, of which any number can be made by repetition."""

    file: str
    said: Sequence[Said]
    questions: Sequence[str]

    def asked(self) -> Iterator[str]:
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
    messages = [message for item in dataset.items for message in item.arguments["messages"]]
    said = [Said(message["name"], message["content"]) for message in messages]
    questions = list(dict.fromkeys(case.arguments["query"] for case in dataset.cases))
    order = np.random.default_rng(seed).permutation(len(questions))
    return Corpus(data.name, said, [questions[row] for row in order])


def _generated(seed: int) -> Corpus:
    combinations = list(product(_NAMES, _DEEDS, _THINGS, _CIRCUMSTANCES))
    order = np.random.default_rng(seed).permutation(len(combinations))
    chosen = [combinations[row] for row in order[:_MOST_TEXTS]]
    said = [Said(name, f"I {did} {thing} {how}.") for name, (did, _), thing, how in chosen]
    asked = [f"When did {name} {do} {thing} {how}?" for name, (_, do), thing, how in chosen]
    return Corpus(GENERATED, said, asked[:_MOST_QUESTIONS])
