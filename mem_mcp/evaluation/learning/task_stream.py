"""Banking77 as a stream of tasks: does an agent do better for what became of the earlier ones?

Each message asks for one of the file's actions. The agent recalls what became of messages like it,
acts by a fixed rule, is told only whether it was right, and records that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mem_mcp.api.models import Outcome
from mem_mcp.config import Settings, StoreSettings
from mem_mcp.evaluation.datasets.banking77_messages import read_messages
from mem_mcp.evaluation.datasets.dataset import Case, Dataset
from mem_mcp.evaluation.harness import Bench, temporary_memory
from mem_mcp.evaluation.learning.simulated_agent import (
    Episode,
    Nearest,
    Past,
    Remembered,
    Stream,
    embedded,
)
from mem_mcp.evaluation.learning.task_stream_report import (
    Acted,
    StreamReport,
    accuracy,
    differences,
)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of learning."""

    name: str
    outcomes: tuple[Outcome, ...]
    """Episodes that are recalled; none: nothing is recorded either."""
    wrong: float = 0.0
    """Share of what the agent is told that is wrong."""
    told: bool = False
    """Whether the right action is recorded each time, whatever was done."""


_BOTH: tuple[Outcome, ...] = ("success", "failure")
ARMS = (
    Arm("no memory", ()),
    Arm("successes only", ("success",)),
    Arm("failures only", ("failure",)),
    Arm("both", _BOTH),
    Arm("both, 20 % told wrong", _BOTH, wrong=0.2),
    Arm("told the right action", _BOTH, told=True),
)
COMPARED = (
    ("both", "no memory"),
    ("both", "successes only"),
    ("both, 20 % told wrong", "no memory"),
)
"""Pairs of arms whose difference is reported."""
STORES = sum(bool(arm.outcomes) for arm in ARMS)
"""Arms that ask a memory."""


@dataclass(slots=True)
class _Run:
    """What an arm did, message by message."""

    right: list[bool] = field(default_factory=list)
    errors: dict[int, str] = field(default_factory=dict)


def load(path: Path, first: int | None = None, seed: int = 0) -> Dataset:
    """Read a file: each message is a case, whose keys are actions.

    Args:
        path: a file of Banking77, with the columns text and category.
        first: only so many messages, after they are shuffled; None for all. All actions remain.
        seed: of the order.

    Raises:
        InvalidInput: the file is missing, cut off, or of another format.
    """
    messages = read_messages(path)
    actions = tuple(sorted({one.intent for one in messages}))
    random.Random(seed).shuffle(messages)  # noqa: S311 - an order, not a secret
    cases = (
        Case(
            name=one.key,
            category=one.intent,
            arguments={"task": one.text},
            relevant=frozenset({one.intent}),
            among=actions,
        )
        for one in messages[:first]
    )
    return Dataset((), tuple(cases))


async def stream(bench: Bench, **ran: Any) -> StreamReport:  # noqa: ANN401 - a report's fields
    """Let each arm act on the whole stream, with a memory of its own.

    Args:
        bench: what to ask; its memory stays empty.
        ran: what the report says of the run; each arm's memory has its settings.
    """
    cases = bench.dataset.cases
    tasks = await embedded(
        [case.arguments["task"] for case in cases],
        [case.category for case in cases],
        cases[0].among,
    )

    # Each store is deleted afterwards: nothing is gained by waiting for the disk.
    settings = Settings(**ran["settings"], store=StoreSettings(durability="os"))
    runs = {
        arm.name: await _remembered(arm, tasks, settings, bench.seed, bench.advance) for arm in ARMS
    }
    exact = {
        arm.name: await _act(arm, tasks, Nearest(tasks, arm.outcomes), bench.seed) for arm in ARMS
    }
    return StreamReport(
        **ran,
        actions=len(tasks.actions),
        arms={
            name: accuracy(run.right, exact[name].right, len(run.errors), bench.seed)
            for name, run in runs.items()
        },
        differences=differences(
            {name: run.right for name, run in runs.items()}, COMPARED, bench.seed
        ),
        rows=[
            Acted(
                case=case.name,
                action=case.category,
                right={name: run.right[number] for name, run in runs.items()},
                error=_first_error(runs, number),
            )
            for number, case in enumerate(cases)
        ],
    )


async def _remembered(
    arm: Arm, tasks: Stream, settings: Settings, seed: int, advance: Callable[[], None]
) -> _Run:
    if not arm.outcomes:
        return await _act(arm, tasks, Nearest(tasks, ()), seed)
    async with temporary_memory(settings) as memory:
        return await _act(arm, tasks, Remembered(memory, tasks, arm.outcomes), seed, advance)


async def _act(
    arm: Arm, tasks: Stream, past: Past, seed: int, advance: Callable[[], None] = lambda: None
) -> _Run:
    """Act on each message; one whose episodes cannot be recalled is not acted on rightly."""
    run = _Run()
    misled = random.Random(f"misled {seed}")  # noqa: S311
    for message, truth in enumerate(tasks.truth):
        run.right.append(False)
        told_wrong = misled.random() < arm.wrong
        try:
            action = tasks.act(message, await past.like(message))
            run.right[-1] = action == truth
            if arm.told:
                await past.add(Episode(message, truth, success=True))
            elif arm.outcomes:
                await past.add(Episode(message, action, success=run.right[-1] != told_wrong))
        except Exception as error:  # noqa: BLE001 - whatever one message breaks is a finding
            run.errors[message] = f"{type(error).__name__}: {error}"
        advance()
    return run


def _first_error(runs: dict[str, _Run], message: int) -> str | None:
    return next(
        (f"{name}: {run.errors[message]}" for name, run in runs.items() if message in run.errors),
        None,
    )
