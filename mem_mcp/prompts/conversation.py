"""The messages of a conversation, as a prompt shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from mem_mcp.prompts.delimiters import block, enclosed

Speaker = Literal["person", "machine", "setup"]
"""Who talks; `setup` is a system prompt, which is never a source of facts."""
_SETUP = ("system", "developer")
_MACHINES = ("assistant", "tool", "function", "model", "bot", "ai")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Said:
    """One message, or a text that nobody in particular says."""

    text: str
    role: str | None = None
    name: str | None = None
    at: datetime | None = None
    """When it was said; aware. A caller who gives no time means now, as chat clients do, so what
    they say of yesterday has a date, too; None is for what nobody knows the time of."""

    @property
    def speaker(self) -> Speaker:
        """Who talks, told by the role; who has none, or one of another name, is a person."""
        role = (self.role or "").strip().lower()
        if role in _SETUP:
            return "setup"
        return "machine" if role in _MACHINES else "person"


def message(said: Said) -> str:
    """Return a message as a prompt shows it."""
    time = stamp(said.at) if said.at else None
    return block("message", said.text, role=said.role, name=said.name, time=time)


def messages(tag: str, some: Sequence[Said]) -> str:
    """Return several messages between tags."""
    return enclosed(tag, "\n".join(map(message, some)))


def stamp(moment: datetime) -> str:
    """Return a moment with its day of the week, which "last Friday" is reckoned from."""
    in_utc = moment.astimezone(UTC)
    return f"{_DAYS[in_utc.weekday()]} {in_utc.isoformat(' ', 'minutes')[:16]} UTC"
