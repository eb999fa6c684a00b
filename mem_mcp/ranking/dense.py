"""Meaning: how near the candidates are to the query as vectors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.constants import CENTRING_PRIOR

_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near each candidate is to the query."""

    plain: NDArray[np.float64]
    """(n,) cosines, -1..1; NaN where there is no vector."""
    centred: NDArray[np.float64]
    """(n,) the same once what all candidates have in common is taken out."""
    nearest: float
    """The largest plain cosine, 0 where there is none."""
    typical: float
    """How near the query is to the candidates' mean, in standard deviations of their own."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """The candidates' vectors, and what all questions ask about them."""

    present: NDArray[np.bool_]
    """(n,) whether there is a vector."""
    rows: NDArray[np.float32]
    """(m, d) those that there are."""
    lengths: NDArray[np.float32]
    """(m,)"""
    mean: NDArray[np.float32]
    """(d,) of the unit vectors; of few candidates it is shrunk towards 0."""
    with_mean: NDArray[np.float32]
    """(m,) product of each unit vector and the mean."""

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> "Cloud":
        """Prepare vectors.

        Args:
            vectors: (n, d) of any length; a row that is not finite has no vector.
        """
        present = np.asarray(np.isfinite(vectors).all(axis=1))
        rows = vectors if present.all() else vectors[present]
        lengths = np.maximum(np.linalg.norm(rows, axis=1), _TINY)
        mean = (1 / lengths) @ rows / (len(rows) + CENTRING_PRIOR)
        return cls(present, rows, lengths, mean, rows @ mean / lengths)


def nearness(query: NDArray[np.float32] | None, cloud: Cloud) -> Nearness:
    """Compare the query with each candidate.

    Centring subtracts the candidates' mean vector on both sides: what all of them have in common
    says nothing about which one is meant (Mu and Viswanath 2018, "All-but-the-Top"; without the
    principal components, whose removal lost on every data set).

    Args:
        query: (d,) of any length; None where there is no vector.
        cloud: the candidates' vectors.
    """
    if query is None or not np.isfinite(query).all() or not cloud.rows.size:
        nothing = np.full(cloud.present.size, np.nan)
        return Nearness(nothing, nothing, 0.0, 0.0)
    mean, with_mean = cloud.mean, cloud.with_mean
    unit = query / max(float(np.linalg.norm(query)), _TINY)
    plain = cloud.rows @ unit / cloud.lengths
    aim = unit - mean
    # |row - mean|^2 from its terms spares a copy of all vectors.
    squares = 1 - 2 * with_mean + mean @ mean
    scale = np.sqrt(np.maximum(squares, _TINY)) * max(float(np.linalg.norm(aim)), _TINY)
    spread = max(float(with_mean.std()), _TINY)
    return Nearness(
        _spread(plain, cloud.present),
        _spread((plain - with_mean - mean @ aim) / scale, cloud.present),
        min(float(plain.max()), 1.0),
        (float(unit @ mean) - float(with_mean.mean())) / spread,
    )


def _spread(values: NDArray[np.floating], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    out = np.full(present.size, np.nan)
    out[present] = np.clip(values, -1.0, 1.0)
    return out
