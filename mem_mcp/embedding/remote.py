"""A provider's embedding model, behind the same protocol as the bundled one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from mem_mcp.embedding.embedder import Role, Vectors
from mem_mcp.embedding.prefixes import Prefixes, identity
from mem_mcp.errors import EmbedderUnavailable, LLMError

Ask = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]
"""Returns the provider's vector of each text, in order; raises LLMError."""

# Most providers refuse texts of more than 8,192 tokens. A text has no more tokens than bytes.
_MAX_BYTES = 8_000
# Providers refuse empty texts, too.
_EMPTY = "-"


class RemoteEmbedder:
    """Embeds with a provider's model. Of a longer text the first 8,000 bytes of UTF-8 count.

    Args:
        model: name of the model.
        ask: calls the provider.
        before: what is put before a text of each role.
    """

    def __init__(self, model: str, ask: Ask, before: Prefixes) -> None:
        self._model = model
        self._ask = ask
        self._before = before
        self._dimension: int | None = None

    @property
    def identity(self) -> str:
        """Name of the model, with its prefixes if it has any."""
        return identity(self._model, self._before)

    @property
    def dimension(self) -> int | None:
        """Length of a vector; None before the first one."""
        return self._dimension

    async def embed(self, texts: Sequence[str], role: Role) -> Vectors:
        """Embed texts; see `Embedder.embed`."""
        if not texts:
            return np.empty((0, self._dimension or 0), np.float32)
        try:
            rows = await self._ask([_fit(self._before[role], text) for text in texts])
        except LLMError as error:
            raise EmbedderUnavailable(str(error)) from error
        if len({len(row) for row in rows}) > 1:
            raise EmbedderUnavailable(f"{self._model} gave vectors of several lengths")
        # Double precision: the squares of large numbers overflow single precision.
        vectors = np.asarray(rows, np.float64)
        with np.errstate(over="ignore"):
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and lengths.all()):
            raise EmbedderUnavailable(f"{self._model} gave no usable vector")
        self._dimension = vectors.shape[1]
        return np.asarray(vectors / lengths, np.float32)


def _fit(prefix: str, text: str) -> str:
    # `replace` is for lone surrogates, `ignore` for a character that the bound cuts.
    content = (prefix + (text.strip() or _EMPTY)).encode(errors="replace")[:_MAX_BYTES]
    return content.decode(errors="ignore")
