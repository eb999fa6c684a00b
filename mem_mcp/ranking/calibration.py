"""The absolute level of an answer, comparable between questions."""

import numpy as np
from numpy.typing import NDArray


def level(cosines: NDArray[np.float64], covered: NDArray[np.float64]) -> float:
    """Return how well the best of the candidates answers at all, 0..1.

    Two thirds cosine and one third words in common, of one and the same candidate: of the mixes
    tried it best tells LoCoMo's questions asked of their own conversation from those asked of
    another one, with the names left as they are and with the right names put in.

    Args:
        cosines: (n,) plain, NaN where there is no vector.
        covered: (n,) share of the question's terms that each candidate has, 0..1.
    """
    near = np.where(np.isnan(cosines), covered, np.maximum(cosines, 0.0))
    return float(np.clip((2 * near + covered) / 3, 0.0, 1.0).max())
