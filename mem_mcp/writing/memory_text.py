"""The text of a memory that is embedded."""

from __future__ import annotations

from mem_mcp.api.models import Memory
from mem_mcp.text import said_by


def embedded_text(memory: Memory) -> str:
    """Return the text that is embedded: the memory's, with the speaker's name before it."""
    return said_by(memory.actor_id, memory.text)
