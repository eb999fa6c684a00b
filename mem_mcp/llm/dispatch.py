"""One request to a model: within the limits, with retries, counted, its failure explained."""

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
from mem_mcp.llm import litellm_api, model_info
from mem_mcp.llm.deadline import Turn
from mem_mcp.llm.error_mapping import Asked, explain
from mem_mcp.llm.rate_limits import Breaker, Pace, check_budget
from mem_mcp.llm.usage import Call, Kind, Ledger, Usage
from mem_mcp.telemetry import span
from mem_mcp.times import utc_now


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to a model."""

    kind: Kind
    model: str
    """As LiteLLM names it."""
    api_base: str
    """Address of its server; empty: the provider's own."""
    tokens: int
    """About how many it sends."""
    arguments: Mapping[str, Any]
    """The method's further ones."""

    @property
    def name(self) -> str:
        """The model at its address."""
        return f"{self.model} {self.api_base}".strip()


class Route:
    """The way to every model that one set of settings allows.

    Retries with backoff, the provider's Retry-After and the time of an attempt are LiteLLM's
    Router's. Its circuit breaker is switched off: it never opens for failures that the library
    calls APIConnectionError, which is what a stopped Ollama gives.
    """

    def __init__(
        self, settings: LLMSettings, ledger: Ledger, noted: Callable[[Call], None]
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._noted = noted
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._pace = Pace(settings)
        self._breakers: defaultdict[str, Breaker] = defaultdict(Breaker)
        self._known: set[str] = set()
        self._litellm: Any = None
        self._router: Any = None

    async def send(self, turn: Turn, request: Request) -> Any:  # noqa: ANN401 - the library's own
        """Send a request, count it in the turn, and return the library's response.

        Raises:
            LLMError: why there is no response.
        """
        await self._open()
        async with self._slots:
            check_budget(self._settings, self._ledger.today)
            breaker = self._breakers[request.name]
            if seconds := breaker.enter():
                raise LLMUnavailable(
                    "open", f"{request.model} kept failing; it is tried again in {seconds:.0f} s"
                )
            taken = await self._pace.pass_with(request.tokens)
            self._count(turn, Usage(calls=1))
            notes: dict[str, Any] = {}
            used, failure = Usage(), None
            started = time.perf_counter()
            try:
                with span("llm"), _watching(breaker, turn):
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
                self._count(turn, used)
                self._noted(Call(request.model, request.kind, used, failure, utc_now()))
            taken.amount = used.tokens
            return response

    async def close(self) -> None:
        """Leave the library; the connections close with the last who uses it."""
        if self._router is not None:
            # LiteLLM before 1.110 calls it discard.
            name = "retire" if hasattr(self._router, "retire") else "discard"
            getattr(self._router, name)()
            self._router = None
            await litellm_api.leave()

    async def _open(self) -> None:
        if self._router is None:
            library = await litellm_api.enter()
            if self._router is not None:  # another call was faster
                await litellm_api.leave()
                return
            self._litellm = library
            self._router = library.Router(
                num_retries=self._settings.retries,
                timeout=self._settings.timeout_seconds,
                disable_cooldowns=True,
            )

    async def _call(self, request: Request, notes: dict[str, Any]) -> Any:  # noqa: ANN401 - the library's own
        try:
            if request.name not in self._known:
                self._add(request)
            # The Router notes in the metadata how often it tried.
            return await getattr(self._router, f"a{request.kind}")(
                model=request.name, metadata=notes, drop_params=True, **request.arguments
            )
        except Exception as error:  # noqa: BLE001 - its adapters also raise bare KeyErrors and such
            keys = model_info.key_variables(self._litellm, request.model)
            asked = Asked(request.model, request.api_base, self._settings.timeout_seconds, keys)
            # Not as the cause: a traceback would show the provider's own text.
            raise explain(error, asked) from None

    def _add(self, request: Request) -> None:
        parameters = {"model": request.model}
        if request.api_base:
            parameters["api_base"] = request.api_base
            if model_info.missing_keys(self._litellm, request.model):
                # A server of one's own mostly wants no key, but the library does.
                parameters["api_key"] = "none"
        types = self._litellm.types.router
        self._router.add_deployment(
            types.Deployment(
                model_name=request.name, litellm_params=types.LiteLLM_Params(**parameters)
            )
        )
        self._known.add(request.name)

    def _count(self, turn: Turn, usage: Usage) -> None:
        turn.add(usage)
        self._ledger.add(usage)


@contextmanager
def _watching(breaker: Breaker, turn: Turn) -> Iterator[None]:
    try:
        yield
    except (LLMUnavailable, LLMRateLimited):
        breaker.failed()
        raise
    except LLMError:
        breaker.worked()  # it answered, if only to say no
        raise
    except asyncio.CancelledError:
        if turn.over:  # else it is the caller who lost interest
            breaker.failed()
        raise
    breaker.worked()


def _reason(error: BaseException, turn: Turn) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "deadline" if turn.over else "cancelled"
    return error.reason if isinstance(error, LLMUnavailable) else type(error).__name__


def _used(response: Any) -> Usage:  # noqa: ANN401 - the library's own object
    usage = getattr(response, "usage", None)
    return Usage(
        input_tokens=getattr(usage, "prompt_tokens", None) or 0,
        output_tokens=getattr(usage, "completion_tokens", None) or 0,
        # Models without a price come out at 0.
        cost_usd=response._hidden_params.get("response_cost") or None,  # noqa: SLF001 - nowhere else
    )
