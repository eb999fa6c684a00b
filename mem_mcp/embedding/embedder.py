"""What a memory asks of an embedder."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors that can be compared by their dot product."""

    @property
    def identity(self) -> str:
        """Name of what makes the vectors; those of two identities must never be compared."""
        ...

    @property
    def dimension(self) -> int | None:
        """Length of a vector; None while nobody has asked the model."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts without blocking the event loop.

        Args:
            texts: The texts; any string will do, also an empty one.

        Returns:
            One L2-normalised row per text, in the order of the texts: shape (n, dimension).

        Raises:
            EmbedderUnavailable: No vectors can be made now.
        """
        ...
