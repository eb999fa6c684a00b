"""Score smoothing: similar candidates raise or lower each other's scores."""

import numpy as np

from mem_mcp.ranking.arrays import Floats, Vectors
from mem_mcp.ranking.constants import (
    CENTRING_PRIOR,
    EPSILON,
    SMOOTHING_NEIGHBOURS,
    SMOOTHING_POOL,
    SMOOTHING_RAMP,
    SMOOTHING_SHARPNESS,
    SMOOTHING_STEP_MAX,
)
from mem_mcp.ranking.ramp import ramp


def smoothing(scores: Floats, cosines: Floats, vectors: Vectors) -> Floats:
    """Return what each candidate gains or loses by the scores of its nearest neighbours.

    Each of the best candidates moves towards the mean score of its neighbours among them (Diaz
    2005, "Regularizing ad hoc retrieval scores"). The step is long only where many candidates are
    close to the query: there they are paraphrases of each other, and elsewhere they are not.

    Args:
        scores: (n,) so far.
        cosines: (n,) to the query, not centred; NaN for a candidate without a vector.
        vectors: (n, d) of the candidates.
    """
    gains = np.zeros_like(scores)
    embedded = np.flatnonzero(~np.isnan(cosines))
    if embedded.size <= SMOOTHING_NEIGHBOURS:
        return gains
    nearest = np.partition(cosines[embedded], -SMOOTHING_NEIGHBOURS)[-SMOOTHING_NEIGHBOURS:]
    step = SMOOTHING_STEP_MAX * ramp(float(nearest.mean()), *SMOOTHING_RAMP)
    if step == 0:
        return gains
    best = embedded[np.argsort(-scores[embedded], kind="stable")[:SMOOTHING_POOL]]
    mean = vectors[embedded].sum(axis=0) / (embedded.size + CENTRING_PRIOR)
    weights = _neighbour_weights(vectors[best] - mean)
    smooth = weights @ scores[best] / np.maximum(weights.sum(axis=1), EPSILON)
    gains[best] = step * (smooth - scores[best])
    return gains


def _neighbour_weights(rows: Vectors) -> Floats:
    """Return (n, n) weights: of each row's nearest neighbours, and 0 for the others."""
    units = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), EPSILON)
    cosines = (units @ units.T).astype(np.float64)
    np.fill_diagonal(cosines, -1.0)
    nearest = np.partition(cosines, -SMOOTHING_NEIGHBOURS, axis=1)[:, -SMOOTHING_NEIGHBOURS]
    weights = np.exp(SMOOTHING_SHARPNESS * (cosines - 1))
    return np.where(cosines >= nearest[:, None], weights, 0.0)
