"""Where the time of a recall and a remember goes, by the product's own spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean, median
from time import perf_counter

from mem_mcp.evaluation.speed.layout import OWNER, usual_user
from mem_mcp.evaluation.speed.report import Profile, Step
from mem_mcp.evaluation.speed.setup import Rig
from mem_mcp.evaluation.speed.timing import paced
from mem_mcp.telemetry import Span, recording

REST = "rest"
"""The time in which no step runs."""
Call = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Trace:
    """One call and its steps."""

    seconds: float
    spans: Sequence[Span]


async def profile_recall(rig: Rig) -> list[Profile]:
    """Trace recalls of a small scope, ranked whole, and of a large one, searched."""
    user, memory = usual_user(rig.size), rig.memory
    return [
        await _profile(rig, f"recall, {user}", lambda text: memory.recall(text, user_id=user)),
        await _profile(rig, f"recall, all of {OWNER}'s", lambda x: memory.recall(x, user_id=OWNER)),
    ]


async def profile_remember(rig: Rig) -> list[Profile]:
    """Trace single writes."""
    user, memory = usual_user(rig.size), rig.memory
    return [await _profile(rig, "remember", lambda text: memory.remember(text, user_id=user))]


async def _profile(rig: Rig, name: str, call: Call) -> Profile:
    texts = list(islice(rig.questions, rig.counts.profiled))
    numbers = paced(len(texts), rig.counts.seconds)
    traces = [await _traced(call, texts[number]) for number in numbers]
    return Profile(case=name, size=rig.size, calls=len(traces), steps=steps(traces))


async def _traced(call: Call, text: str) -> Trace:
    with recording() as spans:
        start = perf_counter()
        await call(text)
        # Upkeep in the background may go on to add its own.
        return Trace(perf_counter() - start, tuple(spans))


def steps(traces: Sequence[Trace]) -> list[Step]:
    """Sum up what each step took, in the order of the first call, then the rest."""
    spent: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(traces))
    times: dict[str, int] = defaultdict(int)
    for row, trace in enumerate(traces):
        for span in sorted(trace.spans, key=lambda span: span.started):
            spent[span.name][row] += span.seconds
            times[span.name] += 1
    found = [_step(name, spent[name], times[name], traces) for name in spent]
    rest = [trace.seconds - _covered(trace.spans) for trace in traces]
    whole = [trace.seconds for trace in traces]
    count = len(traces)
    return [*found, _step(REST, rest, count, traces), _step("total", whole, count, traces)]


def _step(name: str, seconds: Sequence[float], times: int, traces: Sequence[Trace]) -> Step:
    return Step(
        step=name,
        times=round(times / len(traces), 2),
        milliseconds=round(1_000 * median(seconds), 3),
        share=round(100 * fmean(seconds) / fmean(trace.seconds for trace in traces), 1),
    )


def _covered(spans: Sequence[Span]) -> float:
    """Return the time in which at least one span runs."""
    covered, end = 0.0, float("-inf")
    for span in sorted(spans, key=lambda span: span.started):
        finish = span.started + span.seconds
        covered += max(0.0, finish - max(span.started, end))
        end = max(end, finish)
    return covered
