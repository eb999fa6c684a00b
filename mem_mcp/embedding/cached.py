"""An embedder with a cache, since texts repeat."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from mem_mcp.embedding.embedder import Embedder, Role, Vectors

_MOST_BYTES = 8_000_000


class CachedEmbedder:
    """An embedder that caches the vectors of the latest texts, up to 8 MB.

    Args:
        embedder: makes the vectors that are not in the cache.
        by_role: whether it makes other vectors of a text in another role.
    """

    def __init__(self, embedder: Embedder, *, by_role: bool = True) -> None:
        self._embedder = embedder
        self._by_role = by_role
        self._owner = ""
        self._cache: OrderedDict[bytes, Vectors] = OrderedDict()

    def of_owner(self, owner: str) -> CachedEmbedder:
        """Return the same cache for one user's texts alone.

        How fast a text is embedded would tell whether another user stored it, or asked it.
        """
        own = CachedEmbedder(self._embedder, by_role=self._by_role)
        own._owner, own._cache = owner, self._cache
        return own

    @property
    def identity(self) -> str:
        """Identity of the embedder behind the cache."""
        return self._embedder.identity

    @property
    def dimension(self) -> int | None:
        """Length of a vector."""
        return self._embedder.dimension

    async def embed(self, texts: Sequence[str], role: Role) -> Vectors:
        """Embed texts; see `Embedder.embed`. A repeated text is embedded once."""
        kind = f"{self._owner}:{role if self._by_role else ''}"
        keys = [_key(text, kind) for text in texts]
        cached = {key: self._cache[key] for key in keys if key in self._cache}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in cached}
        if new or not texts:
            rows = await self._embedder.embed([*new.values()], role)
            if any(vector.shape != rows.shape[1:] for vector in cached.values()):
                # Another model now has the same name.
                new = dict(zip(keys, texts, strict=True))
                cached, rows = {}, await self._embedder.embed([*new.values()], role)
            if len(new) == len(texts):
                self._store(dict(zip(keys, rows, strict=True)))
                return rows
            cached |= zip(new, rows, strict=True)
        self._store(cached)
        return np.stack([cached[key] for key in keys])

    def _store(self, vectors: dict[bytes, Vectors]) -> None:
        for key, vector in vectors.items():
            if self._cache and next(iter(self._cache.values())).shape != vector.shape:
                self._cache.clear()  # another model had the same name before
            if key not in self._cache:
                self._cache[key] = vector.copy()  # a view would keep its whole batch in memory
            self._cache.move_to_end(key)
            if len(self._cache) * vector.nbytes > _MOST_BYTES:
                self._cache.popitem(last=False)


def _key(text: str, kind: str) -> bytes:
    # UTF-8 refuses lone surrogates. With its length, a kind cannot end in what begins a text.
    return hashlib.sha256(f"{len(kind)}:{kind}:{text}".encode(errors="surrogatepass")).digest()
