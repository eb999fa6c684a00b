"""The few figures of a store and of a process by which a server is watched: no names, no texts."""

from __future__ import annotations

from dataclasses import dataclass

from mem_mcp.api.models import LLMUsage


@dataclass(frozen=True, slots=True)
class Fragments:
    """How a table lies on the disk."""

    rows: int
    fragments: int
    small: int
    """Those that maintenance would put together."""
    bytes: int
    """Of rows and indices, without earlier versions of them."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """Figures of a store, whoever wrote to it."""

    table: Fragments
    waiting: int
    """Memories that wait for a language model."""
    version: int
    """Number of the newest commit."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What one process has done."""

    usage: LLMUsage
    """Of all models."""
    maintained: int
    """Passes of maintenance in the background."""
    failed: int
    """Those that failed."""
