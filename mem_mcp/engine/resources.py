"""What every verb works with."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from mem_mcp.config import Settings
from mem_mcp.embedding import Embedder
from mem_mcp.engine.scopes import Scopes
from mem_mcp.errors import EmbedderUnavailable
from mem_mcp.store import Store, Vector
from mem_mcp.telemetry import span

WRITE_ATTEMPTS = 50
"""Races for the same memory that one call loses before it gives up."""

_AT_ONCE = (os.cpu_count() or 1) + 1


@dataclass(frozen=True, slots=True)
class Resources:
    """An open store, an embedder and the settings."""

    settings: Settings
    store: Store
    embedder: Embedder
    recalls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    """Recalls that may be under way at once: more would only wait for each other's processor."""
    scopes: Scopes = field(default_factory=Scopes)

    @property
    def identity(self) -> str | None:
        """Identity of the embedder; None while it cannot work."""
        try:
            return self.embedder.identity
        except EmbedderUnavailable:
            return None

    async def embed(self, texts: Sequence[str]) -> tuple[list[Vector | None], list[str]]:
        """Embed texts, or say why not.

        Returns:
            A vector for each text, all None where the embedder cannot work, and the answer's
            `degraded`.
        """
        try:
            with span("embed"):
                return list(await self.embedder.embed(texts)), []
        except EmbedderUnavailable as error:
            return [None] * len(texts), [f"no embedder, so search is by words only: {error}"]
