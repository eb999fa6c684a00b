"""The vectors of texts that are stored: of the whole, and of a long one's passages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mem_mcp.api.models import Memory
from mem_mcp.ranking import embedded_passages
from mem_mcp.runtime import Runtime
from mem_mcp.store import TextVectors, Vector
from mem_mcp.text import said_by

Said = tuple[str | None, str]
"""Who says a text, and the text."""


async def embed_memories(
    runtime: Runtime, memories: Sequence[Memory]
) -> tuple[list[TextVectors], list[str]]:
    """Embed memories with one call of the embedder; see `embed_said`."""
    return await embed_said(runtime, [(memory.actor_id, memory.text) for memory in memories])


async def embed_said(runtime: Runtime, said: Sequence[Said]) -> tuple[list[TextVectors], list[str]]:
    """Embed texts, and the passages of the long ones, with one call of the embedder.

    The speaker's name stands before a text, and before each of its passages.

    Returns:
        The vectors of each text, and notes for `degraded`. If the embedder does not work, each has
        none and a note says why.
    """
    wholes = [said_by(who, text) for who, text in said]
    pieces = [_passages(each) for each in said]
    texts = [*wholes, *(piece for each in pieces for piece in each)]
    vectors, degraded = await runtime.embed(texts, "passage") if texts else ([], [])
    of_passages = _by_text(vectors[len(wholes) :], pieces)
    return [*map(TextVectors, vectors[: len(wholes)], of_passages)], degraded


async def embed_passages(
    runtime: Runtime, memories: Sequence[Memory]
) -> tuple[list[Vector | None], list[str]]:
    """Embed the passages of memories with one call of the embedder; see `embed_said`.

    Returns:
        (k, d) of each memory, None for a short one; and notes for `degraded`.
    """
    pieces = [_passages((memory.actor_id, memory.text)) for memory in memories]
    texts = [piece for each in pieces for piece in each]
    vectors, degraded = await runtime.embed(texts, "passage") if texts else ([], [])
    return _by_text(vectors, pieces), degraded


def _passages(said: Said) -> list[str]:
    who, text = said
    return [said_by(who, part) for part in embedded_passages(text)]


def _by_text(
    vectors: Sequence[Vector | None], pieces: Sequence[Sequence[str]]
) -> list[Vector | None]:
    """Share out the vectors of all passages; a text without any has None."""
    left = iter(vectors)
    shares = [[vector for _ in each if (vector := next(left)) is not None] for each in pieces]
    return [np.stack(own) if own else None for own in shares]
