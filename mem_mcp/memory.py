"""The facade: every verb as a method, async and blocking."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import cache
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from anyio.from_thread import start_blocking_portal

from mem_mcp.api.arguments import Time
from mem_mcp.api.models import (
    FeedbackResult,
    ForgetResult,
    GetResult,
    GraphResult,
    ImportResult,
    Infer,
    LessonsResult,
    ListResult,
    Maintained,
    OutcomeResult,
    RecallResult,
    Reembedded,
    RememberResult,
    Reprocessed,
    UpdateResult,
    Why,
)
from mem_mcp.api.stats import Stats
from mem_mcp.config import Settings, load_settings
from mem_mcp.embedding import BundledEmbedder, CachedEmbedder
from mem_mcp.errors import EmbedderUnavailable, InvalidInput, MemError
from mem_mcp.extraction.pipeline import Progress
from mem_mcp.operations import (
    forget,
    get_memory,
    give_feedback,
    graph,
    list_memories,
    recall,
    recall_lessons,
    record_outcome,
    reembed,
    remember,
    reprocess,
    transfer,
    update_memory,
    why,
)
from mem_mcp.operations.background import Background
from mem_mcp.operations.maintain import Upkeep
from mem_mcp.operations.stats import stats
from mem_mcp.resident import give_back
from mem_mcp.runtime import Runtime
from mem_mcp.store import Filters, open_store

P = ParamSpec("P")
T = TypeVar("T")
Noted = TypeVar("Noted", RecallResult, LessonsResult, GraphResult)


class AsyncMemory:
    """A memory; made by `AsyncMemory.open`.

    Methods have the tools' names and arguments. Empty user_id: the settings' user. On reads an
    empty agent_id or run_id means any. Times are ISO 8601 with a time zone, or aware datetimes.
    Every method raises InvalidInput for an argument it refuses and StoreError where the store
    fails; nothing is half done then.
    """

    def __init__(self, runtime: Runtime, upkeep: Upkeep, background: Background) -> None:
        self._runtime = runtime
        self._upkeep = upkeep
        self._background = background

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings | None = None, *, any_embedder: bool = False
    ) -> AsyncIterator[AsyncMemory]:
        """Open the memory that settings describe; the store is made at first use.

        Args:
            settings: None reads the environment and the configuration file.
            any_embedder: accept a store whose vectors another embedder made: to read, to export, or
                to make them anew.

        Raises:
            ConfigError: a setting is wrong.
            StoreError: the data directory cannot be used.
        """
        settings = settings or load_settings()
        embedder = BundledEmbedder() if settings.embedding.bundled else None
        identity: str | None = settings.embedding.model
        if embedder is not None:
            try:
                identity = embedder.identity
            except EmbedderUnavailable:  # each answer says so; words still find
                identity = None
        try:
            async with open_store(
                settings.storage_uri or settings.data_dir,
                dimension=embedder.dimension if embedder else None,
                embedder=identity,
                durable=settings.store.durability == "fsync",
                any_embedder=any_embedder,
            ) as store:
                local = CachedEmbedder(embedder) if embedder else None
                runtime = Runtime.of(settings, store, local)
                try:
                    async with cls.over(runtime) as memory:
                        yield memory
                finally:
                    await runtime.door.aclose()
        finally:
            if embedder is not None:
                embedder.close()

    @classmethod
    @asynccontextmanager
    async def over(cls, runtime: Runtime) -> AsyncIterator[AsyncMemory]:
        """Work with a store and models of one's own, which stay open; all others use `open`."""
        upkeep, background = Upkeep(runtime), Background(runtime)
        background.wake()
        try:
            yield cls(runtime, upkeep, background)
        finally:
            await background.close()
            await upkeep.close()
            await runtime.traces.close()
            await runtime.calls.close()

    async def remember(
        self,
        content: str = "",
        messages: Sequence[Mapping[str, Any]] | None = None,
        *,
        kind: str = "",
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        entities: Sequence[str] | None = None,
        relations: Sequence[Mapping[str, str]] | None = None,
        occurred_at: Time = None,
        expires_at: Time = None,
        infer: Infer = "auto",
        instructions: str = "",
        idempotency_key: str = "",
        user_id: str = "",
        agent_id: str = "",
        run_id: str = "",
        on_progress: Progress | None = None,
    ) -> RememberResult:
        """Store one text, or the messages of a conversation in order.

        A text that this user and agent have stored already under the same kind is not stored
        again: its event is NONE. Messages are numbered on from the last of their run.

        Args:
            content: the text; or messages, not both.
            messages: {role, content, name?, occurred_at?}, content a text or a list of text and
                image parts; a model that sees describes the pictures.
            kind: fact (default), message or procedure.
            tags: labels to filter by.
            metadata: the caller's own fields, filterable as metadata.<key>.
            entities: who or what it is about.
            relations: {source, relation, target}.
            occurred_at: when it happened or was said; now by default.
            expires_at: from when on it is no longer recalled.
            infer: what a language model may make of it; without one all is stored as given.
            instructions: extra rules for a language model.
            idempotency_key: a repeat with the same key and scope gets the first answer. A first
                answer of NONE stored nothing, so it holds only while that memory is there.
            user_id: whose memory; "global" for everybody's.
            agent_id: of which agent.
            run_id: of which conversation or task.
            on_progress: called with the parts of a long conversation that the model has done, and
                with how many there are; may be async. What it raises ends the call, and what was
                read until then stays.
        """
        request = remember.Request(
            content=content,
            messages=messages,
            kind=kind,
            tags=tags,
            metadata=metadata,
            entities=entities,
            relations=relations,
            occurred_at=occurred_at,
            expires_at=expires_at,
            infer=infer,
            instructions=instructions,
            idempotency_key=idempotency_key,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return await self._written(remember.remember(self._runtime, request, on_progress))

    async def remember_many(self, items: Sequence[Mapping[str, Any]]) -> RememberResult:
        """Store up to 1,000 memories with one embedding batch and one commit.

        Args:
            items: arguments of `remember` each; `similar` is not looked for, and
                idempotency_key is refused.
        """
        requests = []
        for index, item in enumerate(items):
            try:
                requests.append(remember.Request(**item))
            except TypeError as error:
                raise InvalidInput(f"items[{index}]", str(error).partition(") ")[2]) from error
        return await self._written(remember.remember_many(self._runtime, requests))

    async def recall(
        self,
        query: str,
        *,
        limit: int = 10,
        max_tokens: int = 0,
        kinds: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        filters: Filters | None = None,
        since: Time = None,
        until: Time = None,
        as_of: Time = None,
        min_score: float = 0.0,
        include_global: bool = True,
        explain: bool = False,
        user_id: str = "",
        agent_id: str = "",
        run_id: str = "",
    ) -> RecallResult:
        """Find the memories that a question is about, best first.

        Args:
            query: the question, at most 50,000 characters.
            limit: at most so many memories, 1..200.
            max_tokens: bound on their estimated tokens together; 0 for none.
            kinds: any of these kinds.
            tags: any of these tags.
            filters: further conditions in the filter language.
            since: occurred then or later.
            until: occurred then or earlier.
            as_of: answer as of this moment: what was stored and believed then.
            min_score: leave out what is less relevant, 0..1.
            include_global: also what is shared by all users.
            explain: show the parts of each score; they add up to it.
            user_id: whose memory.
            agent_id: of which agent; empty for any.
            run_id: of which run; empty for any.
        """
        request = recall.Request(
            query=query,
            limit=limit,
            max_tokens=max_tokens,
            kinds=kinds,
            tags=tags,
            filters=filters,
            since=since,
            until=until,
            as_of=as_of,
            min_score=min_score,
            include_global=include_global,
            explain=explain,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return self._noted(await recall.recall(self._runtime, request))

    async def record_outcome(
        self,
        task: str,
        outcome: str = "",
        *,
        lesson: str = "",
        summary: str = "",
        task_type: str = "",
        tool_name: str = "",
        severity: str = "",
        agent_version: str = "",
        confidence: float | None = None,
        logs: Sequence[str] | None = None,
        used_memory_ids: Sequence[str] | None = None,
        recall_id: str = "",
        user_scope: str = "user",
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        occurred_at: Time = None,
        idempotency_key: str = "",
        user_id: str = "",
        agent_id: str = "",
        run_id: str = "",
    ) -> OutcomeResult:
        """Record how a task went, and credit or debit the memories that it used.

        Args:
            task: what was to be done.
            outcome: success, failure, partial or unknown; empty is unknown.
            lesson: what to do, or not to do, next time.
            summary: what happened.
            task_type: kind of task, to group by.
            tool_name: the tool or action that was chosen.
            severity: minor, major or critical.
            agent_version: of the agent that acted.
            confidence: in the outcome, 0..1.
            logs: raw logs, kept whole and never searched; at most 5 MB in all.
            used_memory_ids: the memories that were used.
            recall_id: of the recall whose memories were used.
            user_scope: user, or global for everybody.
            tags: labels to filter by.
            metadata: the caller's own fields.
            occurred_at: when it happened; now by default.
            idempotency_key: a repeat with the same key and scope gets the first answer.
            user_id: whose memory.
            agent_id: of which agent.
            run_id: of which task.
        """
        request = record_outcome.Request(
            task=task,
            outcome=outcome,
            lesson=lesson,
            summary=summary,
            task_type=task_type,
            tool_name=tool_name,
            severity=severity,
            agent_version=agent_version,
            confidence=confidence,
            logs=logs,
            used_memory_ids=used_memory_ids,
            recall_id=recall_id,
            user_scope=user_scope,
            tags=tags,
            metadata=metadata,
            occurred_at=occurred_at,
            idempotency_key=idempotency_key,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return await self._written(record_outcome.record_outcome(self._runtime, request))

    async def recall_lessons(
        self,
        task: str,
        *,
        task_type: str = "",
        tool_name: str = "",
        outcomes: Sequence[str] | None = None,
        severity: str = "",
        agent_version: str = "",
        since: Time = None,
        limit: int = 5,
        max_tokens: int = 0,
        include_global: bool = True,
        user_id: str = "",
        agent_id: str = "",
        run_id: str = "",
    ) -> LessonsResult:
        """Find what earlier tasks teach for one: lessons, successes and failures, each by itself.

        Args:
            task: what is to be done.
            task_type: only this kind of task.
            tool_name: only this tool.
            outcomes: only these; all but unknown by default.
            severity: only this.
            agent_version: only this.
            since: occurred then or later.
            limit: at most so many of each list, 1..200.
            max_tokens: bound on the estimated tokens of all their texts, and of the briefing; 0
                for none.
            include_global: also what is shared by all users.
            user_id: whose memory.
            agent_id: of which agent; empty for any.
            run_id: of which run; empty for any.
        """
        request = recall_lessons.Request(
            task=task,
            task_type=task_type,
            tool_name=tool_name,
            outcomes=outcomes,
            severity=severity,
            agent_version=agent_version,
            since=since,
            limit=limit,
            max_tokens=max_tokens,
            include_global=include_global,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return self._noted(await recall_lessons.recall_lessons(self._runtime, request))

    async def give_feedback(
        self,
        memory_id: str = "",
        feedback: str | None = None,
        *,
        feedback_reason: str = "",
        recall_id: str = "",
        query: str = "",
        items: Sequence[Mapping[str, Any]] | None = None,
        user_id: str = "",
        agent_id: str = "",
        run_id: str = "",
    ) -> FeedbackResult:
        """Say whether a memory helped; a rater's latest word on a memory and a question counts.

        VERY_NEGATIVE by the memory's owner also hides it from recall, until it is taken back.

        Args:
            memory_id: which; or items.
            feedback: POSITIVE, NEGATIVE or VERY_NEGATIVE; empty or None takes it back.
            feedback_reason: why.
            recall_id: of the recall that answered with it: names the question.
            query: the question itself.
            items: up to 1,000 of {memory_id, feedback, feedback_reason, recall_id, query}; each
                has its own result or error.
            user_id: whose memory, and who rates.
            agent_id: which agent rates.
            run_id: of which run.
        """
        one = give_feedback.Item(
            memory_id=memory_id,
            feedback=feedback,
            feedback_reason=feedback_reason,
            recall_id=recall_id,
            query=query,
        )
        request = give_feedback.Request(
            one=one, items=items, user_id=user_id, agent_id=agent_id, run_id=run_id
        )
        return await self._written(give_feedback.give_feedback(self._runtime, request))

    async def update_memory(
        self,
        memory_id: str,
        *,
        content: str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        expires_at: Time = None,
        valid_until: Time = None,
        outcome: str | None = None,
        status: str | None = None,
        reason: str = "",
        user_id: str = "",
        agent_id: str = "",
        run_id: str = "",
    ) -> UpdateResult:
        """Change a memory; earlier versions stay. What is absent or None stays as it is.

        Args:
            memory_id: which.
            content: the new text.
            tags: the new tags; [] for none.
            metadata: merged by key; a None value deletes its key.
            expires_at: from when on it is no longer recalled.
            valid_until: from when on it was no longer true.
            outcome: what an outcome really was.
            status: active or archived.
            reason: why; kept with the version.
            user_id: whose memory.
            agent_id: of which agent; empty for any.
            run_id: of which run; empty for any.
        """
        request = update_memory.Request(
            memory_id=memory_id,
            content=content,
            tags=tags,
            metadata=metadata,
            expires_at=expires_at,
            valid_until=valid_until,
            outcome=outcome,
            status=status,
            reason=reason,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return await self._written(update_memory.update_memory(self._runtime, request))

    async def forget(
        self,
        memory_id: str = "",
        *,
        filters: Filters | None = None,
        confirm: bool = False,
        purge: bool = False,
        user_id: str = "",
        agent_id: str = "",
        run_id: str = "",
    ) -> ForgetResult:
        """End a memory, or with confirm all that match; history stays unless purged.

        Args:
            memory_id: which; or filters.
            filters: conditions in the filter language; without confirm they only count.
            confirm: forget what matches.
            purge: delete the rows of every version.
            user_id: whose memory.
            agent_id: of which agent; empty for any.
            run_id: of which run; empty for any.
        """
        request = forget.Request(
            memory_id=memory_id,
            filters=filters,
            confirm=confirm,
            purge=purge,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return await self._written(forget.forget(self._runtime, request))

    async def get_memory(
        self,
        memory_id: str,
        *,
        history: bool = False,
        user_id: str = "",
        agent_id: str = "",
        run_id: str = "",
    ) -> GetResult:
        """Read every field of a memory; with history all versions, also of a forgotten one."""
        return await get_memory.get_memory(
            self._runtime,
            memory_id,
            history=history,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )

    async def list_memories(
        self,
        *,
        filters: Filters | None = None,
        kinds: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        limit: int = 50,
        cursor: str = "",
        order: str = "newest",
        user_id: str = "",
        agent_id: str = "",
        run_id: str = "",
    ) -> ListResult:
        """List a user's memories by the time they were recorded.

        Args:
            filters: conditions in the filter language; asking about status or superseded_at
                shows what is otherwise left out.
            kinds: any of these kinds.
            tags: any of these tags.
            limit: memories of a page, 1..200.
            cursor: next_cursor of the page before.
            order: newest or oldest first.
            user_id: whose memory.
            agent_id: of which agent; empty for any.
            run_id: of which run; empty for any.
        """
        request = list_memories.Request(
            filters=filters,
            kinds=kinds,
            tags=tags,
            limit=limit,
            cursor=cursor,
            order=order,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return await list_memories.list_memories(self._runtime, request)

    async def graph(
        self, entity: str, *, hops: int = 2, user_id: str = "", agent_id: str = "", run_id: str = ""
    ) -> GraphResult:
        """Return the entities and relations around one, and the memories that support them.

        Args:
            entity: by any of its names; case, punctuation and a possessive 's do not matter.
            hops: how far from it, 1..4.
            user_id: whose memory.
            agent_id: of which agent; empty for any.
            run_id: of which run; empty for any.
        """
        request = graph.Request(
            entity=entity, hops=hops, user_id=user_id, agent_id=agent_id, run_id=run_id
        )
        return self._noted(await graph.graph(self._runtime, request))

    async def import_lines(
        self,
        lines: Iterable[bytes],
        *,
        user_id: str = "",
        progress: Callable[[int], None] = lambda _: None,
    ) -> ImportResult:
        """Store one memory a line of JSON; bad lines are skipped and named.

        Args:
            lines: UTF-8 JSON objects with the fields of a memory; only the text is required.
            user_id: owner of lines that name none.
            progress: called with the number of lines done since its last call.
        """
        return await self._written(
            transfer.import_lines(self._runtime, lines, user_id=user_id, progress=progress)
        )

    async def export_lines(self, *, user_id: str = "") -> AsyncIterator[str]:
        """Yield current memories as lines of JSON, oldest first; everybody's by default."""
        async for line in transfer.export_lines(self._runtime, user_id=user_id):
            yield line

    async def stats(self, *, detailed: bool = True) -> Stats:
        """Count what the store holds.

        Args:
            detailed: also show texts and ids, of all users: what helped most, and what harmed;
                and what models were asked.
        """
        return await stats(self._runtime, detailed=detailed)

    async def why(self, recall_id: str, memory_id: str, *, user_id: str = "") -> Why:
        """Say why a memory was, or was not, in an answer of recall or recall_lessons.

        Args:
            recall_id: of the answer.
            memory_id: which memory.
            user_id: who asked.
        """
        request = why.Request(recall_id=recall_id, memory_id=memory_id, user_id=user_id)
        return await why.why(self._runtime, request)

    async def maintain(self, *, dry_run: bool = False) -> Maintained:
        """Archive what is due, compact the store and embed what has no vector.

        Args:
            dry_run: only say what would be done.
        """
        return await self._upkeep.run(thorough=True, dry_run=dry_run)

    async def reprocess(self, *, pending: bool = True, outcomes: bool = False) -> Reprocessed:
        """Let the language model read what waits for it, each exactly once.

        Args:
            pending: what was stored as it was given, because the model could not be asked.
            outcomes: outcomes that a model judged earlier, again, as new versions.

        Raises:
            LLMUnavailable: no model is configured.
        """
        work = reprocess.reprocess(self._runtime, pending=pending, outcomes=outcomes)
        return await self._written(work)

    async def reembed(
        self, *, progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> Reembedded:
        """Make every vector anew with the embedding model of the settings, and switch to it.

        Open the memory with `any_embedder` for it. Until the switch the store serves with the
        vectors that it has; one that was given up goes on from where it stopped.

        Args:
            progress: called with how many versions are done, and in all.

        Raises:
            EmbedderUnavailable: the model gave no vector; what was made stays for the next time.
        """
        done = await reembed.reembed(self._runtime, progress)
        await self.maintain()
        return done

    async def warm(self) -> list[str]:
        """Load the embedding model now rather than at the first call that needs it.

        Returns:
            Why it cannot be used, as answers have it in `degraded`.
        """
        await asyncio.to_thread(give_back)  # what the imports took
        degraded = (await self._runtime.embed(["warm"]))[1]
        await asyncio.to_thread(give_back)
        return degraded

    async def warm_model(self) -> None:
        """Import what the language model needs, if one is configured; it takes seconds."""
        if self._runtime.gateway is not None:
            await self._runtime.gateway.warm()

    def _noted(self, answer: Noted) -> Noted:
        """Say in an answer what is damaged."""
        if notes := self.damage:
            answer.degraded[:0] = notes
        return answer

    async def examine(self) -> list[str]:
        """Read every file of a local store; return what is damaged, as `damage` has it.

        Raises:
            StoreError: the store cannot be read at all.
        """
        return await self._runtime.store.examine()

    @property
    def damage(self) -> list[str]:
        """What is damaged of the store, and what mends it; a sentence for each table."""
        return [*self._runtime.store.notes]

    async def _written(self, work: Awaitable[T]) -> T:
        result = await work
        self._upkeep.after_write()
        self._background.wake()
        return result


def _blocking(
    method: Callable[Concatenate[AsyncMemory, P], Awaitable[T]],
) -> Callable[Concatenate[Memory, P], T]:
    def call(self: Memory, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.wait(lambda: method(self.asynchronous, *args, **kwargs))

    call.__name__, call.__doc__ = method.__name__, method.__doc__
    return call


class Memory:
    """The methods of AsyncMemory, blocking; made by `Memory.open`, and closed at the end of `with`.

    One that is not closed, as in a notebook, is closed when the process ends.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        with ExitStack() as opening:
            self._portal = opening.enter_context(start_blocking_portal())
            self.asynchronous = opening.enter_context(
                self._portal.wrap_async_context_manager(AsyncMemory.open(settings))
            )
            self._closing = opening.pop_all()
        _close_at_exit()
        _open.add(self)

    @classmethod
    def open(cls, settings: Settings | None = None) -> Self:
        """Open a memory; see `AsyncMemory.open`."""
        return cls(settings)

    def close(self) -> None:
        """Close it, or do nothing where that was done; what was answered is durable already."""
        _open.discard(self)
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run something on the memory's event loop and wait for it.

        Raises:
            MemError: the memory was closed.
        """
        if self not in _open:
            raise MemError("this memory was closed; open it again with Memory.open")
        return self._portal.call(work)

    def export_lines(self, *, user_id: str = "") -> Iterator[str]:
        """Yield current memories as lines of JSON; see `AsyncMemory.export_lines`."""
        lines = self.asynchronous.export_lines(user_id=user_id)
        with suppress(StopAsyncIteration):
            while True:
                yield self.wait(lines.__anext__)

    remember = _blocking(AsyncMemory.remember)
    remember_many = _blocking(AsyncMemory.remember_many)
    recall = _blocking(AsyncMemory.recall)
    record_outcome = _blocking(AsyncMemory.record_outcome)
    recall_lessons = _blocking(AsyncMemory.recall_lessons)
    give_feedback = _blocking(AsyncMemory.give_feedback)
    update_memory = _blocking(AsyncMemory.update_memory)
    forget = _blocking(AsyncMemory.forget)
    get_memory = _blocking(AsyncMemory.get_memory)
    list_memories = _blocking(AsyncMemory.list_memories)
    graph = _blocking(AsyncMemory.graph)
    import_lines = _blocking(AsyncMemory.import_lines)
    stats = _blocking(AsyncMemory.stats)
    why = _blocking(AsyncMemory.why)
    reprocess = _blocking(AsyncMemory.reprocess)
    reembed = _blocking(AsyncMemory.reembed)
    maintain = _blocking(AsyncMemory.maintain)


_open: set[Memory] = set()


@cache
def _close_at_exit() -> None:
    # Not atexit: by then the interpreter has stopped the threads that closing needs.
    threading._register_atexit(_close_all)  # type: ignore[attr-defined]  # noqa: SLF001


def _close_all() -> None:
    for memory in [*_open]:
        memory.close()
