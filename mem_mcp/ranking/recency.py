"""Of what is equally relevant, the newer first."""

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.constants import RECENCY_HALF_LIFE


def freshness(occurred_at: NDArray[np.float64], now: float) -> NDArray[np.float64]:
    """Return 1 for what happens now or later, halved with each half-life that has passed.

    Args:
        occurred_at: (n,) epoch seconds.
        now: Epoch seconds of the question.
    """
    age = np.maximum(now - occurred_at, 0.0)
    return np.asarray(np.exp2(-age / RECENCY_HALF_LIFE))
