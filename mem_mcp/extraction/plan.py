"""What a model's answer comes to: the changes to make, and what does not count. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mem_mcp.api.models import Memory, Scope
from mem_mcp.extraction.field_parsing import shortened
from mem_mcp.prompts.conversation import Utterance
from mem_mcp.prompts.verify import Statement, Verification


@dataclass(frozen=True, slots=True)
class PlanContext:
    """What a model was shown, and whose memory it may change."""

    scope: Scope
    new: Sequence[Utterance]
    known: Sequence[Memory]
    """As they were numbered, from 1."""
    now: datetime
    most_characters: int
    """Of a memory's text."""
    context: Sequence[Utterance] = ()
    """What was said just before."""
    small: bool = False
    """Whether the model is small, so that what it passes over is kept."""
    cut: bool = False
    """Whether the answer was cut, so that only its beginning was read."""
    instructed: bool = False
    """Whether instructions may leave out what was said."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a stored memory."""

    memory: Memory
    fields: Mapping[str, Any]
    """What differs from now on: of one that ends, valid_until; of a deleted one, nothing."""
    reason: str | None
    quote: str


@dataclass(frozen=True, slots=True)
class Added:
    """A new memory."""

    text: str
    fields: Mapping[str, Any]
    """Further fields; occurred_at is absent where nothing tells it."""
    ends: Change | None = None
    """What it succeeds, where the world has changed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do. Each operation of the answer is in one of the first six lists."""

    add: list[Added] = field(default_factory=list)
    update: list[Change] = field(default_factory=list)
    end: list[Change] = field(default_factory=list)
    """Without a successor; `ended` has all."""
    delete: list[Change] = field(default_factory=list)
    none: list[Memory | None] = field(default_factory=list)
    """What is known already, where the model named it."""
    dropped: list[str] = field(default_factory=list)
    """What was left out and why, a sentence for each operation."""
    trimmed: list[str] = field(default_factory=list)
    """The same of single fields whose operation counts."""
    keep: list[int] = field(default_factory=list)
    """Places of the new messages that the answer did not read."""

    @property
    def ended(self) -> list[Change]:
        """Every memory that ends and stays, once."""
        every = [*self.end, *(added.ends for added in self.add if added.ends)]
        return [*{ended.memory.memory_id: ended for ended in every}.values()]

    @property
    def degraded(self) -> list[str]:
        """Whatever of the answer does not count."""
        return [*self.dropped, *self.trimmed]


def statements(made: Plan) -> list[Statement]:
    """Return what a plan would store, for a model to verify."""
    added = [Statement(one.text, one.fields["evidence"][0]) for one in made.add]
    return [*added, *(Statement(one.fields["text"], one.quote) for one in made.update)]


def verified(made: Plan, found: Verification) -> Plan:
    """Return a plan without the statements that do not hold; those not checked stay."""
    failed = {check.n: check.reason for check in found.checks if not check.holds}
    dropped = [
        f"{shortened(one.text)} was left out, as not quite said: {shortened(failed[number])}"
        for number, one in enumerate(statements(made), start=1)
        if number in failed
    ]
    updates = enumerate(made.update, start=len(made.add) + 1)
    return replace(
        made,
        add=[one for number, one in enumerate(made.add, start=1) if number not in failed],
        update=[one for number, one in updates if number not in failed],
        dropped=[*made.dropped, *dropped],
    )
