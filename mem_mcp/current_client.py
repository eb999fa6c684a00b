"""Which client a call came through; it is kept with what the call writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str | None] = ContextVar("client", default="python")


def current_client() -> str | None:
    """Return the client of the call that is running; None if unknown, or of work of our own."""
    return _current.get()


@contextmanager
def through(client: str | None) -> Iterator[None]:
    """Say which client the calls in a `with` statement, and the tasks begun there, come through."""
    token = _current.set(client)
    try:
        yield
    finally:
        _current.reset(token)
