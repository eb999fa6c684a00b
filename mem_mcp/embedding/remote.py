"""A provider's embedding model, behind the same protocol as the one in the package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from mem_mcp.embedding.embedder import Vectors
from mem_mcp.errors import EmbedderUnavailable, LLMError

Ask = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]
"""Asks the provider for a vector of each text, in order; raises LLMError."""

# Providers refuse texts past a number of tokens, the usual one being 8,192; no text has more
# tokens than bytes.
_MAX_BYTES = 8_000
# They refuse empty texts, too.
_NOTHING = "-"


class RemoteEmbedder:
    """Embeds with a model of a provider.

    Of a text the first 8,000 bytes of UTF-8 count.

    Args:
        model: its name, which is the identity of its vectors.
        ask: the way to it.
    """

    def __init__(self, model: str, ask: Ask) -> None:
        self._model = model
        self._ask = ask
        self._dimension: int | None = None

    @property
    def identity(self) -> str:
        """Name of the model."""
        return self._model

    @property
    def dimension(self) -> int | None:
        """Length of a vector; None before the first."""
        return self._dimension

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`."""
        if not texts:
            return np.empty((0, self._dimension or 0), np.float32)
        try:
            rows = await self._ask([_fit(text) for text in texts])
        except LLMError as error:
            raise EmbedderUnavailable(str(error)) from error
        if len({len(row) for row in rows}) > 1:
            raise EmbedderUnavailable(f"{self._model} gave vectors of several lengths")
        # In double precision: the squares of great numbers do not fit single.
        vectors = np.asarray(rows, np.float64)
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and lengths.all()):
            raise EmbedderUnavailable(f"{self._model} gave no usable vector")
        self._dimension = vectors.shape[1]
        return np.asarray(vectors / lengths, np.float32)


def _fit(text: str) -> str:
    # Without lone surrogates, and cut between two characters.
    whole = text.strip().encode(errors="replace")[:_MAX_BYTES]
    return whole.decode(errors="ignore") or _NOTHING
