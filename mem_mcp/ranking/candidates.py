"""What is ranked, and for which question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Query:
    """A question, its vector, and when it is asked."""

    text: str
    vector: NDArray[np.float32] | None
    """Its embedding, of any length other than 0; None where there is no embedder."""
    now: float
    """Epoch seconds."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The memories to rank, one per row, column by column (n rows)."""

    memory_ids: Sequence[str]
    texts: Sequence[str]
    vectors: NDArray[np.float32]
    """(n, d); a row of NaN where a memory has no vector."""
    run_ids: Sequence[str | None]
    """Unique across users and agents: equal ids mean the same conversation."""
    positions: NDArray[np.int64]
    """Place within the run, -1 for none; consecutive numbers are neighbours."""
    actor_ids: Sequence[str | None]
    """Who speaks."""
    roles: Sequence[str | None]
    kinds: Sequence[str]
    entities: Sequence[Sequence[str]]
    occurred_at: NDArray[np.float64]
    """Epoch seconds."""
    recorded_at: NDArray[np.float64]
    """Epoch seconds."""

    def __len__(self) -> int:
        return len(self.memory_ids)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates in order, and why."""

    order: NDArray[np.int64]
    """Rows of the candidates, best first; all of them."""
    score: NDArray[np.float64]
    """Per candidate, 0..1: absolute, so that it can be compared between queries."""
    parts: Mapping[str, NDArray[np.float64]]
    """What each part gave to each candidate's score; the parts add up to it."""
