"""What every verb works with."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from mem_mcp.config import Settings
from mem_mcp.embedding import Embedder
from mem_mcp.engine.experience import Experiences
from mem_mcp.engine.ratings import Ratings
from mem_mcp.engine.scopes import Scopes
from mem_mcp.engine.traces import Traces
from mem_mcp.errors import EmbedderUnavailable
from mem_mcp.llm import Gateway
from mem_mcp.prompts import Prompts
from mem_mcp.store import Log, Store, Vector, columns
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
    scopes: Scopes
    ratings: Ratings
    traces: Traces
    experiences: Experiences
    gateway: Gateway | None
    """To the language model; None where none is configured."""
    prompts: Prompts
    recalls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    """Recalls that may be under way at once: more would only wait for each other's processor."""

    @classmethod
    def of(cls, settings: Settings, store: Store, embedder: Embedder) -> Resources:
        """Gather what belongs to a store."""
        dimension, text = embedder.dimension, pa.string()
        ratings = columns(
            dimension,
            *((name, text) for name in ("memory_id", "owner", "rating", "reason", "query")),
            *((name, text) for name in ("question", "user_id", "agent_id")),
        )
        traces = columns(
            dimension,
            *((name, text) for name in ("recall_id", "tool", "user_id", "agent_id", "query")),
            ("memory_ids", pa.list_(text)),
            ("arguments", text),
        )
        keep = timedelta(days=settings.recall.trace_days) if settings.recall.traces else None
        scopes = Scopes()
        rated = Ratings(Log(store, "feedback", ratings, ["owner", "memory_id"]))
        return cls(
            settings=settings,
            store=store,
            embedder=embedder,
            scopes=scopes,
            ratings=rated,
            traces=Traces(Log(store, "traces", traces, ["recall_id"]), keep),
            experiences=Experiences(store, rated, scopes),
            gateway=Gateway(settings.llm) if settings.llm.model else None,
            prompts=Prompts.load(Path(settings.llm.prompts) if settings.llm.prompts else None),
        )

    @property
    def identity(self) -> str | None:
        """Identity of the embedder; None while it cannot work."""
        try:
            return self.embedder.identity
        except EmbedderUnavailable:
            return None

    def instructions(self, own: str = "") -> list[str]:
        """Return what a model is asked to keep or leave out: the settings', then a call's own."""
        return [each for each in (self.settings.llm.instructions, own) if each.strip()]

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
