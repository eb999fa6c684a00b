"""The suites: which data they read, and what is asked of it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.answering.run import answering
from mem_mcp.evaluation.datasets import banking77, github_issues, locomo
from mem_mcp.evaluation.datasets.dataset import Dataset
from mem_mcp.evaluation.harness import Bench
from mem_mcp.evaluation.learning import feedback, outcome_recall, task_stream
from mem_mcp.evaluation.report import Report
from mem_mcp.evaluation.retrieval import off_topic
from mem_mcp.evaluation.retrieval.evidence import find
from mem_mcp.evaluation.retrieval.token_budget import BUDGETS, curve


class Load(Protocol):
    """Reads a file, or only its first so many parts; the seed is for samples of it."""

    def __call__(self, path: Path, first: int | None, seed: int) -> Dataset:  # noqa: D102
        ...


class Measure(Protocol):
    """Asks the questions; `ran` is what the report says of the run."""

    def __call__(self, bench: Bench, **ran: object) -> Awaitable[Report]:  # noqa: D102
        ...


@dataclass(frozen=True, slots=True)
class Suite:
    """A data format, and what is asked of it."""

    load: Load
    measure: Measure
    times: int = 1
    """How often each question is asked."""
    asks_model: bool = False
    """Whether a language model answers."""


_HITS = ("hit@1", "hit@5", "hit@10", "MRR", "nDCG@10")
_SHARES = ("recall@1", "recall@5", "recall@10", "recall@20", "MRR", "nDCG@10")
SUITES = {
    "locomo": Suite(locomo.load, partial(find, metrics=_SHARES)),
    "lessons": Suite(
        github_issues.load, partial(outcome_recall.find_and_try, metrics=_HITS), times=2
    ),
    "intents": Suite(banking77.load, partial(find, metrics=_HITS)),
    "abstain": Suite(off_topic.load, off_topic.abstain, times=2),
    "locomo-curve": Suite(locomo.load, curve, times=len(BUDGETS) + 1),
    "locomo-answer": Suite(locomo.load_answers, answering, times=4, asks_model=True),
    "feedback": Suite(locomo.load, feedback.feedback),
    "stream": Suite(task_stream.load, task_stream.stream, times=task_stream.STORES),
}


def suite_named(name: str) -> Suite:
    """Return a suite.

    Raises:
        InvalidInput: there is none of this name.
    """
    if name not in SUITES:
        known = f"{', '.join(SUITES)} (and extraction and speed, on the command line)"
        raise InvalidInput("suite", f"{name!r} is not one of {known}")
    return SUITES[name]
