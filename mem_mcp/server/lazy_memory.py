"""The process's one memory, opened when it is first needed."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    nullcontext,
)
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mem_mcp.config import Settings
from mem_mcp.errors import MemError, NotPermitted
from mem_mcp.resident import give_back
from mem_mcp.server.callers import caller
from mem_mcp.server.token_file import TokenScope

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from pydantic import BaseModel

    from mem_mcp.memory import AsyncMemory

    Calling = ServerRequestContext[Any, Any]
    Seen = Callable[[BaseModel], None]

logger = logging.getLogger(__name__)


# The first answer leaves before heavy imports compete with it for the interpreter.
_PRELOAD_AFTER = 0.05
# LiteLLM's import takes seconds of processor: the first recalls come before it.
_MODEL_AFTER = 5.0
# Most servers wait most of the time, one for each open client of a person.
_IDLE_AFTER = 10.0


class LazyMemory:
    """Opens a memory once, whoever asks first and whatever a transport does with its sessions.

    LanceDB, ONNX Runtime and the model are imported here, in a thread, so that the handshake is
    answered without them.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()
        self._memory: AsyncMemory | None = None
        self._opening = asyncio.Lock()
        self._preload: asyncio.Task[None] | None = None
        self._used = False
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False
        self.asks: Callable[[], bool] = lambda: False
        """Whether tokens are asked for."""
        self.counted: Callable[[Calling], AbstractContextManager[None]] = lambda _: nullcontext()
        """Counts a request while it runs."""
        self.observed: Callable[[str], AbstractContextManager[Seen]] = _unobserved
        """Measures a call of a tool, by its name, and what it answered."""
        self.failed = False
        """Whether the memory could not be opened when that was last tried ahead of need."""
        self.degraded: list[str] | None = None
        """Why the embedder cannot be used; None until it was tried."""

    @property
    def opened(self) -> AsyncMemory | None:
        """The memory if it is open."""
        return self._memory

    def at_close(self, callback: Callable[[], None]) -> None:
        """Call this once the memory is closed."""
        self._stack.callback(callback)

    async def get(self) -> AsyncMemory:
        """Return the open memory; one that could not be opened is tried again.

        Raises:
            StoreError: the data directory cannot be used.
        """
        async with self._opening:
            if self._memory is None:
                module = await asyncio.to_thread(importlib.import_module, "mem_mcp.memory")
                self._memory = await self._stack.enter_async_context(self._open(module))
            return self._memory

    async def of_caller(self, scope: TokenScope) -> AsyncMemory:
        """Return the memory as whoever calls may use it: that of one user, if a token says whose.

        Args:
            scope: what a token must allow.

        Raises:
            NotPermitted: it does not.
            StoreError: the data directory cannot be used.
        """
        calling = caller()
        if calling is None:
            if self.asks():  # never: the gate lets in nobody without a token
                raise NotPermitted("token: this server asks for one")
            return await self.get()
        calling.require(scope)
        return calling.own(await self.get())

    def _open(self, module: ModuleType) -> AbstractAsyncContextManager[AsyncMemory]:
        opening: AbstractAsyncContextManager[AsyncMemory] = module.AsyncMemory.open(self.settings)
        return opening

    def preload(self) -> None:
        """Begin to open the memory and load its model, unless that was begun, or is over.

        What failed is tried again.
        """
        begun = self._preload is not None
        failed = (
            self._preload is not None and self._preload.done() and (self.failed or self.degraded)
        )
        if (failed or not begun) and not self._closed:
            self._preload = asyncio.create_task(self._warm())

    async def answered(self) -> None:
        """Take notice of an answer: preload after the first, hold little memory when idle."""
        loop = asyncio.get_running_loop()
        if self._preload is None:
            loop.call_later(_PRELOAD_AFTER, self.preload)
        if self._memory is None:
            return
        if not self._used:  # the first use ran much that runs once
            self._used = True
            await asyncio.to_thread(give_back)
        if self._idle is not None:
            self._idle.cancel()
        self._idle = loop.call_later(_IDLE_AFTER, loop.run_in_executor, None, give_back)

    async def close(self) -> None:
        """Close the memory; what was answered is durable already."""
        if self._idle is not None:
            self._idle.cancel()
        self._closed = True
        if self._preload is not None:
            self._preload.cancel()
            await asyncio.gather(self._preload, return_exceptions=True)
        await self._stack.aclose()
        self._memory = None

    async def _warm(self) -> None:
        try:
            memory = await self.get()
            self.failed = False
            self.degraded = await memory.warm()
            await asyncio.sleep(_MODEL_AFTER)
            await memory.warm_model()
        except MemError as error:  # the call that needs the memory will say so to its caller
            self.failed = self._memory is None
            logger.error("%s", error)


def _unobserved(_: str) -> AbstractContextManager[Seen]:
    return nullcontext(lambda _: None)
