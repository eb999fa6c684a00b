"""Send one request to a model: within the limits, with retries, and count its usage."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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

    LiteLLM's Router does the retries with backoff, obeys Retry-After and bounds the time of an
    attempt. Its own circuit breaker is off, because it never opens for APIConnectionError, which
    is what a stopped Ollama raises.

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
        async with self._slots:
            if request.kind == "completion":
                await check_budget(self._settings, self._ledger)
            breaker = self._breakers[request.name]
            if seconds := breaker.enter():
                raise LLMUnavailable(
                    "open", f"{request.model} kept failing; it is tried again in {seconds:.0f} s"
                )
            reserved = await self._pace.reserve(request.tokens)
            self._count(turn, request.kind, Usage(calls=1))
            notes: dict[str, Any] = {}
            used, failure = Usage(), None
            started = time.perf_counter()
            try:
                with span("llm"), _reporting_to(breaker, turn):
                    response = await self._call(request, notes)
                used = _used(response)
            except (LLMError, asyncio.CancelledError) as error:
                failure = _reason(error, turn)
                raise
            finally:
                retries = notes.get("attempted_retries", 0)
                for _ in range(retries):
                    self._pace.requests.take(1)
                used += Usage(retries=retries, seconds=time.perf_counter() - started)
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
                num_retries=self._settings.retries,
                timeout=self._settings.timeout_seconds,
                disable_cooldowns=True,
            )

    async def _call(self, request: ModelRequest, notes: dict[str, Any]) -> Any:  # noqa: ANN401 - LiteLLM's type
        try:
            if request.name not in self._deployed:
                self._deploy(request)
            # The Router writes the number of retries into the metadata.
            return await getattr(self._router, f"a{request.kind}")(
                model=request.name, metadata=notes, drop_params=True, **request.arguments
            )
        except Exception as error:  # noqa: BLE001 - LiteLLM's adapters also raise KeyError and the like
            keys = litellm_api.key_variables(self._litellm, request.model)
            timeout = self._settings.timeout_seconds
            failed = FailedRequest(request.model, request.api_base, timeout, keys)
            # Without a cause: a traceback would show the provider's own text.
            raise explain(error, failed) from None

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
