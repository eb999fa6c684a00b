"""The facade: every operation as a method, async and blocking."""

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
from dataclasses import replace
from datetime import tzinfo
from functools import cache
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from anyio.from_thread import start_blocking_portal

from mem_mcp.api.arguments import Time
from mem_mcp.api.call import read, takes
from mem_mcp.api.explore import Graph, Why
from mem_mcp.api.feedback import GiveFeedback
from mem_mcp.api.manage import EraseUser, Forget, GetMemory, ListMemories, UpdateMemory
from mem_mcp.api.models import (
    Erased,
    FeedbackResult,
    ForgetResult,
    GetResult,
    GraphResult,
    ImportResult,
    LessonsResult,
    ListResult,
    Maintained,
    OutcomeResult,
    RecallResult,
    Reembedded,
    RememberResult,
    Reprocessed,
    UpdateResult,
    WhyResult,
)
from mem_mcp.api.outcomes import RecallLessons, RecordOutcome
from mem_mcp.api.recall import Recall
from mem_mcp.api.remember import Remember
from mem_mcp.api.stats import Stats
from mem_mcp.api.transfer import Export
from mem_mcp.api.upkeep import Maintain, Reprocess
from mem_mcp.api.vitals import Vitals, Worked
from mem_mcp.config import Settings, load_settings
from mem_mcp.current_client import through
from mem_mcp.embedding import FORMER, BundledEmbedder, CachedEmbedder, identity, prefixes
from mem_mcp.errors import EmbedderUnavailable, InvalidInput, MemError
from mem_mcp.intake.requests import Secrets, taken_in
from mem_mcp.llm import fallback_notes
from mem_mcp.operations import (
    erase_user,
    export,
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
from mem_mcp.operations.upgrade import Upgrade
from mem_mcp.operations.vitals import vitals
from mem_mcp.resident import give_back
from mem_mcp.runtime import Runtime
from mem_mcp.store import open_store
from mem_mcp.text import check_text

P = ParamSpec("P")
T = TypeVar("T")
Purged = TypeVar("Purged", Erased, ForgetResult)
Noted = TypeVar("Noted", RecallResult, LessonsResult, GraphResult)
Asked = TypeVar("Asked", Recall, RecallLessons)


class AsyncMemory:
    """A memory; made by `AsyncMemory.open`.

    Methods have the tools' names and arguments. Empty user_id: the settings' user. On reads an
    empty agent_id or run_id means any. Times are ISO 8601 with a time zone, or aware datetimes.
    Every method raises InvalidInput for an argument it refuses and StoreError where the store
    fails; nothing is half done then.
    """

    def __init__(
        self,
        runtime: Runtime,
        upkeep: Upkeep,
        background: Background,
        admit: Callable[[object], None] = lambda _: None,
    ) -> None:
        self._runtime = runtime
        self._upkeep = upkeep
        self._background = background
        self.admit = admit

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings | None = None, *, any_embedder: bool = False
    ) -> AsyncIterator[AsyncMemory]:
        """Open the memory that settings describe; the store is made at first use.

        What a formerly bundled model embedded is embedded again by today's in the background; what
        has no vector until then is found by its words, and `degraded` says so.

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
        name: str | None = identity(settings.embedding.model, prefixes(settings.embedding))
        if embedder is not None:
            try:
                name = embedder.identity
            except EmbedderUnavailable:  # each answer says so; words still find
                name = None
        try:
            async with open_store(
                settings.storage_uri or settings.data_dir,
                dimension=embedder.dimension if embedder else None,
                embedder=name,
                durable=settings.store.durability == "fsync",
                any_embedder=any_embedder,
                succeeds=FORMER if embedder else (),
                options=settings.store.options,
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
        upkeep, background, upgrade = Upkeep(runtime), Background(runtime), Upgrade(runtime)
        with through(None):
            background.wake()
            upgrade.start()
            upkeep.start()
        try:
            yield cls(runtime, upkeep, background)
        finally:
            await background.close()
            await upgrade.close()
            await upkeep.close()
            await runtime.traces.close()
            await runtime.calls.close()

    def of_user(
        self, user_id: str, admit: Callable[[object], None], *, changes_shared: bool
    ) -> AsyncMemory:
        """Return this memory for the calls of one user, who is meant where a call names none.

        Args:
            user_id: the user.
            admit: given the checked arguments of each call; raises where they are not this user's.
            changes_shared: whether the user may change what others wrote for all users.
        """
        settings = self._runtime.settings.model_copy(update={"user_id": user_id})
        runtime = replace(self._runtime, settings=settings, changes_shared=changes_shared)
        if isinstance(runtime.embedder, CachedEmbedder):
            runtime = replace(runtime, embedder=runtime.embedder.of_owner(user_id))
        return AsyncMemory(runtime, self._upkeep, self._background, admit)

    @takes(Remember)
    async def remember(self, request: Remember) -> RememberResult:
        """Store one text, or the messages of a conversation in order.

        A text that this user and agent have stored already under the same kind is not stored
        again: what it brings anew is added, and what was over comes back (UPDATE); else its event
        is NONE. Messages are numbered on from the last of their run; the content of one is a text
        or a list of text and image parts. `on_progress` is called when the model begins and ends a
        part of it, or a picture: with the parts that are done, one that has begun counting half,
        and with how many there are. It may be async. What it raises ends the call, and what was
        read until then stays.
        """
        self._short_enough(request.content)
        request, notes = await taken_in(request, self._secrets)
        return await self._written(remember.remember(self._runtime, request), notes)

    async def remember_many(self, items: Sequence[Mapping[str, Any]]) -> RememberResult:
        """Store up to 1,000 memories with one embedding batch and one commit.

        Args:
            items: arguments of `remember` each; `similar` is not looked for, and
                idempotency_key is refused.
        """
        requests, notes = [], []
        for index, item in enumerate(items):
            try:
                request, found = await taken_in(read(Remember, item, self.zone), self._secrets)
                self.admit(request)
                requests.append(request)
                notes += [f"items[{index}]: {note}" for note in found]
            except InvalidInput as error:
                raise InvalidInput(f"items[{index}]", str(error)) from error
        return await self._written(remember.remember_many(self._runtime, requests), notes)

    @takes(Recall)
    async def recall(self, request: Recall) -> RecallResult:
        """Find the memories that a question is about, best first."""
        request, notes = await self._asked(request)
        return self._noted(await recall.recall(self._runtime, request), notes)

    @takes(RecordOutcome)
    async def record_outcome(self, request: RecordOutcome) -> OutcomeResult:
        """Record how a task went, and credit or debit the memories that it used."""
        request, notes = await taken_in(request, self._secrets)
        return await self._written(record_outcome.record_outcome(self._runtime, request), notes)

    @takes(RecallLessons)
    async def recall_lessons(self, request: RecallLessons) -> LessonsResult:
        """Find what earlier tasks teach for one like them; each list is best first."""
        request, notes = await self._asked(request)
        return self._noted(await recall_lessons.recall_lessons(self._runtime, request), notes)

    @takes(GiveFeedback)
    async def give_feedback(self, request: GiveFeedback) -> FeedbackResult:
        """Say whether memories helped; a rater's latest word on a memory and a question counts.

        VERY_NEGATIVE by the memory's owner also hides it from recall, until it is taken back.
        """
        request, notes = await taken_in(request, self._secrets)
        return await self._written(give_feedback.give_feedback(self._runtime, request), notes)

    @takes(UpdateMemory)
    async def update_memory(self, request: UpdateMemory) -> UpdateResult:
        """Change a memory; earlier versions stay. What is absent or None stays as it is."""
        self._short_enough(request.content)
        request, notes = await taken_in(request, self._secrets)
        return await self._written(update_memory.update_memory(self._runtime, request), notes)

    @takes(Forget)
    async def forget(self, request: Forget) -> ForgetResult:
        """End a memory, or with confirm all that match; history stays unless purged.

        A purge returns when the bytes have left the disk, or says in `gone_by` until when they
        will: while other processes have the store open, they may read earlier files.
        """
        result = await self._written(forget.forget(self._runtime, request))
        is_final = request.purge and not result.dry_run
        return await self._erased(result) if is_final else result

    @takes(EraseUser)
    async def erase_user(self, request: EraseUser) -> Erased:
        """Erase everything of one user, off the disk as well; return the receipt."""
        receipt = await self._written(erase_user.erase_user(self._runtime, request))
        return receipt if receipt.dry_run else await self._erased(receipt)

    async def _erased(self, result: Purged) -> Purged:
        gone_by, notes = await self._upkeep.after_purge()
        return result.model_copy(update={"gone_by": gone_by, "degraded": result.degraded + notes})

    @takes(GetMemory)
    async def get_memory(self, request: GetMemory) -> GetResult:
        """Read every field of a memory; with history all versions, also of a forgotten one."""
        return await get_memory.get_memory(self._runtime, request)

    @takes(ListMemories)
    async def list_memories(self, request: ListMemories) -> ListResult:
        """List a user's memories by the time they were recorded."""
        return await list_memories.list_memories(self._runtime, request)

    @takes(Graph)
    async def graph(self, request: Graph) -> GraphResult:
        """Return the entities and relations around one, and the memories that support them."""
        return self._noted(await graph.graph(self._runtime, request))

    @takes(Why)
    async def why(self, request: Why) -> WhyResult:
        """Say why a memory was, or was not, in an answer of recall or recall_lessons."""
        return await why.why(self._runtime, request)

    async def import_lines(
        self,
        lines: Iterable[bytes],
        *,
        user_id: str = "",
        progress: Callable[[int], None] = lambda _: None,
    ) -> ImportResult:
        """Store one memory a line of JSON; bad lines are skipped and named.

        Lines behind a header, as `export_lines` writes it, are versions: what is missing here is
        stored with its id, times, marks and request keys, and a second import changes nothing.

        Args:
            lines: UTF-8 JSON objects with the fields of a memory; only the text is required.
            user_id: owner of lines that name none.
            progress: called with the number of lines done since its last call.
        """
        done = await self._written(
            transfer.import_lines(self._runtime, lines, user_id=user_id, progress=progress)
        )
        self._upkeep.after_import(done.imported)
        return done

    async def export_lines(
        self,
        *,
        user_id: str = "",
        since: Time = None,
        kinds: str | Sequence[str] | None = None,
        traces: bool = False,
    ) -> AsyncIterator[str]:
        """Yield a header, then memories as lines of JSON, each version one, and their marks.

        Args:
            user_id: whose; everybody's by default.
            since: only memories that changed then or later, each with its whole history.
            kinds: only these.
            traces: also what was recalled.
        """
        given = {"user_id": user_id, "since": since, "kinds": kinds, "traces": traces}
        async for line in export.export_lines(self._runtime, read(Export, given, self.zone)):
            yield line

    async def stats(self, *, detailed: bool = True) -> Stats:
        """Count what the store holds.

        Args:
            detailed: also show texts and ids, of all users: what helped most, and what harmed;
                and what models were asked.
        """
        return await stats(self._runtime, detailed=detailed)

    @takes(Maintain)
    async def maintain(self, request: Maintain) -> Maintained:
        """Archive what is due, compact the store and embed what has no vector."""
        return await self._upkeep.run(thorough=True, dry_run=request.dry_run)

    @takes(Reprocess)
    async def reprocess(self, request: Reprocess) -> Reprocessed:
        """Let the language model read what waits for it, each exactly once.

        Raises:
            LLMUnavailable: no model is configured.
        """
        work = reprocess.reprocess(
            self._runtime,
            pending=request.pending,
            outcomes=reprocess.chosen(request) if request.outcomes else None,
            on_progress=request.on_progress,
        )
        return await self._written(work)

    async def reembed(
        self,
        *,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
        announce: Callable[[int], None] = lambda _: None,
    ) -> Reembedded:
        """Make every vector anew with the embedding model of the settings, and switch to it.

        Open the memory with `any_embedder` for it. Until the switch the store serves with the
        vectors that it has; one that was given up goes on from where it stopped.

        Args:
            progress: called with how many versions are done, and in all.
            announce: called with how many versions are to be embedded, before the model is asked.
                What it raises ends the call.

        Raises:
            EmbedderUnavailable: the model gave no vector; what was made stays for the next time.
        """
        done = await reembed.reembed(self._runtime, progress, announce)
        await self.maintain()
        return done

    async def warm(self) -> list[str]:
        """Load the embedding model now rather than at the first call that needs it.

        Returns:
            Why it cannot be used, as answers have it in `degraded`.
        """
        await asyncio.to_thread(give_back)  # what the imports took
        degraded = (await self._runtime.embed(["warm"], "query"))[1]
        await asyncio.to_thread(give_back)
        return degraded

    async def vitals(self) -> Vitals:
        """Return figures for monitoring, which cost little: no names and no texts.

        Raises:
            StoreError: the store does not answer.
        """
        return await vitals(self._runtime)

    @property
    def worked(self) -> Worked:
        """What this process has done since it opened the memory."""
        upkeep = self._upkeep
        return Worked(self._runtime.door.usage, upkeep.passes, upkeep.failed)

    async def ping(self) -> None:
        """Ask the store for its newest commit.

        Raises:
            StoreError: it does not answer.
        """
        await self._runtime.store.version()

    async def warm_model(self) -> None:
        """Import what the language model needs, if one is configured; it takes seconds."""
        if self._runtime.gateway is not None:
            await self._runtime.gateway.warm()

    @property
    def zone(self) -> tzinfo:
        """The time zone of times that callers give without one."""
        return self._runtime.zone

    @property
    def _secrets(self) -> Secrets:
        return self._runtime.settings.secrets

    def _short_enough(self, content: object) -> None:
        """Refuse a text for its length before it is searched for secrets, which takes longer."""
        if isinstance(content, str):
            check_text(content, "content", self._runtime.settings.remember.max_characters)

    async def _asked(self, request: Asked) -> tuple[Asked, list[str]]:
        """Take in a question: where it is logged, secrets are not, and none is refused for one."""
        return await taken_in(request, "off" if self._secrets == "off" else "mask")

    def _noted(self, answer: Noted, notes: Sequence[str] = ()) -> Noted:
        """Say in an answer what is damaged, and what was taken out of the question."""
        answer.degraded[:0] = [*self.damage, *notes]
        return answer

    async def examine(self) -> list[str]:
        """Read every file of a local store; return what is damaged, as `damage` has it.

        Raises:
            StoreError: the store cannot be read at all.
        """
        return await self._runtime.store.rescue.examine()

    @property
    def damage(self) -> list[str]:
        """What is damaged of the store, and what mends it; a sentence for each table."""
        return [*self._runtime.store.rescue.notes]

    async def _written(self, work: Awaitable[T], taken: Sequence[str] = ()) -> T:
        with fallback_notes() as notes:
            result = await work
        if (taken or notes) and isinstance(degraded := getattr(result, "degraded", None), list):
            degraded[:] = [*taken, *degraded, *notes]
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
    erase_user = _blocking(AsyncMemory.erase_user)
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
