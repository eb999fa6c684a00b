"""The cache of vectors does not tell one user what another one wrote or asked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mem_mcp.embedding import CachedEmbedder, Role


class Counting:
    identity = "counting"
    dimension = 2

    def __init__(self) -> None:
        self.embedded: list[str] = []

    async def embed(self, texts: Sequence[str], role: Role) -> np.ndarray:
        self.embedded += texts
        return np.array([[len(text), 1.0] for text in texts], np.float32).reshape(-1, 2)


@pytest.mark.anyio
async def test_a_text_that_another_user_gave_is_embedded_again():
    model = Counting()
    everybody = CachedEmbedder(model)
    alice, bob = everybody.of_owner("alice"), everybody.of_owner("bob")
    for embedder in (alice, alice, bob, bob, everybody, everybody.of_owner("alice")):
        await embedder.embed(["The code is 4711"], "passage")
    assert model.embedded == ["The code is 4711"] * 3


@pytest.mark.anyio
async def test_an_owner_s_name_cannot_reach_into_another_s_texts():
    model = Counting()
    cache = CachedEmbedder(model)
    await cache.of_owner("a").embed(["b:passage:x"], "passage")
    await cache.of_owner("a:passage:b").embed(["x"], "passage")
    await cache.of_owner("a:passage").embed([":b:passage:x"], "passage")
    assert len(model.embedded) == 3
