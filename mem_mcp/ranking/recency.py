"""Of what is equally relevant, the newer first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.constants import HALF_LIVES, RECENCY_HALF_LIFE


def freshness(
    occurred_at: NDArray[np.float64], now: float, kinds: Sequence[str]
) -> NDArray[np.float64]:
    """Return 1 for what happens now or later, halved with each half-life that has passed.

    Args:
        occurred_at: (n,) epoch seconds.
        now: Epoch seconds of the question.
        kinds: (n) each has a half-life of its own.
    """
    age = np.maximum(now - occurred_at, 0.0)
    half_lives = np.array([HALF_LIVES.get(kind, RECENCY_HALF_LIFE) for kind in kinds])
    return np.asarray(np.exp2(-age / half_lives))
