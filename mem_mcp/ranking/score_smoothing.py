"""Answers that are alike speak for each other."""

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.constants import (
    ALIKE_NEIGHBOURS,
    ALIKE_POOL,
    ALIKE_SHARE,
    ALIKE_SHARPNESS,
    CENTRING_PRIOR,
    CLOSE,
    CLOSEST,
)
from mem_mcp.ranking.fusion import ramp

_TINY = 1e-9


def by_the_alike(
    scores: NDArray[np.float64], cosines: NDArray[np.float64], vectors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return what each of the best candidates gains or loses by those most like it.

    It is a step of its score towards the mean score of its nearest among the best candidates
    (smoothing over the graph of nearest neighbours; Diaz 2005, "Regularizing ad hoc retrieval
    scores"). The step is long only where many candidates are close to the query: there they are
    many ways of saying the same, and elsewhere each says something of its own.

    Args:
        scores: (n,) so far.
        cosines: (n,) plain, to the query; NaN where there is no vector.
        vectors: (n, d)
    """
    gains = np.zeros_like(scores)
    known = np.flatnonzero(~np.isnan(cosines))
    if known.size <= ALIKE_NEIGHBOURS:
        return gains
    closest = np.partition(cosines[known], -ALIKE_NEIGHBOURS)[-ALIKE_NEIGHBOURS:].mean()
    share = ALIKE_SHARE * ramp(float(closest), CLOSE, CLOSEST)
    if share == 0:
        return gains
    best = known[np.argsort(-scores[known], kind="stable")[:ALIKE_POOL]]
    mean = vectors[known].sum(axis=0) / (known.size + CENTRING_PRIOR)
    weights = _likeness(vectors[best] - mean)
    smooth = weights @ scores[best] / np.maximum(weights.sum(axis=1), _TINY)
    gains[best] = share * (smooth - scores[best])
    return gains


def _likeness(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the weight of each row's nearest others, 0 for the rest."""
    units = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)
    cosines = (units @ units.T).astype(np.float64)
    np.fill_diagonal(cosines, -1.0)
    nearest = np.partition(cosines, -ALIKE_NEIGHBOURS, axis=1)[:, -ALIKE_NEIGHBOURS]
    weights = np.exp(ALIKE_SHARPNESS * (cosines - 1))
    return np.where(cosines >= nearest[:, None], weights, 0.0)
