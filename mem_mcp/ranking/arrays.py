"""The array types of the ranking; docstrings give the shapes."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Vectors = NDArray[np.float32]
"""In single precision, as embedders give them."""
