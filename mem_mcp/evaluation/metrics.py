"""How well a ranking answered; pure functions.

`ranks` are the 1-based ranks at which relevant memories were found, `relevant` how many there are.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

import numpy as np

_SAMPLES = 2_000


def ranks_of(found: Iterable[str], relevant: Collection[str]) -> list[int]:
    """Return the ranks of what is relevant in a list of distinct ids, best first."""
    return [rank for rank, one in enumerate(found, start=1) if one in relevant]


def recall_at(ranks: Sequence[int], relevant: int, k: int) -> float:
    """Return the share of what is relevant that is among the first k."""
    return sum(rank <= k for rank in ranks) / relevant


def hit_at(ranks: Sequence[int], k: int) -> float:
    """Return 1 if anything relevant is among the first k, else 0."""
    return float(any(rank <= k for rank in ranks))


def reciprocal_rank(ranks: Sequence[int]) -> float:
    """Return 1 / the first relevant rank, or 0."""
    return 1 / min(ranks) if ranks else 0.0


def ndcg_at(ranks: Sequence[int], relevant: int, k: int) -> float:
    """Return the discounted gain of the first k, relative to the best possible order."""
    best = range(1, min(relevant, k) + 1)
    return _gain(rank for rank in ranks if rank <= k) / _gain(best)


def measure(name: str, ranks: Sequence[int], relevant: int) -> float:
    """Return a metric by its name: MRR, recall@k, hit@k or nDCG@k.

    MRR is the reciprocal rank; its mean over the cases gives it its name.

    Raises:
        ValueError: there is no such metric, or nothing is relevant.
    """
    if relevant < 1:
        raise ValueError("a case without anything relevant cannot be scored")
    kind, _, k = name.partition("@")
    match kind:
        case "MRR":
            return reciprocal_rank(ranks)
        case "recall":
            return recall_at(ranks, relevant, int(k))
        case "hit":
            return hit_at(ranks, int(k))
        case "nDCG":
            return ndcg_at(ranks, relevant, int(k))
        case _:
            raise ValueError(f"no metric {name!r}; there are MRR, recall@k, hit@k, nDCG@k")


def bootstrap_interval(
    values: Sequence[float], *, seed: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean of values.

    Over the differences of two rankings, case by case, it is the paired interval.
    """
    sample = np.asarray(values, dtype=np.float64)
    chosen = np.random.default_rng(seed).integers(0, sample.size, (_SAMPLES, sample.size))
    tail = (1 - confidence) / 2
    low, high = np.quantile(sample[chosen].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)


def auc(accepted: Sequence[float], rejected: Sequence[float]) -> float:
    """Return how often a score that should be accepted is above one that should not.

    Equal scores count half.
    """
    low, high = (np.searchsorted(np.sort(rejected), accepted, side) for side in ("left", "right"))
    return float((low + high).mean() / (2 * len(rejected)))


def best_threshold(accepted: Sequence[float], rejected: Sequence[float]) -> tuple[float, float]:
    """Return the score from which on to accept, and the balanced accuracy that it reaches.

    Of equally good thresholds it is the lowest.
    """
    thresholds = np.unique([*accepted, *rejected])
    kept = 1 - np.searchsorted(np.sort(accepted), thresholds) / len(accepted)
    refused = np.searchsorted(np.sort(rejected), thresholds) / len(rejected)
    balanced = (kept + refused) / 2
    best = int(balanced.argmax())
    return float(thresholds[best]), float(balanced[best])


def _gain(ranks: Iterable[int]) -> float:
    return sum(1 / math.log2(rank + 1) for rank in ranks)
