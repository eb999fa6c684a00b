"""Spans: how long each step takes.

Each is an OpenTelemetry span. It costs next to nothing until the process runs with an SDK that
exports spans (`opentelemetry-instrument mem-mcp serve`); by itself nothing leaves the machine.
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
    """One step, after it has ended."""

    name: str
    started: float
    """Value of `time.perf_counter`, in seconds."""
    seconds: float


@contextmanager
def span(name: str) -> Iterator[None]:
    """Open a span around the body of a `with` statement."""
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
    """Yield a list that collects the spans of the body and of the tasks it starts, as they end."""
    spans: list[Span] = []
    token = _recording.set(spans)
    try:
        yield spans
    finally:
        _recording.reset(token)
