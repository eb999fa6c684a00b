"""Dense scores: cosines between the query's vector and the candidates'."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mem_mcp.ranking.arrays import Booleans, Floats, Vectors
from mem_mcp.ranking.constants import (
    CENTRING_PRIOR,
    EPSILON,
    KNOWN_RAMP,
    OTHER_LANGUAGE_RAMP,
)
from mem_mcp.ranking.ramp import ramp


@dataclass(frozen=True, slots=True)
class DenseScores:
    """The similarity of each of n candidates to the query."""

    cosines: Floats
    """(n,) -1..1; NaN for a candidate without a vector."""
    centred: Floats
    """(n,) the same after the candidates' mean vector, or a part of it, was subtracted."""
    max_cosine: float
    """The largest of `cosines`; 0 if there is none."""
    typicality: float
    """The query's similarity to the candidates' mean, in standard deviations of the candidates'."""


@dataclass(frozen=True, slots=True)
class VectorSet:
    """The vectors of n candidates, with what every query needs of them."""

    present: Booleans
    """(n,) whether a candidate has a vector."""
    rows: Vectors
    """(m, d) the vectors of those that have one."""
    lengths: Vectors
    """(m,) their norms."""
    mean: Vectors
    """(d,) mean of the unit vectors, shrunk towards 0 where there are few."""
    with_mean: Vectors
    """(m,) dot product of each unit vector and the mean."""

    @property
    def plain_mean(self) -> Vectors:
        """(d,) mean of the unit vectors; 0 where there are none."""
        return np.asarray(self.mean * ((len(self.rows) + CENTRING_PRIOR) / max(len(self.rows), 1)))

    @classmethod
    def of(
        cls, vectors: Vectors, shares: Floats | None = None, mean: Vectors | None = None
    ) -> "VectorSet":
        """Prepare vectors.

        Args:
            vectors: (n, d) of any length; a row with a NaN or an infinity counts as no vector, and
                one of zeros, which an embedder gives for what it cannot read.
            shares: (n,) what each counts for in the mean; None for 1.
            mean: (d,) of unit vectors, to centre by; None for that of these vectors.
        """
        present = has_vector(vectors)
        rows = vectors if present.all() else vectors[present]
        lengths = np.maximum(np.linalg.norm(rows, axis=1), EPSILON)
        if mean is None:
            counted = np.ones(len(rows), rows.dtype) if shares is None else shares[present]
            weights = (counted / lengths).astype(rows.dtype)
            mean = weights @ rows / (float(counted.sum()) + CENTRING_PRIOR)
        return cls(present, rows, lengths, mean, rows @ mean / lengths)


def dense_scores(query: Vectors | None, vectors: VectorSet, known: float = 1.0) -> DenseScores:
    """Compare the query with each candidate.

    Centring subtracts the candidates' mean vector, because what all candidates have in common does
    not tell them apart (Mu and Viswanath 2018, "All-but-the-Top"; removing principal components as
    well made every data set worse).

    Args:
        query: (d,) of any length; None, or zeros, if there is no vector.
        vectors: The candidates'.
        known: Share of the query's words that some candidate has, 0..1.
    """
    if query is None or not has_vector(query[None])[0] or not vectors.rows.size:
        nothing = np.full(vectors.present.size, np.nan)
        return DenseScores(nothing, nothing, 0.0, 0.0)
    unit = query / max(float(np.linalg.norm(query)), EPSILON)
    cosines = vectors.rows @ unit / vectors.lengths
    deviation = max(float(vectors.with_mean.std()), EPSILON)
    typicality = (float(unit @ vectors.mean) - float(vectors.with_mean.mean())) / deviation
    kin = 1.0 - foreign(known) * (1.0 - ramp(typicality, *OTHER_LANGUAGE_RAMP))
    mean, with_mean = kin * vectors.mean, kin * vectors.with_mean
    centred_query = unit - mean
    # |row - mean|^2, expanded to avoid a copy of all vectors.
    squares = 1 - 2 * with_mean + mean @ mean
    norms = np.sqrt(np.maximum(squares, EPSILON)) * max(
        float(np.linalg.norm(centred_query)), EPSILON
    )
    return DenseScores(
        _expanded(cosines, vectors.present),
        _expanded((cosines - with_mean - mean @ centred_query) / norms, vectors.present),
        min(float(cosines.max()), 1.0),
        typicality,
    )


def foreign(known: float) -> float:
    """Return how far a query is in other words than the texts, or in another language: 0..1.

    Args:
        known: Share of its words that some text has, 0..1.
    """
    return 1.0 - ramp(known, *KNOWN_RAMP)


def has_vector(vectors: Vectors) -> Booleans:
    """Return (n,) which rows of (n, d) are vectors: those without NaN, infinity, or zeros alone."""
    return np.asarray(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))


def _expanded(values: NDArray[np.floating], present: Booleans) -> Floats:
    """Return (n,) values clipped to -1..1, with NaN for candidates without a vector."""
    column = np.full(present.size, np.nan)
    column[present] = np.clip(values, -1.0, 1.0)
    return column
