"""What a model is to learn from, and how far it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mem_mcp.api.models import Memory, Remembered, Scope
from mem_mcp.errors import LLMError
from mem_mcp.prompts import Utterance
from mem_mcp.store import Version
from mem_mcp.writing.insert import IdempotencyKey


@dataclass(frozen=True, slots=True)
class ExtractionInput:
    """What is to be learnt from."""

    scope: Scope
    said: Sequence[Utterance]
    given: Sequence[Memory]
    """The same messages as memories, one for each."""
    fields: Mapping[str, Any]
    """Further fields of every new memory: tags, metadata and so on, as the caller gave them."""
    instructions: str = ""
    request: IdempotencyKey | None = None
    waited: Sequence[Version] = ()
    """Rows that hold the messages, one for each, if they waited; each ends when it is read."""


def material(
    scope: Scope,
    given: Sequence[Memory],
    *,
    instructions: str,
    request: IdempotencyKey | None = None,
    waited: Sequence[Version] = (),
) -> ExtractionInput:
    """Return memories as they were given, at least one, as what is to be learnt from."""
    first = given[0]
    names = ("tags", "metadata", "entities", "relations", "valid_until", "expires_at")
    return ExtractionInput(
        scope=scope,
        said=[Utterance(one.text, one.role, one.actor_id, one.occurred_at) for one in given],
        given=given,
        fields={name: getattr(first, name) for name in names},
        instructions=instructions,
        request=request,
        waited=waited,
    )


@dataclass(slots=True)
class ExtractionProgress:
    """What became of it."""

    results: list[Remembered] = field(default_factory=list)
    first: list[Memory] = field(default_factory=list)
    """What an earlier call of the same request made; then nothing was done."""
    left: list[Utterance] = field(default_factory=list)
    """What the model did not read."""
    refused: list[Utterance] = field(default_factory=list)
    """What the model gave no usable answer to."""
    ahead: list[Utterance] = field(default_factory=list)
    """What it was not asked to read yet."""
    begun: bool = False
    """Whether a part is done, read or not."""
    failure: LLMError | None = None
    """Why, at the last of it."""
    degraded: list[str] = field(default_factory=list)
    unread_rows: Sequence[Version] = ()
    """Rows that go on waiting, as the model did not read them."""
    became: dict[str, list[str]] = field(default_factory=dict)
    """By the id of a message that waited: the ids of the memories that quote it."""
    kept: set[int] = field(default_factory=set)
    """Places of the messages that an answer did not read."""

    def failed(self, given: ExtractionInput) -> set[int]:
        """Return the places of the messages that the model gave no usable answer to."""
        return {place for said in self.refused for place in places(given, said)}

    def unread(self, given: ExtractionInput) -> list[int]:
        """Return the places of the messages that were not read, or not whole."""
        return sorted(
            {place for said in (*self.left, *self.ahead) for place in places(given, said)}
        )


def places(given: ExtractionInput, said: Utterance) -> list[int]:
    """Return the places of a message, or of those that hold a part of one."""
    for index, whole in enumerate(given.said):
        if whole is said:
            return [index]
    return [index for index, whole in enumerate(given.said) if said.text in whole.text]
