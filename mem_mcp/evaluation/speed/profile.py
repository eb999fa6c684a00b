"""Where the time of a recall and a remember goes, by the product's own spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from time import perf_counter

from mem_mcp.evaluation.speed.fill import OWNER
from mem_mcp.evaluation.speed.report import Profile, ProfileStep
from mem_mcp.evaluation.speed.setup import Rig
from mem_mcp.telemetry import Span, recording


@dataclass(frozen=True, slots=True)
class ProfiledCall:
    """One call and its spans."""

    seconds: float
    spans: Sequence[Span]


async def profile_recall(rig: Rig) -> list[Profile]:
    """Profile recalls of a small scope, ranked whole, and of a large one, searched."""
    user, memory = rig.user, rig.memory
    return [
        await _profile(rig, f"recall, {user}", lambda text: memory.recall(text, user_id=user)),
        await _profile(rig, f"recall, all of {OWNER}'s", lambda x: memory.recall(x, user_id=OWNER)),
    ]


async def profile_remember(rig: Rig) -> list[Profile]:
    """Profile single writes."""
    user, memory = rig.user, rig.memory
    return [await _profile(rig, "remember", lambda text: memory.remember(text, user_id=user))]


async def _profile(rig: Rig, name: str, call: Callable[[str], Awaitable[object]]) -> Profile:
    texts = rig.ask(rig.repetitions.profiled)
    calls = []
    for number in rig.paced(len(texts)):
        with recording() as spans:
            start = perf_counter()
            await call(texts[number])
            # A copy: upkeep in the background may go on to add its own spans.
            calls.append(ProfiledCall(perf_counter() - start, tuple(spans)))
    return Profile(case=name, size=rig.size, calls=len(calls), steps=steps(calls))


def steps(calls: Sequence[ProfiledCall]) -> list[ProfileStep]:
    """Sum up the time of each step, in the order of the first call, then the rest.

    The rest is the time in which no step runs.
    """
    seconds: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(calls))
    times: dict[str, int] = defaultdict(int)
    for row, call in enumerate(calls):
        for span in sorted(call.spans, key=lambda span: span.started):
            seconds[span.name][row] += span.seconds
            times[span.name] += 1
    whole = [call.seconds for call in calls]
    seconds["rest"] = [call.seconds - _covered(call.spans) for call in calls]
    seconds["total"] = whole
    times |= {"rest": len(calls), "total": len(calls)}
    return [
        ProfileStep(
            step=name,
            times=round(times[name] / len(calls), 2),
            milliseconds=round(1_000 * median(each), 3),
            share=round(100 * fmean(each) / fmean(whole), 1),
        )
        for name, each in seconds.items()
    ]


def _covered(spans: Sequence[Span]) -> float:
    """Return the time in which at least one span runs."""
    covered, end = 0.0, float("-inf")
    for span in sorted(spans, key=lambda span: span.started):
        finish = span.started + span.seconds
        covered += max(0.0, finish - max(span.started, end))
        end = max(end, finish)
    return covered
