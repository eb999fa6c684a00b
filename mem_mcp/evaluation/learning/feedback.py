"""Does feedback on some questions help others, and how much does wrong feedback harm?

In each conversation a seeded half of the questions gives marks: of the first memories that each
finds, those that answer it are marked as helpful and the others as not. The other half is asked
with these marks stored, and is compared with the same questions in the unmarked memory.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mem_mcp.api.models import Model
from mem_mcp.evaluation.datasets.dataset import Case
from mem_mcp.evaluation.harness import Bench, RecallAnswer
from mem_mcp.evaluation.metrics import Gain, gain, measure
from mem_mcp.evaluation.report import Report, Row, Table, line
from mem_mcp.evaluation.retrieval.evidence import LIMIT

METRICS = ("MRR", "recall@10")
NONE = "none"
"""The arm without marks."""
MARKED = 10
"""Memories that a question marks: the first that it finds."""
WRONG = {"clean": 0.0, "20 % wrong": 0.2, "all wrong": 1.0}
"""The share of marks that say the opposite, by arm."""
SEEDS = 5
"""How often the halves are drawn, each time with the next seed from the run's own on."""
_MOST_ITEMS = 1_000
"""Marks that one call of `give_feedback` stores."""


class Measurement(Model):
    """What a question found, in one drawing of the halves."""

    shared: bool
    """Whether any memory that answers it was marked, in whatever way."""
    helped: bool
    """Whether any of these memories also answers a question that marked it."""
    ranks: dict[str, tuple[int, ...]]
    """By arm: ranks, from 1, of the relevant memories."""


class MeasuredQuestion(Row):
    """One question; where it fails it found nothing."""

    category: str
    relevant: int
    seeds: dict[int, Measurement]
    """By seed, where the question is not in the half that gives the marks."""


_GROUPS: dict[str, Callable[[Measurement], bool]] = {
    "all": lambda _: True,
    "helped": lambda each: each.helped,
    "not helped": lambda each: not each.helped,
    "shared": lambda each: each.shared,
    "others": lambda each: not each.shared,
}


class Group(Model):
    """Means over all measurements of a group of questions, in percent."""

    questions: int
    measured: int
    """Measurements in all: a question has one for each seed with which it gives no marks."""
    metrics: dict[str, dict[str, float]]
    """By arm."""
    gains: dict[str, dict[str, Gain]]
    """By arm with marks: the difference to none; questions are drawn with all measurements."""


class FeedbackReport(Report):
    """How marks change other questions than those that they were given for."""

    seeds: Sequence[int]
    limit: int
    """Memories that each recall asks for."""
    marks: float
    """Marks given in each arm, mean of the seeds."""
    refused: int
    """Marks that were not stored or not taken back."""
    changed: int
    """Questions whose answer differed from the first one after all marks had been taken back."""
    groups: dict[str, Group]
    """all, helped, not helped, shared and others; a group without questions is left out."""
    by_seed: dict[int, dict[str, Group]]
    rows: Sequence[MeasuredQuestion]

    def _tables(self) -> list[Table]:
        return [*map(self._all_seeds, METRICS), *map(self._each_seed, METRICS)]

    def _legend(self) -> Iterator[str]:
        yield (
            f"marks: {self.marks:,.0f} in each arm, by half of the questions on the first ten "
            "memories of each; measured: the other half, drawn once a seed "
            f"({', '.join(map(str, self.seeds))})"
        )
        yield (
            "helped: what answers the question was also marked by one that it answers; shared: it "
            "was marked, in whatever way; others: it was not"
        )
        yield (
            "intervals: paired bootstrap over questions, each with what all seeds measured of it"
        )
        yield (
            f"after all marks were taken back {self.changed} of {len(self.rows):,} questions were "
            "answered differently than before any was given"
        )
        if self.refused:
            yield f"{self.refused:,} marks were refused"

    def _all_seeds(self, metric: str) -> Table:
        groups = self.groups.values()
        table = [
            [f"{metric}, all seeds", *self.groups],
            line("questions", (group.questions for group in groups), ",.0f"),
            line("measured", (group.measured for group in groups), ",.0f"),
            self._means(NONE, self.groups, metric, NONE),
        ]
        for arm in self.groups["all"].gains:
            gains = [group.gains[arm][metric] for group in groups]
            table += [
                self._means(arm, self.groups, metric, arm),
                line(f"{arm} - none", (each.points for each in gains), "+.1f"),
                line("95 % interval", (each.interval for each in gains), "+.1f"),
            ]
        return table

    def _each_seed(self, metric: str) -> Table:
        return [
            [f"{metric}, by seed", *self.groups],
            *(
                self._means(f"{seed}, {arm}", groups, metric, arm)
                for seed, groups in self.by_seed.items()
                for arm in groups["all"].metrics
            ),
        ]

    def _means(self, name: str, groups: Mapping[str, Group], metric: str, arm: str) -> list[str]:
        means = (
            groups[group].metrics[arm][metric] if group in groups else None for group in self.groups
        )
        return line(name, means, ".1f")


class _Mark(NamedTuple):
    user_id: str
    query: str
    memory_id: str
    helped: bool


Answers = Mapping[int, RecallAnswer]
"""By number of the case."""


