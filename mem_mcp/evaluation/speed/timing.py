"""Times of a call and of its floor, taken in turn so that the machine treats both alike."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from statistics import median

import numpy as np

from mem_mcp.evaluation.speed.report import Figure

Call = Callable[[int], Awaitable[object]]
"""Does something for the so-manieth time."""
_LEAST = 5
"""Calls that are made however slow they are."""


def paced(count: int, seconds: float) -> Iterator[int]:
    """Count to `count`, or as far as the time allows."""
    end = time.perf_counter() + seconds
    for number in range(count):
        if number >= _LEAST and time.perf_counter() > end:
            return
        yield number


async def taken(work: Awaitable[object]) -> float:
    """Return the seconds that something takes."""
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


async def beside(
    ours: Call, floor: Call, count: int, seconds: float
) -> tuple[list[float], list[float]]:
    """Return the seconds of each call, ours and the floor's; who is first changes each time."""
    times: tuple[list[float], list[float]] = [], []
    for number in paced(count, seconds):
        turns = (0, 1) if number % 2 else (1, 0)
        for which in turns:
            times[which].append(await taken((ours, floor)[which](number)))
    return times


def figure(
    case: str, size: int, ours: Sequence[float], floor: Sequence[float], *, unit: str = "ms"
) -> Figure:
    """Sum up seconds, or in the unit `s` or a rate what is given as it is."""
    scale = 1_000 if unit == "ms" else 1
    value, beneath = scale * median(ours), scale * median(floor)
    return Figure(
        case=case,
        size=size,
        unit=unit,
        calls=len(ours),
        value=round(value, 3),
        p95=round(scale * float(np.quantile(ours, 0.95)), 3),
        floor=round(beneath, 3),
        floor_p95=round(scale * float(np.quantile(floor, 0.95)), 3),
        ratio=round(value / beneath, 3),
    )
