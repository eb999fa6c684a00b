"""What one open memory works with."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from functools import partial
from pathlib import Path

from mem_mcp.config import Settings
from mem_mcp.embedding import CachedEmbedder, Embedder, RemoteEmbedder
from mem_mcp.errors import EmbedderUnavailable
from mem_mcp.llm import Gateway
from mem_mcp.logs import feedback, llm_calls, recalls
from mem_mcp.logs.feedback import Ratings
from mem_mcp.logs.llm_calls import Calls
from mem_mcp.logs.recalls import Traces
from mem_mcp.prompts import Prompts
from mem_mcp.retrieval.feedback_signals import Experiences
from mem_mcp.retrieval.scope_cache import ScopeCache
from mem_mcp.store import LogTable, Store, Vector, adopt
from mem_mcp.telemetry import span
from mem_mcp.times import local_zone

Reranker = Callable[[str, Sequence[str]], Awaitable[list[float]]]
"""Tells how relevant each text is to a question; raises LLMError."""
WRITE_ATTEMPTS = 50
"""Races for the same memory that one call loses before it gives up."""

_AT_ONCE = (os.cpu_count() or 1) + 1


@dataclass(frozen=True, slots=True)
class Runtime:
    """An open store, an embedder and the settings."""

    settings: Settings
    store: Store
    embedder: Embedder
    scopes: ScopeCache
    ratings: Ratings
    traces: Traces
    calls: Calls
    experiences: Experiences
    door: Gateway
    """To every model of a provider; it has connections to close once it was used."""
    gateway: Gateway | None
    """The same, for the language model; None where none is configured."""
    reranker: Reranker | None
    """None where none is configured."""
    prompts: Prompts
    zone: tzinfo
    """Of times that callers give without one, and of dates that are shown."""
    recalls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    """Limit on concurrent recalls: ranking is bound by the processor."""

    @classmethod
    def of(cls, settings: Settings, store: Store, embedder: Embedder | None = None) -> Runtime:
        """Gather what belongs to a store.

        Args:
            settings: of the memory.
            store: open.
            embedder: one on this machine; None for the provider's that the settings name.
        """
        keep = timedelta(days=settings.recall.trace_days) if settings.recall.traces else None
        scopes = ScopeCache()
        rated = Ratings(LogTable(store, "feedback", feedback.SCHEMA, ["owner", "memory_id"]))
        asked = Calls(LogTable(store, "calls", llm_calls.SCHEMA, []))
        door = Gateway(settings.llm, on_call=asked.add)
        there, reranking = settings.embedding, settings.rerank
        ask = partial(door.embed, model=there.model, api_base=there.api_base)
        judge = partial(door.rerank, model=reranking.model, api_base=reranking.api_base)
        return cls(
            settings=settings,
            store=store,
            embedder=embedder or CachedEmbedder(RemoteEmbedder(there.model, ask)),
            scopes=scopes,
            ratings=rated,
            traces=Traces(LogTable(store, "traces", recalls.SCHEMA, ["recall_id"]), keep),
            calls=asked,
            experiences=Experiences(store, rated, scopes),
            door=door,
            gateway=door if settings.llm.model else None,
            reranker=judge if reranking.model else None,
            zone=local_zone(settings.time_zone),
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
                vectors = await self.embedder.embed(texts)
            if len(vectors):
                await self.fit(vectors.shape[1])
            return list(vectors), []
        except EmbedderUnavailable as error:
            return [None] * len(texts), [f"no embedder, so search is by words only: {error}"]

    async def fit(self, dimension: int) -> None:
        """Compare vectors with those of the store, which has a place for them from the first on.

        Raises:
            EmbedderUnavailable: the store's are others.
        """
        if self.store.space is None:
            await adopt(self.store, self.embedder.identity, dimension)
        space = self.store.space
        if space is None:
            return
        if space.embedder != self.embedder.identity:
            raise EmbedderUnavailable(
                f"the store holds vectors of {space.embedder}, and these are of "
                f"{self.embedder.identity}; make the store's anew with mem-mcp reembed"
            )
        if space.dimension != dimension:
            raise EmbedderUnavailable(
                f"{space.embedder} gives vectors of {dimension} numbers, and the store holds "
                f"those of {space.dimension}: another model now stands behind that name; make the "
                "vectors anew under another name with mem-mcp reembed"
            )
