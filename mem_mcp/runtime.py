"""Runtime: the objects of one open memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from functools import partial
from pathlib import Path

from mem_mcp.config import Settings
from mem_mcp.embedding import CachedEmbedder, Embedder, RemoteEmbedder, Role, prefixes
from mem_mcp.errors import EmbedderUnavailable
from mem_mcp.llm import Gateway, Ledger
from mem_mcp.logs import feedback, llm_calls, recalls
from mem_mcp.logs.feedback import Ratings
from mem_mcp.logs.llm_calls import Calls
from mem_mcp.logs.recalls import Traces
from mem_mcp.prompts import PromptFolder
from mem_mcp.ranking import Room
from mem_mcp.retrieval.feedback_signals import FeedbackCache
from mem_mcp.retrieval.scope_cache import ScopeCache
from mem_mcp.store import LogTable, Store, Vector, adopt
from mem_mcp.telemetry import span
from mem_mcp.times import local_zone

Reranker = Callable[[str, Sequence[str]], Awaitable[list[float]]]
"""Returns the relevance of each text to a query; raises LLMError."""
WRITE_ATTEMPTS = 50
"""Attempts of one call to write while others change the same memory."""

_AT_ONCE = (os.cpu_count() or 1) + 1


class Recalls:
    """Limit on concurrent recalls, because ranking is CPU-bound; enter it for each."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._running = 0
        self._none = asyncio.Event()
        self._none.set()

    async def __aenter__(self) -> None:
        self._running += 1
        self._none.clear()
        try:
            await self._turns.acquire()
        except BaseException:
            self._ended()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._turns.release()
        self._ended()

    def _ended(self) -> None:
        self._running -= 1
        if not self._running:
            self._none.set()

    async def over(self, most: float) -> None:
        """Wait until none runs, at most some seconds: for work that nobody waits for."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._none.wait(), most)


@dataclass(frozen=True, slots=True)
class Runtime:
    """The objects that operations share: settings, store, embedder, models, caches and logs."""

    settings: Settings
    store: Store
    embedder: Embedder
    scopes: ScopeCache
    ratings: Ratings
    traces: Traces
    calls: Calls
    feedback_cache: FeedbackCache
    door: Gateway
    """Calls the models of providers: embedding, reranking and language model. Must be closed."""
    gateway: Gateway | None
    """The same object if a language model is configured; None if none is."""
    reranker: Reranker | None
    """None if no reranking model is configured."""
    prompts: PromptFolder
    zone: tzinfo
    """Time zone of times given without one, and of dates shown."""
    recalls: Recalls = field(default_factory=Recalls)
    changes_shared: bool = False
    """Whether the caller may change what other users wrote for all."""

    @classmethod
    def of(cls, settings: Settings, store: Store, embedder: Embedder | None = None) -> Runtime:
        """Create the objects for an open store.

        Args:
            settings: the settings.
            store: the open store.
            embedder: a local embedder; None for the embedding model of a provider, as the settings
                name it.
        """
        keep = timedelta(days=settings.recall.trace_days) if settings.recall.traces else None
        scopes = ScopeCache()
        ratings = Ratings(LogTable(store, "feedback", feedback.SCHEMA, ["owner", "memory_id"]))
        calls = Calls(LogTable(store, "calls", llm_calls.SCHEMA, []))
        door = Gateway(settings.llm, Ledger(elsewhere=calls.elsewhere), on_call=calls.add)
        embedding, reranking = settings.embedding, settings.rerank
        before = prefixes(embedding)
        embed = partial(door.embed, model=embedding.model, api_base=embedding.api_base)
        rerank = partial(door.rerank, model=reranking.model, api_base=reranking.api_base)
        return cls(
            settings=settings,
            store=store,
            embedder=embedder
            or CachedEmbedder(
                RemoteEmbedder(embedding.model, embed, before),
                by_role=before["query"] != before["passage"],
            ),
            scopes=scopes,
            ratings=ratings,
            traces=Traces(LogTable(store, "traces", recalls.SCHEMA, ["recall_id"]), keep),
            calls=calls,
            feedback_cache=FeedbackCache(store, ratings, scopes),
            door=door,
            gateway=door if settings.llm.model else None,
            reranker=rerank if reranking.model else None,
            zone=local_zone(settings.time_zone),
            prompts=PromptFolder(Path(settings.llm.prompts) if settings.llm.prompts else None),
        )

    def room(self, max_tokens: int = 0) -> Room:
        """Return the room of an answer's texts.

        Args:
            max_tokens: what the caller allows for all of them; 0 where it says nothing.
        """
        if max_tokens:
            return Room.of_tokens(max_tokens)
        bounds = self.settings.answer
        return Room.of_characters(bounds.characters, bounds.memory_characters)

    @property
    def identity(self) -> str | None:
        """Identity of the embedder; None if it does not work."""
        try:
            return self.embedder.identity
        except EmbedderUnavailable:
            return None

    def instructions(self, own: str = "") -> list[str]:
        """Return the instructions for extraction: those of the settings, then those of the call."""
        return [text for text in (self.settings.llm.instructions, own) if text.strip()]

    async def embed(
        self, texts: Sequence[str], role: Role
    ) -> tuple[list[Vector | None], list[str]]:
        """Embed texts; see `Embedder.embed`.

        Returns:
            A vector for each text, and notes for `degraded`. If the embedder does not work, each
            vector is None and a note says why.
        """
        try:
            with span("embed"):
                vectors = await self.embedder.embed(texts, role)
            if len(vectors):
                await self.fit(vectors.shape[1])
            return list(vectors), []
        except EmbedderUnavailable as error:
            return [None] * len(texts), [f"no embedder, so search is by words only: {error}"]

    async def fit(self, dimension: int) -> None:
        """Check that the embedder's vectors fit the store; an empty store adopts the embedder.

        Args:
            dimension: the dimension of the embedder's vectors.

        Raises:
            EmbedderUnavailable: the store has vectors of another embedder or dimension.
        """
        if self.store.space is None:
            await adopt(self.store, self.embedder.identity, dimension)
        space = self.store.space
        if space is None:
            return
        if space.embedder != self.embedder.identity:
            raise EmbedderUnavailable(
                f"the store holds vectors of {space.embedder}, and these are of "
                f"{self.embedder.identity}; make the store's anew with mem-mcp reembed, where it "
                "can be written to"
            )
        if space.dimension != dimension:
            raise EmbedderUnavailable(
                f"{space.embedder} gives vectors of {dimension} numbers, and the store holds "
                f"those of {space.dimension}: another model now stands behind that name; make the "
                "vectors anew under another name with mem-mcp reembed"
            )
