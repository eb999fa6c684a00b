"""The suites, and how one runs: store its data in a memory of its own, ask, sum up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mem_mcp.config import Settings, load_settings
from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.answering.run import answering
from mem_mcp.evaluation.datasets import banking77, github_issues, locomo, xquad
from mem_mcp.evaluation.datasets.dataset import Dataset
from mem_mcp.evaluation.harness import Bench, Progress, check_options, temporary_memory
from mem_mcp.evaluation.learning import feedback, outcome_recall, task_stream
from mem_mcp.evaluation.report import Report, provenance
from mem_mcp.evaluation.retrieval import off_topic, tuning
from mem_mcp.evaluation.retrieval.evidence import find_evidence
from mem_mcp.evaluation.retrieval.languages import languages
from mem_mcp.evaluation.retrieval.token_budget import BUDGETS, curve


@dataclass(frozen=True, slots=True)
class Suite:
    """A data format, and what is asked of such data."""

    load: Callable[[Path, int | None, int], Dataset]
    """Reads the data; see `datasets.dataset`."""
    measure: Callable[[Bench], Awaitable[Report]]
    """Asks the questions."""
    times: int = 1
    """How often each question is asked."""
    asks_model: bool = False
    """Whether a language model answers."""


_HITS = ("hit@1", "hit@5", "hit@10", "MRR", "nDCG@10")
_SHARES = ("recall@1", "recall@5", "recall@10", "recall@20", "MRR", "nDCG@10")
SUITES = {
    "locomo": Suite(locomo.load, partial(find_evidence, metrics=_SHARES)),
    "lessons": Suite(
        github_issues.load, partial(outcome_recall.find_and_record, metrics=_HITS), times=2
    ),
    "intents": Suite(banking77.load, partial(find_evidence, metrics=_HITS)),
    "abstain": Suite(off_topic.load, off_topic.abstain, times=2),
    "locomo-curve": Suite(locomo.load, curve, times=len(BUDGETS) + 1),
    "locomo-answer": Suite(locomo.load_answers, answering, times=4, asks_model=True),
    "feedback": Suite(locomo.load, feedback.feedback),
    "stream": Suite(task_stream.load, task_stream.stream, times=task_stream.STORES),
    "xquad": Suite(xquad.load, languages, times=2),
}
SUITES |= {
    f"{name}-tune": Suite(
        SUITES[name].load, partial(tuning.tune, metric=metric), times=tuning.times()
    )
    for name, metric in tuning.METRICS.items()
}


def suite_named(name: str) -> Suite:
    """Return a suite.

    Raises:
        InvalidInput: no suite has this name.
    """
    if name not in SUITES:
        names = f"{', '.join(SUITES)} (and everyday, extraction and speed, on the command line)"
        raise InvalidInput("suite", f"{name!r} is not one of {names}")
    return SUITES[name]


async def evaluate(
    suite: str,
    data: Path,
    *,
    seed: int = 0,
    first: int | None = None,
    arms: bool = True,
    settings: Settings | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Report:
    """Run a suite in a temporary store.

    Args:
        suite: name of the suite.
        data: its file, or for xquad its folder.
        seed: of samples, pairs and bootstrap intervals.
        first: for a quick run, take only so many conversations, articles,
            issues or questions.
        arms: also rank by words, by meaning and by two simple mixes, or answer from other contexts,
            where the suite compares.
        settings: of the memory, but for the place of its store; None reads them as usual.
        progress: is called after each step.

    Raises:
        InvalidInput: no suite has this name, the language model that it needs is not configured, or
            the file cannot be used.
        MemError: the memory cannot be opened or written. A question that fails is a row instead.
    """
    spec = suite_named(suite)
    check_options(seed, first)
    settings = settings or load_settings()
    if spec.asks_model and not settings.llm.model:
        raise InvalidInput(suite, "no language model is configured: set llm.model")
    dataset = spec.load(data, first, seed)
    if not dataset.cases:
        raise InvalidInput("data", f"{data} has no question that can be scored")
    steps = dataset.memories + spec.times * len(dataset.cases)
    ran = provenance(
        suite, seed, settings, data, memories=dataset.memories, skipped=dataset.skipped
    )
    async with temporary_memory(settings) as memory:
        bench = Bench(memory, settings, dataset, ran, arms, progress, steps)
        await bench.fill()
        return await spec.measure(bench)
