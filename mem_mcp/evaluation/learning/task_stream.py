"""Banking77 as a stream of tasks: does an agent do better for what became of the earlier ones?

Each message asks for one of the file's actions. The agent recalls what became of similar messages,
acts by a fixed rule, learns only whether it was right, and records that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mem_mcp.api.models import Model, Outcome
from mem_mcp.config import StoreSettings
from mem_mcp.evaluation.datasets.banking77 import read_messages
from mem_mcp.evaluation.datasets.dataset import Case, Dataset
from mem_mcp.evaluation.harness import Bench, described, temporary_memory
from mem_mcp.evaluation.learning.simulated_agent import (
    NEIGHBOURS,
    POWER,
    SHARE,
    Episode,
    MemoryEpisodes,
    NearestEpisodes,
    Stream,
    embedded,
)
from mem_mcp.evaluation.metrics import Gain, Interval, gain, interval, mean
from mem_mcp.evaluation.report import Column, Report, Row, Table, table


@dataclass(frozen=True, slots=True)
class LearningArm:
    """One way of learning."""

    name: str
    outcomes: tuple[Outcome, ...]
    """Which episodes are recalled; if none are, none are recorded either."""
    wrong: float = 0.0
    """Share of the results that the agent is told wrongly."""
    told: bool = False
    """Whether the right action is recorded each time, whatever was done."""


_BOTH: tuple[Outcome, ...] = ("success", "failure")
ARMS = (
    LearningArm("no memory", ()),
    LearningArm("successes only", ("success",)),
    LearningArm("failures only", ("failure",)),
    LearningArm("both", _BOTH),
    LearningArm("both, 20 % told wrong", _BOTH, wrong=0.2),
    LearningArm("told the right action", _BOTH, told=True),
)
COMPARED = (
    ("both", "no memory"),
    ("both", "successes only"),
    ("both, 20 % told wrong", "no memory"),
)
"""Pairs of arms whose difference is reported."""
STORES = sum(bool(arm.outcomes) for arm in ARMS)
"""Arms that ask a memory."""
LAST = 500
"""Messages at the end of the stream that are also shown by themselves."""


class StreamTask(Row):
    """One message; a failed one was not acted on rightly, or not recorded."""

    action: str
    right: dict[str, bool]
    """By arm."""


class Accuracy(Model):
    """Share of messages that an arm acted on rightly, in percent."""

    whole: float
    interval: Interval
    """95 % bootstrap interval of `whole`."""
    last: float
    """At the end of the stream."""
    exact_whole: float
    """What the same rule reaches with the nearest episodes by exact cosine."""
    exact_last: float
    failed: int


class Difference(Model):
    """How much more often one arm was right than another; paired bootstrap intervals."""

    arm: str
    whole: Gain
    last: Gain


class StreamReport(Report):
    """How well an agent learns from what it recorded."""

    actions: int
    arms: dict[str, Accuracy]
    differences: Sequence[Difference]
    rows: Sequence[StreamTask]

    @property
    def title(self) -> str:
        """What was done, in short."""
        return f"{self.suite}: {len(self.rows):,} messages, {self.actions} actions, in percent"

    def _tables(self) -> list[Table]:
        last = f"last {min(LAST, len(self.rows))}"
        accuracies: list[Column[Accuracy]] = [
            Column("right", lambda arm: arm.whole, ".1f"),
            Column("95 % interval", lambda arm: arm.interval, ".1f"),
            Column(last, lambda arm: arm.last, ".1f"),
            Column("exact: right", lambda arm: arm.exact_whole, ".1f"),
            Column(f"exact: {last}", lambda arm: arm.exact_last, ".1f"),
        ]
        gains: list[Column[Difference]] = [
            Column("right", lambda each: each.whole.points, "+.1f"),
            Column("95 % interval", lambda each: each.whole.interval, "+.1f"),
            Column(last, lambda each: each.last.points, "+.1f"),
            Column("95 % interval", lambda each: each.last.interval, "+.1f"),
        ]
        pairs = ((f"{each.arm} - {each.whole.over}", each) for each in self.differences)
        return [
            table("recalled", self.arms.items(), accuracies),
            table("difference", pairs, gains),
        ]

    def _legend(self) -> Iterator[str]:
        yield (
            "rule: the action whose name is closest to the message by cosine, corrected by the "
            f"{NEIGHBOURS} best of the recalled episodes: each adds {SHARE} cosine^{POWER} of its "
            "message to its action if it went well, and takes it away if not"
        )
        yield (
            "told: only whether the action was right; exact: the same rule with the nearest "
            "episodes by cosine in place of the memory's"
        )


@dataclass(slots=True)
class _Run:
    """What an arm did, message by message."""

    right: list[bool] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)


def load(path: Path, first: int | None = None, seed: int = 0) -> Dataset:
    """Read a file of Banking77: each message is a case, whose keys are actions.

    A quick run takes the first messages, after they are shuffled, with the actions of all.
    """
    messages = read_messages(path)
    actions = tuple(sorted({message.intent for message in messages}))
    random.Random(seed).shuffle(messages)  # noqa: S311 - an order, not a secret
    cases = (
        Case(
            name=message.key,
            category=message.intent,
            arguments={"task": message.text},
            relevant=frozenset({message.intent}),
            among=actions,
        )
        for message in messages[:first]
    )
    return Dataset((), tuple(cases))


async def stream(bench: Bench) -> StreamReport:
    """Let each arm act on the whole stream, with a memory of its own; the bench's stays empty."""
    cases, seed = bench.dataset.cases, bench.seed
    tasks = await embedded(
        [case.arguments["task"] for case in cases],
        [case.category for case in cases],
        cases[0].among,
    )
    runs = {arm.name: await _with_memory(arm, tasks, bench) for arm in ARMS}
    exact = {arm.name: await _with_nearest(arm, tasks, seed) for arm in ARMS}
    return StreamReport(
        **bench.ran,
        actions=len(tasks.actions),
        arms={name: _accuracy(run, exact[name].right, seed) for name, run in runs.items()},
        differences=[_difference(runs, arm, over, seed) for arm, over in COMPARED],
        rows=[_row(case, number, runs) for number, case in enumerate(cases)],
    )


