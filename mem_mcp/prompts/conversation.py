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
class Utterance:
    """One message of a conversation, or a note without a speaker."""

    text: str
    role: str | None = None
    name: str | None = None
    at: datetime | None = None
    """When it was said, with a time zone. A caller who gives no time means now; None is for texts
    whose time nobody knows."""

    @property
    def speaker(self) -> Speaker:
        """Who talks, by the role; a speaker without a role or with an unknown one is a person."""
        role = (self.role or "").strip().lower()
        if role in _SETUP:
            return "setup"
        return "machine" if role in _MACHINES else "person"


def message(said: Utterance) -> str:
    """Return a message as a prompt shows it."""
    time = stamp(said.at) if said.at else None
    return block("message", said.text, role=said.role, name=said.name, time=time)


def messages(tag: str, some: Sequence[Utterance]) -> str:
    """Return several messages between tags."""
    return enclosed(tag, "\n".join(map(message, some)))


def stamp(moment: datetime) -> str:
    """Return a moment in UTC with its weekday, so that a model can resolve "last Friday"."""
    in_utc = moment.astimezone(UTC)
    return f"{_DAYS[in_utc.weekday()]} {in_utc.isoformat(' ', 'minutes')[:16]} UTC"
