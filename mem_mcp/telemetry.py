"""Where the time goes: spans of the product's own steps.

Each is an OpenTelemetry span, which costs next to nothing until the process is run with an SDK that
exports them (`opentelemetry-instrument mem-mcp serve`); nothing leaves the machine by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import trace

_tracer = trace.get_tracer("mem_mcp")
_recording: ContextVar[list[Span] | None] = ContextVar("recording", default=None)


@dataclass(frozen=True, slots=True)
class Span:
    """One step that was done."""

    name: str
    started: float
    """Seconds of `time.perf_counter`."""
    seconds: float


@contextmanager
def span(name: str) -> Iterator[None]:
    """Mark what is done inside as one step."""
    with _tracer.start_as_current_span(name):
        started = time.perf_counter()
        try:
            yield
        finally:
            spans = _recording.get()
            if spans is not None:
                spans.append(Span(name, started, time.perf_counter() - started))


@contextmanager
def recording() -> Iterator[list[Span]]:
    """Collect the spans of what is done inside, also by tasks started there, as they end."""
    spans: list[Span] = []
    token = _recording.set(spans)
    try:
        yield spans
    finally:
        _recording.reset(token)
