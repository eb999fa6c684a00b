"""The protocol of an embedder."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]


class Embedder(Protocol):
    """Makes vectors of texts that can be compared by their dot product."""

    @property
    def identity(self) -> str:
        """Name of the model; vectors of two identities must never be compared."""
        ...

    @property
    def dimension(self) -> int | None:
        """Length of a vector; None until the model has been called."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts without blocking the event loop.

        Args:
            texts: any strings, also empty ones.

        Returns:
            One L2-normalised row for each text, in order: shape (n, dimension).

        Raises:
            EmbedderUnavailable: no vectors can be made now.
        """
        ...