async def feedback(bench: Bench) -> FeedbackReport:
    """Ask every question without marks; then half of them with marks, seed by seed, arm by arm.

    Each conversation is a user of the bench. At the end it holds no mark.
    """
    cases = bench.dataset.cases
    seeds = range(bench.seed, bench.seed + SEEDS)
    marking = {seed: _half(cases, seed) for seed in seeds}
    asked_again = sum(len(cases) - len(half) for half in marking.values())
    bench.steps = bench.done + 2 * len(cases) + len(WRONG) * asked_again
    before = await _ask(bench, range(len(cases)))
    measurements: list[dict[int, Measurement]] = [{} for _ in cases]
    errors = [[answer.error] for answer in before.values()]
    mark_count = refused = 0
    for seed in seeds:
        marks = [mark for number in marking[seed] for mark in _marks(bench, before[number], number)]
        mark_count += len(marks)
        measured = [number for number in before if number not in marking[seed]]
        arms: dict[str, Answers] = {NONE: before}
        for arm, wrong in WRONG.items():
            # The latest mark of a rater on a memory and a question replaces the one before.
            refused += await _give(bench, marks, _words(marks, wrong, seed))
            arms[arm] = await _ask(bench, measured)
        refused += await _give(bench, marks, [""] * len(marks))
        for number in measured:
            errors[number] += [answers[number].error for answers in arms.values()]
            measurements[number][seed] = _measurement(bench, number, marks, arms)
    after = await _ask(bench, before)
    rows = [
        MeasuredQuestion(
            case=case.name,
            category=case.category,
            relevant=len(bench.relevant(case)),
            seeds=measurements[number],
            error=next(filter(None, errors[number]), None),
        )
        for number, case in enumerate(cases)
    ]
    return FeedbackReport(
        **bench.ran,
        rows=rows,
        seeds=list(seeds),
        limit=LIMIT,
        marks=mark_count / SEEDS,
        refused=refused,
        changed=sum(before[number].ids != after[number].ids for number in before),
        groups=grouped(rows, seeds, bench.seed),
        by_seed={seed: grouped(rows, [seed], bench.seed) for seed in seeds},
    )


def _half(cases: Sequence[Case], seed: int) -> list[int]:
    """Draw half of each conversation's questions, the smaller half of an odd number."""
    draw = random.Random(seed)  # noqa: S311 - a sample, not a secret
    by_user: dict[str, list[int]] = defaultdict(list)
    for number, case in enumerate(cases):
        by_user[case.arguments["user_id"]].append(number)
    halves = (draw.sample(numbers, len(numbers) // 2) for numbers in by_user.values())
    return sorted(number for half in halves for number in half)


async def _ask(bench: Bench, numbers: Iterable[int]) -> Answers:
    cases = bench.dataset.cases
    return {number: await bench.ask(cases[number], limit=LIMIT) for number in numbers}


def _marks(bench: Bench, answer: RecallAnswer, number: int) -> list[_Mark]:
    case = bench.dataset.cases[number]
    relevant = bench.relevant(case)
    user_id, query = case.arguments["user_id"], case.arguments["query"]
    return [_Mark(user_id, query, each, each in relevant) for each in answer.ids[:MARKED]]


def _words(marks: Sequence[_Mark], wrong: float, seed: int) -> list[str]:
    draw = random.Random(f"wrong {seed}")  # noqa: S311
    return ["POSITIVE" if mark.helped != (draw.random() < wrong) else "NEGATIVE" for mark in marks]


async def _give(bench: Bench, marks: Sequence[_Mark], words: Sequence[str]) -> int:
    """Store marks, or take them back where the word is empty; return how many were refused."""
    by_user: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for mark, word in zip(marks, words, strict=True):
        by_user[mark.user_id].append(
            {"memory_id": mark.memory_id, "feedback": word, "query": mark.query}
        )
    refused = 0
    for user_id, items in by_user.items():
        for start in range(0, len(items), _MOST_ITEMS):
            batch = items[start : start + _MOST_ITEMS]
            result = await bench.memory.give_feedback(items=batch, user_id=user_id)
            refused += len(result.errors)
    return refused


def _measurement(
    bench: Bench, number: int, marks: Sequence[_Mark], arms: Mapping[str, Answers]
) -> Measurement:
    relevant = bench.relevant(bench.dataset.cases[number])
    marks = [mark for mark in marks if mark.memory_id in relevant]
    return Measurement(
        shared=bool(marks),
        helped=any(mark.helped for mark in marks),
        ranks={arm: answers[number].ranks for arm, answers in arms.items()},
    )


def grouped(
    rows: Sequence[MeasuredQuestion], seeds: Sequence[int], bootstrap_seed: int
) -> dict[str, Group]:
    """Summarise all measured questions, and those whose answers were marked or not."""
    measured = [(row, [row.seeds[seed] for seed in seeds if seed in row.seeds]) for row in rows]
    groups = {}
    for name, belongs in _GROUPS.items():
        of_group = [(row, list(filter(belongs, each))) for row, each in measured]
        if questions := [(row, each) for row, each in of_group if each]:
            groups[name] = _group(questions, bootstrap_seed)
    return groups


def _group(questions: Sequence[tuple[MeasuredQuestion, list[Measurement]]], seed: int) -> Group:
    counts = [len(measurements) for _, measurements in questions]
    sums = {
        arm: {name: [_sum(name, arm, *each) for each in questions] for name in METRICS}
        for arm in questions[0][1][0].ranks
    }

    def gain_of(arm: str, metric: str) -> Gain:
        pairs = zip(sums[arm][metric], sums[NONE][metric], strict=True)
        return gain(NONE, [marked - unmarked for marked, unmarked in pairs], seed, counts)

    return Group(
        questions=len(questions),
        measured=sum(counts),
        metrics={
            arm: {name: round(sum(each) / sum(counts), 2) for name, each in metrics.items()}
            for arm, metrics in sums.items()
        },
        gains={arm: {name: gain_of(arm, name) for name in METRICS} for arm in sums if arm != NONE},
    )


def _sum(
    metric: str, arm: str, row: MeasuredQuestion, measurements: Sequence[Measurement]
) -> float:
    """Return the sum of a question's measurements, in percent."""
    return sum(100 * measure(metric, each.ranks[arm], row.relevant) for each in measurements)
