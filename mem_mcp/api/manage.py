"""update_memory, forget, get_memory and list_memories: their arguments."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from mem_mcp.api import checks
from mem_mcp.api.arguments import (
    FLAG,
    MAX_REASON,
    NAME,
    NAMES,
    TEXT,
    AnyTags,
    ExpiresAt,
    Filters,
    Kinds,
    Limit,
    MemoryId,
    Metadata,
    OutcomeWord,
    Scoped,
    ValidUntil,
    required,
    text,
    word,
)
from mem_mcp.api.call import Check, Doc
from mem_mcp.api.models import Order
from mem_mcp.api.words import ORDERS, STATUSES
from mem_mcp.text import check_text

SameFilters = Annotated[Filters, Doc("As for recall")]


@dataclass(frozen=True)
class UpdateMemory(Scoped):
    """Correct or complete a memory; its earlier versions stay.

    If the world changed, set valid_until on the old, remember the new; never: no end.
    """

    memory_id: Annotated[MemoryId, Doc("From an answer")]
    _: KW_ONLY
    content: Annotated[str | None, text(), Doc("The corrected text")] = None
    tags: Annotated[str | Sequence[str] | None, NAMES, Doc("New tags; [] removes all")] = None
    metadata: Annotated[Metadata, Doc("Merged by key; null deletes a key")] = None
    expires_at: ExpiresAt = None
    valid_until: ValidUntil = None
    outcome: Annotated[OutcomeWord, Doc("What it really was")] = ""
    status: Annotated[
        str, word(["active", "archived"], STATUSES), Doc("archived: not recalled")
    ] = ""
    reason: Annotated[str, text(MAX_REASON), Doc("Why")] = ""


@dataclass(frozen=True)
class Forget(Scoped):
    """Stop recalling a memory: it is wrong, or the user asks."""

    memory_id: Annotated[str, NAME, Doc("Or use filters")] = ""
    _: KW_ONLY
    filters: SameFilters = None
    confirm: Annotated[bool, FLAG, Doc("Forget, not only count, what matches")] = False
    purge: Annotated[bool, FLAG, Doc("Erase it for good")] = False


@dataclass(frozen=True)
class EraseUser:
    """Erase everything of one user, off the disk as well, and count what it was.

    Memories, conversations, outcomes, what waits for the language model, marks and recalls.
    """

    user: Annotated[str, required(checks.MAX_NAME), Doc("Whose")]
    _: KW_ONLY
    shared: Annotated[bool, FLAG, Doc("Also what this user wrote for all users")] = False
    dry_run: Annotated[bool, FLAG, Doc("Only count; change nothing")] = False


@dataclass(frozen=True)
class GetMemory(Scoped):
    """Show every field of one memory; with history how it came to be, even if forgotten."""

    memory_id: Annotated[MemoryId, Doc("From recall or list_memories")]
    _: KW_ONLY
    history: Annotated[bool, FLAG, Doc("All versions, oldest first")] = False


@dataclass(frozen=True)
class ListMemories(Scoped):
    """Page through memories by time, without a question."""

    _: KW_ONLY
    filters: SameFilters = None
    kinds: Kinds = None
    tags: AnyTags = None
    limit: Limit = 50
    cursor: Annotated[str, Check(check_text, TEXT), Doc("next_cursor of the page before")] = ""
    order: Annotated[str, word(checks.literal(Order), ORDERS), Doc("First comes")] = "newest"
