"""Texts repeat: their vectors are kept."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from mem_mcp.embedding.embedder import Embedder, Vectors

_MOST_BYTES = 8_000_000


class CachedEmbedder:
    """An embedder that keeps the vectors of the last texts, by the hash of their content."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._kept: OrderedDict[bytes, Vectors] = OrderedDict()

    @property
    def identity(self) -> str:
        """Identity of the embedder behind it."""
        return self._embedder.identity

    @property
    def dimension(self) -> int | None:
        """Length of a vector."""
        return self._embedder.dimension

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`. The same text is embedded once."""
        keys = [_key(text) for text in texts]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if new or not texts:
            made = await self._embedder.embed([*new.values()])
            if any(vector.shape != made.shape[1:] for vector in found.values()):
                # Another model stands behind the name by now.
                new = dict(zip(keys, texts, strict=True))
                found, made = {}, await self._embedder.embed([*new.values()])
            if len(new) == len(texts):
                self._keep(dict(zip(keys, made, strict=True)))
                return made
            found |= zip(new, made, strict=True)
        self._keep(found)
        return np.stack([found[key] for key in keys])

    def _keep(self, vectors: dict[bytes, Vectors]) -> None:
        for key, vector in vectors.items():
            if self._kept and next(iter(self._kept.values())).shape != vector.shape:
                self._kept.clear()  # of the model that stood behind the name before
            if key not in self._kept:
                self._kept[key] = vector.copy()  # not the whole batch that it is a row of
            self._kept.move_to_end(key)
            if len(self._kept) * vector.nbytes > _MOST_BYTES:
                self._kept.popitem(last=False)


def _key(text: str) -> bytes:
    # A lone surrogate is no valid text for a hash.
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
