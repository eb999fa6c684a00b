"""Does feedback on some questions help others, and how much does wrong feedback harm?

In each conversation a seeded half of the questions gives marks: of the first memories that each
finds, those that answer it are marked as helpful and the others as not. The other half is asked
with these marks stored, and is compared with the same questions in the unmarked memory.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from mem_mcp.evaluation.datasets.dataset import Case
from mem_mcp.evaluation.harness import Answer, Bench
from mem_mcp.evaluation.learning.feedback_report import (
    NONE,
    FeedbackReport,
    Marked,
    Measured,
    grouped,
)
from mem_mcp.evaluation.retrieval.evidence import LIMIT

MARKED = 10
"""Memories that a question marks: the first that it finds."""
WRONG = {"clean": 0.0, "20 % wrong": 0.2, "all wrong": 1.0}
"""The share of marks that say the opposite, by arm."""
SEEDS = 5
"""Halves that are drawn, with this many seeds from the run's own on."""
_AT_ONCE = 1_000


class _Mark(NamedTuple):
    user_id: str
    query: str
    memory_id: str
    helped: bool


@dataclass(frozen=True, slots=True)
class _Halves:
    """Numbers of the cases that give marks, and of those that are measured."""

    marking: Sequence[int]
    measured: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What came of one drawing of the halves."""

    marks: int
    refused: int
    marked: frozenset[str]
    """Memories that were marked, in whatever way."""
    helpful: frozenset[str]
    """Memories that answer one of the questions that marked them."""
    answers: Mapping[str, Mapping[int, Answer]]
    """By arm and number of the case."""


async def feedback(bench: Bench, **ran: Any) -> FeedbackReport:  # noqa: ANN401 - a report's fields
    """Ask every question without marks; then, seed by seed and arm by arm, half of them with.

    Args:
        bench: what to ask; a user a conversation. At the end it holds no mark.
        ran: what the report says of the run.
    """
    cases = bench.dataset.cases
    halves = {bench.seed + number: _halves(cases, bench.seed + number) for number in range(SEEDS)}
    marked = sum(len(WRONG) * len(each.measured) for each in halves.values())
    bench.steps = bench.done + 2 * len(cases) + marked
    before = await _ask(bench, range(len(cases)))
    drawn = {seed: await _draw(bench, before, each, seed) for seed, each in halves.items()}
    after = await _ask(bench, range(len(cases)))
    rows = [_row(bench, number, before[number], drawn) for number in before]
    return FeedbackReport(
        **ran,
        rows=rows,
        seeds=list(drawn),
        limit=LIMIT,
        marks=fmean(each.marks for each in drawn.values()),
        refused=sum(each.refused for each in drawn.values()),
        changed=sum(_ids(before[number]) != _ids(after[number]) for number in before),
        groups=grouped(rows, list(drawn), bench.seed),
        by_seed={seed: grouped(rows, [seed], bench.seed) for seed in drawn},
    )


def _halves(cases: Sequence[Case], seed: int) -> _Halves:
    """Draw half of each conversation's questions; of an odd number the smaller half marks."""
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    of: dict[str, list[int]] = defaultdict(list)
    for number, case in enumerate(cases):
        of[case.arguments["user_id"]].append(number)
    marking = {each for some in of.values() for each in draw.sample(some, len(some) // 2)}
    measured = [number for number in range(len(cases)) if number not in marking]
    return _Halves(sorted(marking), measured)


async def _ask(bench: Bench, numbers: Iterable[int]) -> dict[int, Answer]:
    return {each: await bench.ask(bench.dataset.cases[each], limit=LIMIT) for each in numbers}


async def _draw(bench: Bench, before: Mapping[int, Answer], halves: _Halves, seed: int) -> _Drawn:
    """Measure one half with the marks of the other, arm by arm, and take the marks back."""
    marks = [mark for each in halves.marking for mark in _marks(bench, before[each], each)]
    answers, refused = {}, 0
    for arm, wrong in WRONG.items():
        # The latest mark of a rater on a memory and a question replaces the one before.
        refused += await _give(bench, marks, _words(marks, wrong, seed))
        answers[arm] = await _ask(bench, halves.measured)
    refused += await _give(bench, marks, [""] * len(marks))
    return _Drawn(
        marks=len(marks),
        refused=refused,
        marked=frozenset(mark.memory_id for mark in marks),
        helpful=frozenset(mark.memory_id for mark in marks if mark.helped),
        answers=answers,
    )


def _row(bench: Bench, number: int, before: Answer, drawn: Mapping[int, _Drawn]) -> Marked:
    case = bench.dataset.cases[number]
    relevant = bench.relevant(case)
    measured, errors = {}, [before.error]
    for seed, each in drawn.items():
        answers = {arm: some[number] for arm, some in each.answers.items() if number in some}
        errors += [answer.error for answer in answers.values()]
        if answers:
            measured[seed] = Measured(
                shared=bool(relevant & each.marked),
                helped=bool(relevant & each.helpful),
                ranks={arm: answer.ranks for arm, answer in {NONE: before, **answers}.items()},
            )
    return Marked(
        case=case.name,
        category=case.category,
        relevant=len(relevant),
        seeds=measured,
        error=next((error for error in errors if error), None),
    )


def _marks(bench: Bench, answer: Answer, number: int) -> list[_Mark]:
    case = bench.dataset.cases[number]
    relevant = bench.relevant(case)
    user_id, query = case.arguments["user_id"], case.arguments["query"]
    found = [one.memory_id for one in answer.found[:MARKED]]
    return [_Mark(user_id, query, memory_id, memory_id in relevant) for memory_id in found]


def _words(marks: Sequence[_Mark], wrong: float, seed: int) -> list[str]:
    draw = random.Random(f"wrong {seed}")  # noqa: S311
    return ["POSITIVE" if mark.helped != (draw.random() < wrong) else "NEGATIVE" for mark in marks]


async def _give(bench: Bench, marks: Sequence[_Mark], words: Sequence[str]) -> int:
    """Store marks, or take them back where the word is empty; return how many were refused."""
    of: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for mark, word in zip(marks, words, strict=True):
        of[mark.user_id].append(
            {"memory_id": mark.memory_id, "feedback": word, "query": mark.query}
        )
    refused = 0
    for user_id, items in of.items():
        for start in range(0, len(items), _AT_ONCE):
            some = items[start : start + _AT_ONCE]
            result = await bench.memory.give_feedback(items=some, user_id=user_id)
            refused += len(result.errors)
    return refused


def _ids(answer: Answer) -> list[str]:
    return [one.memory_id for one in answer.found]
