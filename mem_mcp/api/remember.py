"""remember: its arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import tzinfo
from typing import Annotated, Any

from mem_mcp.api import checks, words
from mem_mcp.api.arguments import (
    NAMES,
    OBJECTS,
    ExpiresAt,
    IdempotencyKey,
    Metadata,
    OccurredAt,
    Scoped,
    Tags,
    ValidUntil,
    text,
    word,
)
from mem_mcp.api.call import Check, Doc
from mem_mcp.api.messages import normalise
from mem_mcp.api.models import Infer, Kind, Relation
from mem_mcp.api.progress import Progress
from mem_mcp.api.words import word as read_word
from mem_mcp.errors import InvalidInput

MOST_AT_ONCE = 1_000
MAX_INSTRUCTIONS = 10_000
KINDS: tuple[Kind, ...] = ("fact", "message", "procedure")
"""What remember stores; outcomes and lessons come with record_outcome."""


def _messages(value: object, argument: str, zone: tzinfo) -> list[Mapping[str, Any] | None]:
    given = checks.listed(value, argument, MOST_AT_ONCE, "{role, content}")
    return [normalise(each, f"{argument}[{place}]", zone) for place, each in enumerate(given)]


def _kind(value: object, argument: str) -> str:
    kind = read_word(value, argument, checks.literal(Kind), words.KINDS)
    if kind not in KINDS:
        raise InvalidInput(argument, f"{kind!r} is what record_outcome stores, not remember")
    return kind


@dataclass(frozen=True)
class Remember(Scoped):
    """Store what should be known later: facts, preferences, decisions, or whole messages.

    The same text is stored once. `similar` names close memories: correct one with update_memory
    rather than adding another version.
    """

    content: Annotated[
        str, text(), Doc("One self-contained statement", "at most remember.max_characters long")
    ] = ""
    messages: Annotated[
        Sequence[Mapping[str, Any] | None] | None,
        Check(_messages, OBJECTS, is_zoned=True),
        Doc("Or a conversation, in order: [{role, content, name?, occurred_at?}]"),
    ] = None
    _: KW_ONLY
    kind: Annotated[
        str,
        Check(_kind, {"enum": list(KINDS), "type": "string"}),
        Doc("Default: fact; of messages: message"),
    ] = ""
    tags: Tags = None
    metadata: Metadata = None
    entities: Annotated[str | Sequence[str] | None, NAMES, Doc("Who or what it is about")] = None
    relations: Annotated[
        Sequence[Mapping[str, str] | Relation] | None,
        Check(checks.relations, OBJECTS),
        Doc("[{source, relation, target}]"),
    ] = None
    occurred_at: OccurredAt = None
    valid_until: ValidUntil = None
    expires_at: ExpiresAt = None
    infer: Annotated[
        str,
        word(checks.literal(Infer), words.INFERS),
        Doc("Extract facts by a language model", "where one is configured"),
    ] = "auto"
    instructions: Annotated[str, text(MAX_INSTRUCTIONS), Doc("Extra rules for that")] = ""
    idempotency_key: IdempotencyKey = ""
    on_progress: Annotated[Progress | None, Check(lambda value, _: value, {})] = None
