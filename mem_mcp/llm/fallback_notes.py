"""Notes on fallbacks that answered, for the answer of the operation that asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_notes: ContextVar[list[str] | None] = ContextVar("fallback_notes", default=None)


@contextmanager
def fallback_notes() -> Iterator[list[str]]:
    """Collect the notes of the body of a `with` statement and of the tasks it starts.

    Yields:
        The notes, each once; they are complete at the end of the body.
    """
    notes: list[str] = []
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def note_fallback(text: str) -> None:
    """Add a note, if anything collects them."""
    notes = _notes.get()
    if notes is not None and text not in notes:
        notes.append(text)
