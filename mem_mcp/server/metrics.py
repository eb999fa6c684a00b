"""What Prometheus reads: calls by tool, models and the store; no names of users, and no texts.

Importing this reads PROMETHEUS_MULTIPROC_DIR: a folder in which several processes count together.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from mem_mcp.api.models import LessonsResult, LLMUsage, RecallResult
from mem_mcp.api.vitals import Vitals, Worked
from mem_mcp.errors import MemError
from mem_mcp.server.lazy_memory import LazyMemory

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of the folder in which several processes count."""
# From a recall of a small store to one that waits for a language model.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_MEMORIES = (0, 1, 2, 5, 10, 20, 50, 100, 200)
# Two servers of Prometheus may ask at once.
_FRESH_SECONDS = 2
_PATIENCE_SECONDS = 5


class Metrics:
    """Counts what a server does, and shows it.

    Args:
        lazy: the memory.
    """

    def __init__(self, lazy: LazyMemory) -> None:
        self._lazy = lazy
        self._registry = own = CollectorRegistry()
        self._calls = Counter("mem_mcp_calls", "Calls of tools.", ["tool"], registry=own)
        self._errors = Counter(
            "mem_mcp_call_errors",
            "Calls that were refused or failed, by the name of the error.",
            ["tool", "error"],
            registry=own,
        )
        self._seconds = Histogram(
            "mem_mcp_call_seconds",
            "Time until an answer.",
            ["tool"],
            buckets=_SECONDS,
            registry=own,
        )
        self._running = Gauge(
            "mem_mcp_calls_running",
            "Calls that run or wait for their turn.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._memories = Histogram(
            "mem_mcp_recall_memories",
            "Memories in an answer.",
            ["tool"],
            buckets=_MEMORIES,
            registry=own,
        )
        self._models = Counter("mem_mcp_model_calls", "Requests to models.", registry=own)
        self._tokens = Counter(
            "mem_mcp_model_tokens", "Tokens that models took and gave.", ["direction"], registry=own
        )
        self._dollars = Counter(
            "mem_mcp_model_cost_dollars", "Cost of models whose price is known.", registry=own
        )
        self._passes = Counter(
            "mem_mcp_maintenance_passes", "Passes of maintenance.", ["result"], registry=own
        )
        self._seen = Worked(LLMUsage(calls=0, input_tokens=0, output_tokens=0), 0, 0)
        self._vitals: tuple[float, Vitals | None] = (float("-inf"), None)
        self._asking = asyncio.Lock()

    @contextmanager
    def call(self, tool: str) -> Iterator[Callable[[BaseModel], None]]:
        """Count a call, for the body of a `with` statement, which is given what takes its result.

        Args:
            tool: its name.
        """
        started = time.perf_counter()
        self._running.inc()
        try:
            yield lambda result: self._result(tool, result)
        except MemError as error:
            self._errors.labels(tool, type(error).__name__).inc()
            raise
        except asyncio.CancelledError:
            self._errors.labels(tool, "Cancelled").inc()
            raise
        except BaseException:
            self._errors.labels(tool, "Unexpected").inc()
            raise
        finally:
            self._running.dec()
            self._calls.labels(tool).inc()
            self._seconds.labels(tool).observe(time.perf_counter() - started)
            self._take_in()

    async def page(self, _: Request) -> Response:
        """Answer with all figures; those of the store once it is open."""
        self._take_in()
        registry = self._registry
        if os.environ.get(SHARED):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        text = generate_latest(registry) + generate_latest(_of_store(await self._store()))
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    def _result(self, tool: str, result: BaseModel) -> None:
        match result:
            case RecallResult():
                self._memories.labels(tool).observe(len(result.memories))
            case LessonsResult():
                found = (result.lessons, result.successes, result.failures)
                self._memories.labels(tool).observe(sum(map(len, found)))

    def _take_in(self) -> None:
        """Count what models and maintenance did since the last look."""
        if self._lazy.opened is None:
            return
        before, self._seen = self._seen, self._lazy.opened.worked
        usage, then = self._seen.usage, before.usage
        self._models.inc(usage.calls - then.calls)
        self._tokens.labels("input").inc(usage.input_tokens - then.input_tokens)
        self._tokens.labels("output").inc(usage.output_tokens - then.output_tokens)
        self._dollars.inc((usage.cost_usd or 0) - (then.cost_usd or 0))
        self._passes.labels("done").inc(self._seen.maintained - before.maintained)
        self._passes.labels("failed").inc(self._seen.failed - before.failed)

    async def _store(self) -> Vitals | None:
        """Return the figures of the store; None if it is not open or does not answer."""
        memory = self._lazy.opened
        if memory is None:
            return None
        async with self._asking:
            if time.monotonic() - self._vitals[0] > _FRESH_SECONDS:
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        found = await memory.vitals()
                except (MemError, TimeoutError):
                    found = None
                self._vitals = (time.monotonic(), found)
        return self._vitals[1]


def _of_store(vitals: Vitals | None) -> CollectorRegistry:
    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float) -> None:
        # Not `Gauge`, which several processes would count together.
        family = GaugeMetricFamily(f"mem_mcp_{name}", text, value=value)
        registry.register(_Fixed(family))

    gauge("store_up", "Whether the store is open and answers.", float(vitals is not None))
    if vitals is None:
        return registry
    table = vitals.table
    gauge("rows", "Versions of memories in the store.", table.rows)
    gauge("fragments", "Fragments of the table.", table.fragments)
    gauge("small_fragments", "Fragments that maintenance would put together.", table.small)
    gauge("data_bytes", "Bytes of rows and indices, without earlier versions of them.", table.bytes)
    gauge("waiting", "Memories that wait for a language model.", vitals.waiting)
    gauge("commits", "Number of the newest commit.", vitals.version)
    return registry


class _Fixed(Collector):
    """A metric whose value is known."""

    def __init__(self, family: GaugeMetricFamily) -> None:
        self._family = family

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return it."""
        yield self._family