def _row(case: Case, number: int, runs: dict[str, _Run]) -> StreamTask:
    errors = (f"{name}: {run.errors[number]}" for name, run in runs.items() if number in run.errors)
    right = {name: run.right[number] for name, run in runs.items()}
    return StreamTask(case=case.name, action=case.category, right=right, error=next(errors, None))


async def _with_memory(arm: LearningArm, tasks: Stream, bench: Bench) -> _Run:
    if not arm.outcomes:
        return await _with_nearest(arm, tasks, bench.seed)
    # The store is deleted afterwards: nothing is gained by waiting for the disk.
    settings = bench.settings.model_copy(update={"store": StoreSettings(durability="os")})
    async with temporary_memory(settings) as memory:
        past = MemoryEpisodes(memory, tasks, arm.outcomes)
        return await _act(arm, tasks, past, bench.seed, bench.advance)


async def _with_nearest(arm: LearningArm, tasks: Stream, seed: int) -> _Run:
    return await _act(arm, tasks, NearestEpisodes(tasks, arm.outcomes), seed)


async def _act(
    arm: LearningArm,
    tasks: Stream,
    past: MemoryEpisodes | NearestEpisodes,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> _Run:
    """Act on each message; one whose episodes cannot be recalled is not acted on rightly."""
    run = _Run()
    draw = random.Random(f"misled {seed}")  # noqa: S311
    for message, truth in enumerate(tasks.truth):
        run.right.append(False)
        is_misled = draw.random() < arm.wrong
        try:
            action = tasks.act(message, await past.like(message))
            run.right[-1] = action == truth
            if arm.told:
                await past.add(Episode(message, truth, success=True))
            elif arm.outcomes:
                await past.add(Episode(message, action, success=run.right[-1] != is_misled))
        except Exception as error:  # noqa: BLE001 - whatever a message breaks is a result
            run.errors[message] = described(error)
        advance()
    return run


def _accuracy(run: _Run, exact: Sequence[bool], seed: int) -> Accuracy:
    ours, theirs = ([100.0 * right for right in each] for each in (run.right, exact))
    return Accuracy(
        whole=mean(ours),
        interval=interval(ours, seed),
        last=mean(ours[-LAST:]),
        exact_whole=mean(theirs),
        exact_last=mean(theirs[-LAST:]),
        failed=len(run.errors),
    )


def _difference(runs: dict[str, _Run], arm: str, over: str, seed: int) -> Difference:
    pairs = zip(runs[arm].right, runs[over].right, strict=True)
    points = [100.0 * (ours - theirs) for ours, theirs in pairs]
    return Difference(
        arm=arm, whole=gain(over, points, seed), last=gain(over, points[-LAST:], seed)
    )
