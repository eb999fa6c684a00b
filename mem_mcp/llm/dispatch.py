"""Send one request to a model: within the limits, with retries, and count its usage."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from mem_mcp.config import LLMSettings
from mem_mcp.errors import LLMError, LLMRateLimited, LLMUnavailable
from mem_mcp.llm import litellm_api
from mem_mcp.llm.error_mapping import FailedRequest, explain
from mem_mcp.llm.rate_limits import Breaker, Pace, check_budget
from mem_mcp.llm.usage import Call, Kind, Ledger, Turn, Usage
from mem_mcp.telemetry import span
from mem_mcp.times import utc_now

_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A request to a model."""

    kind: Kind
    model: str
    """Model as LiteLLM names it."""
    api_base: str
    """Address of the model's server; empty: the provider's own."""
    tokens: int
    """Estimate of the tokens that are sent."""
    arguments: Mapping[str, Any]
    """Further arguments of LiteLLM's function for this kind."""

    @property
    def name(self) -> str:
        """Name of the model together with its address."""
        return f"{self.model} {self.api_base}".strip()


class Dispatcher:
    """Sends requests to models within the limits of the settings.

    LiteLLM's Router bounds the time of an attempt. It retries nothing, because it passes over a
    Retry-After of more than a minute and knows nothing of the deadline. Its own circuit breaker is
    off, because it never opens for APIConnectionError, which is what a stopped Ollama raises.

    Args:
        settings: limits, retries and timeouts.
        ledger: counts the usage; the daily budgets apply to it.
        on_call: is called with each request after it has ended; must not raise.
    """

    def __init__(
        self, settings: LLMSettings, ledger: Ledger, on_call: Callable[[Call], None]
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._on_call = on_call
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._pace = Pace(settings)
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)
        self._deployed: set[str] = set()
        self._litellm: Any = None
        self._router: Any = None

    async def send(self, turn: Turn, request: ModelRequest) -> Any:  # noqa: ANN401 - LiteLLM's type
        """Send a request, add its usage to the turn, and return LiteLLM's response.

        Raises:
            LLMError: there is no response; the subclass says why.
        """
        await self._open()
        async with self._slot(turn):
            if request.kind == "completion":
                await check_budget(self._settings, self._ledger)
            breaker = self._breakers[request.name]
            if seconds := breaker.enter():
                raise LLMUnavailable(
                    "open", f"{request.model} {breaker.why}; it is tried again in {seconds:.0f} s"
                )
            with turn.waiting_for(self._pace.name):
                reserved = await self._pace.reserve(request.tokens)
            self._count(turn, request.kind, Usage(calls=1))
            attempts = _Attempts()
            used, failure = Usage(), None
            started = time.perf_counter()
            try:
                with span("llm"), _reporting_to(breaker, turn):
                    response = await self._with_retries(turn, request, attempts)
                used = _used(response)
            except (LLMError, asyncio.CancelledError) as error:
                failure = _reason(error, turn)
                raise
            finally:
                used += Usage(retries=attempts.further, seconds=time.perf_counter() - started)
                self._count(turn, request.kind, used)
                self._on_call(Call(request.model, request.kind, used, failure, utc_now()))
            reserved.amount = used.tokens
            return response

    async def close(self) -> None:
        """Close the Router; the last user of LiteLLM closes its connections."""
        if self._router is not None:
            # LiteLLM before 1.110 calls it discard.
            name = "retire" if hasattr(self._router, "retire") else "discard"
            getattr(self._router, name)()
            self._router = None
            await litellm_api.leave()

    async def _open(self) -> None:
        if self._router is None:
            library = await litellm_api.enter()
            if self._router is not None:  # another task made it meanwhile
                await litellm_api.leave()
                return
            self._litellm = library
            self._router = library.Router(
                num_retries=0,
                timeout=self._settings.timeout_seconds,
                disable_cooldowns=True,
            )

    @asynccontextmanager
    async def _slot(self, turn: Turn) -> AsyncIterator[None]:
        with turn.waiting_for("llm.concurrency"):
            await self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release()

    async def _with_retries(self, turn: Turn, request: ModelRequest, attempts: _Attempts) -> Any:  # noqa: ANN401 - LiteLLM's type
        retries = self._settings.retries
        while True:
            try:
                return await self._call(request)
            except Exception as error:  # noqa: BLE001 - LiteLLM's adapters also raise KeyError and the like
                keys = litellm_api.key_variables(self._litellm, request.model)
                timeout = self._settings.timeout_seconds
                failed = explain(
                    error, FailedRequest(request.model, request.api_base, timeout, keys)
                )
                pause = litellm_api.pause(self._litellm, attempts.further, retries)
                if isinstance(failed, LLMRateLimited):
                    pause = max(pause, failed.seconds)
                    if failed.seconds > turn.left:
                        self._breakers[request.name].rest(failed.seconds)
                may_pass = attempts.further < retries and _may_pass(error, failed)
                if not may_pass or pause > turn.left:
                    # Without a cause: a traceback would show the provider's own text.
                    raise failed from None
            await asyncio.sleep(pause)
            attempts.further += 1
            self._pace.requests.take(1)

    async def _call(self, request: ModelRequest) -> Any:  # noqa: ANN401 - LiteLLM's type
        if request.name not in self._deployed:
            self._deploy(request)
        return await getattr(self._router, f"a{request.kind}")(
            model=request.name, drop_params=True, **request.arguments
        )

    def _deploy(self, request: ModelRequest) -> None:
        parameters = {"model": request.model}
        if request.api_base:
            parameters["api_base"] = request.api_base
            if litellm_api.missing_keys(self._litellm, request.model):
                # LiteLLM demands a key also for a local server that needs none.
                parameters["api_key"] = "none"
        types = self._litellm.types.router
        self._router.add_deployment(
            types.Deployment(
                model_name=request.name, litellm_params=types.LiteLLM_Params(**parameters)
            )
        )
        self._deployed.add(request.name)

    def _count(self, turn: Turn, kind: Kind, usage: Usage) -> None:
        turn.add(usage)
        self._ledger.add(kind, usage)


@dataclass(slots=True)
class _Attempts:
    """How many attempts at a request were made after the first."""

    further: int = 0


def _may_pass(error: Exception, failed: LLMError) -> bool:
    """Return whether the same request may succeed a moment later."""
    if isinstance(failed, LLMUnavailable):
        return failed.reason in ("connection", "timeout", "server")
    # Some gateways in front of providers answer 403 while they look at a caller.
    return isinstance(failed, LLMRateLimited) or getattr(error, "status_code", None) == _FORBIDDEN


@contextmanager
def _reporting_to(breaker: Breaker, turn: Turn) -> Iterator[None]:
    try:
        yield
    except (LLMUnavailable, LLMRateLimited):
        breaker.failed()
        raise
    except LLMError:
        breaker.worked()  # the model answered, even if it refused
        raise
    except asyncio.CancelledError:
        if turn.over:  # else the caller has given up
            breaker.failed()
        raise
    breaker.worked()


def _reason(error: BaseException, turn: Turn) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "deadline" if turn.over else "cancelled"
    return error.reason if isinstance(error, LLMUnavailable) else type(error).__name__


def _used(response: Any) -> Usage:  # noqa: ANN401 - LiteLLM's type
    usage = getattr(response, "usage", None)
    return Usage(
        input_tokens=getattr(usage, "prompt_tokens", None) or 0,
        output_tokens=getattr(usage, "completion_tokens", None) or 0,
        # A model without a price has a cost of 0.
        cost_usd=response._hidden_params.get("response_cost") or None,  # noqa: SLF001 - nowhere public
    )
