"""The protocol of an embedder."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vectors: TypeAlias = NDArray[np.float32]
Role: TypeAlias = Literal["query", "passage"]
"""query: a question, whose answer is looked for. passage: a text that is stored, or is compared
with stored ones as one of them."""


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

    async def embed(self, texts: Sequence[str], role: Role) -> Vectors:
        """Embed texts without blocking the event loop.

        Args:
            texts: any strings, also empty ones.
            role: what they are for; many models embed questions in another way.

        Returns:
            One L2-normalised row for each text, in order: shape (n, dimension). A row of zeros
            means that the embedder cannot read the text.

        Raises:
            EmbedderUnavailable: no vectors can be made now.
        """
        ...
