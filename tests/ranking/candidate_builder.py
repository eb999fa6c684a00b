"""Candidates for the ranking's tests."""

import numpy as np

from mem_mcp.ranking import Candidates

DIMENSIONS = 8


def build(texts, vectors=None, times=None, positions=None, **columns):
    """Return candidates with these texts, and with nothing in the columns that are left out."""
    n = len(texts)
    times = np.array([0] * n if times is None else times, np.float64)
    vectors = np.full((n, DIMENSIONS), np.nan) if vectors is None else vectors
    empty = {
        "memory_ids": [f"m{row}" for row in range(n)],
        "run_ids": [None] * n,
        "actor_ids": [None] * n,
        "kinds": ["fact"] * n,
        "entities": [()] * n,
        "labels": [""] * n,
        "ends_at": np.full(n, np.inf),
    }
    return Candidates(
        texts=texts,
        vectors=np.array(vectors, np.float32),
        positions=np.array([-1] * n if positions is None else positions, np.int64),
        occurred_at=times,
        recorded_at=times,
        **(empty | columns),
    )
