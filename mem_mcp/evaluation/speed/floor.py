"""The least that a recall and a write can take: what LanceDB and the embedder do, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mem_mcp.api.models import Scope
from mem_mcp.embedding import BundledEmbedder
from mem_mcp.store import Store, Vector, Version
from mem_mcp.store.schema import table_schema, to_arrow
from mem_mcp.times import utc_now
from mem_mcp.writing.identity import new_memory

LIMIT = 10
USER = "floor"


class Floor:
    """One embedder and one open table, used without the product."""

    def __init__(self, store: Store, embedder: BundledEmbedder) -> None:
        self.embedder = embedder
        self._table = store.table
        self._schema = table_schema(store.space)

    async def recall(self, question: str, where: str) -> None:
        """Embed a question, and find what is like it by meaning and by words."""
        (vector,) = await self.embedder.embed([question])
        await self.exact(vector, where, ["memory_id", "text"])
        words = self._table.query().nearest_to_text(question).where(where).limit(LIMIT)
        await words.select(["memory_id", "text", "_score"]).to_arrow()

    async def exact(self, vector: Vector, where: str, columns: Sequence[str]) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return the rows nearest to a vector, found without an index over vectors."""
        query = self._table.query().nearest_to(np.asarray(vector)).distance_type("cosine")
        query = query.bypass_vector_index().limit(LIMIT).select([*columns, "_distance"])
        return await (query.where(where) if where else query).to_arrow()

    async def remember(self, text: str, name: str) -> None:
        """Embed a text and add its row, whose id is made of `name`."""
        (vector,) = await self.embedder.embed([text])
        await self._table.add(to_arrow([self._version(text, name, vector)], self._schema))

    def _version(self, text: str, name: str, vector: Vector) -> Version:
        memory = new_memory(Scope(user_id=USER), text, utc_now(), kind="fact")
        identity = {"memory_id": f"{USER}-{name}", "version_id": f"{USER}-{name}.1"}
        return Version(memory.model_copy(update=identity), vector)
