"""How well a ranking answered, and how certain a mean or a difference is; pure functions.

`ranks` are the 1-based ranks of the relevant memories in a result, `relevant` is how many there
are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from statistics import fmean

import numpy as np

from mem_mcp.api.models import Model

_SAMPLES = 2_000
TEN = 10
"""Memories of an answer where a caller names no limit."""
Interval = tuple[float, float]


class Gain(Model):
    """How much better one thing is than another, in points."""

    over: str
    points: float
    interval: Interval
    """95 %, paired bootstrap."""


class Timing(Model):
    """Milliseconds that a recall took; None if no recall was answered."""

    p50_ms: float | None = None
    p95_ms: float | None = None


def ranks_of(ids: Iterable[str], relevant: Collection[str]) -> list[int]:
    """Return the ranks of the relevant ones in a list of distinct ids, best first."""
    return [rank for rank, each in enumerate(ids, start=1) if each in relevant]


def measure(name: str, ranks: Sequence[int], relevant: int) -> float:
    """Return a metric of one ranking, by its name.

    - MRR: 1 / the first relevant rank, or 0; the mean over the cases gives it its name.
    - recall@k: the share of the relevant memories that is among the first k.
    - hit@k: 1 if any relevant memory is among the first k, else 0.
    - nDCG@k: the discounted gain of the first k, relative to the best possible order.

    Raises:
        ValueError: no metric has this name, or nothing is relevant.
    """
    if relevant < 1:
        raise ValueError("a case without anything relevant cannot be scored")
    kind, _, k = name.partition("@")
    if kind == "MRR":
        return 1 / min(ranks) if ranks else 0.0
    if kind not in {"recall", "hit", "nDCG"}:
        raise ValueError(f"no metric {name!r}; there are MRR, recall@k, hit@k, nDCG@k")
    first = [rank for rank in ranks if rank <= int(k)]
    if kind == "recall":
        return len(first) / relevant
    if kind == "hit":
        return float(bool(first))
    return _discounted(first) / _discounted(range(1, min(relevant, int(k)) + 1))


def left_out_note(answers: Sequence[tuple[Sequence[int], int, int]]) -> str:
    """Say what an answer of ten memories loses by leaving out those that fit less.

    Args:
        answers: the ranks of the relevant memories, how many memories are left, and how many are
            relevant.
    """
    kept = fmean(min(shown, TEN) for _, shown, _ in answers)
    lost = {
        name: 100
        * fmean(
            measure(name, [rank for rank in ranks if rank <= shown], relevant)
            - measure(name, ranks, relevant)
            for ranks, shown, relevant in answers
        )
        for name in (f"hit@{TEN}", f"recall@{TEN}")
    }
    points = ", ".join(f"{name} {points:+.2f}" for name, points in lost.items())
    return f"without min_score {kept:.1f} of the first {TEN} are left: {points} points"


def mean(values: Sequence[float]) -> float:
    """Return the mean of values with two digits; 0 if there are none."""
    return round(fmean(values), 2) if values else 0.0


def bootstrap_interval(
    values: Sequence[float], *, seed: int, counts: Sequence[int] | None = None
) -> Interval:
    """Return the 95 % percentile bootstrap interval of a mean.

    Over the differences of two rankings, case by case, it is the paired interval.

    Args:
        values: one of each case.
        seed: of the samples.
        counts: how many measurements each value is the sum of; None means one.
    """
    sums = np.asarray(values, dtype=np.float64)
    sizes = np.ones_like(sums) if counts is None else np.asarray(counts, dtype=np.float64)
    samples = np.random.default_rng(seed).integers(0, sums.size, (_SAMPLES, sums.size))
    low, high = np.quantile(sums[samples].sum(axis=1) / sizes[samples].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def interval(values: Sequence[float], seed: int, counts: Sequence[int] | None = None) -> Interval:
    """Return the bootstrap interval with two digits; see `bootstrap_interval`."""
    low, high = bootstrap_interval(values, seed=seed, counts=counts)
    return round(low, 2), round(high, 2)


def gain(
    over: str, differences: Sequence[float], seed: int, counts: Sequence[int] | None = None
) -> Gain:
    """Summarise the differences to another ranking or arm, case by case.

    Args:
        over: name of the other one.
        differences: ours less the other's, in points.
        seed: of the bootstrap samples.
        counts: how many measurements each difference is the sum of; None means one.
    """
    size = len(differences) if counts is None else sum(counts)
    return Gain(
        over=over,
        points=round(math.fsum(differences) / size, 2),
        interval=interval(differences, seed, counts),
    )


def timing(milliseconds: Sequence[float]) -> Timing:
    """Summarise how long recalls took."""
    if not milliseconds:
        return Timing()
    p50, p95 = np.percentile(milliseconds, [50, 95])
    return Timing(p50_ms=round(float(p50), 2), p95_ms=round(float(p95), 2))


def auc(accepted: Sequence[float], rejected: Sequence[float]) -> float:
    """Return how often a score that should be accepted is above one that should not.

    Equal scores count half.
    """
    low, high = (np.searchsorted(np.sort(rejected), accepted, side) for side in ("left", "right"))
    return float((low + high).mean() / (2 * len(rejected)))


def best_threshold(accepted: Sequence[float], rejected: Sequence[float]) -> tuple[float, float]:
    """Return the best lower bound of accepted scores, and the balanced accuracy that it reaches.

    Of equally good bounds it is the lowest.
    """
    thresholds = np.unique([*accepted, *rejected])
    accepted_share = 1 - np.searchsorted(np.sort(accepted), thresholds) / len(accepted)
    rejected_share = np.searchsorted(np.sort(rejected), thresholds) / len(rejected)
    balanced = (accepted_share + rejected_share) / 2
    best = int(balanced.argmax())
    return float(thresholds[best]), float(balanced[best])


def _discounted(ranks: Iterable[int]) -> float:
    return sum(1 / math.log2(rank + 1) for rank in ranks)
