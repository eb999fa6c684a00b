"""Questions repeat: their vectors are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from mem_mcp.embedding.embedder import Embedder, Vectors

_MOST = 1_024
_LONGEST = 2_000


class CachedEmbedder:
    """An embedder that remembers the vectors of the last short texts embedded alone."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._kept: OrderedDict[str, Vectors] = OrderedDict()

    @property
    def identity(self) -> str:
        """Identity of the embedder behind it."""
        return self._embedder.identity

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._embedder.dimension

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; see `Embedder.embed`."""
        if len(texts) != 1 or len(texts[0]) > _LONGEST:
            return await self._embedder.embed(texts)
        kept = self._kept.get(texts[0])
        if kept is None:
            kept = await self._embedder.embed(texts)
            kept.setflags(write=False)  # many answers share it
            self._kept[texts[0]] = kept
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(texts[0])
        return kept
