"""The nouns: what a memory is and what each verb returns."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["fact", "message", "procedure", "outcome", "lesson"]
Event = Literal["ADD", "UPDATE", "DELETE", "NONE"]
Status = Literal["active", "pending", "probation", "hidden", "archived", "deleted"]
Outcome = Literal["success", "failure", "partial", "unknown"]
Severity = Literal["minor", "major", "critical"]
Infer = Literal["auto", "always", "never"]
Order = Literal["newest", "oldest"]

GLOBAL_USER = "global"
"""The user whose memories every user may recall."""

RECALLABLE: tuple[Status, ...] = ("active", "probation")
"""Statuses that recall sees."""


class Model(BaseModel):
    """Base of all results and values: immutable, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Relation(Model):
    """One edge of the graph, kept on the memory that supports it."""

    source: str
    relation: str
    target: str


class Memory(Model):
    """One version of one memory, every field but its vector."""

    version_id: str
    memory_id: str
    version: int
    event: Event
    reason: str | None = None
    actor: str | None = None
    text: str
    embedder: str | None = None
    kind: Kind
    user_id: str
    agent_id: str | None = None
    run_id: str | None = None
    actor_id: str | None = None
    role: str | None = None
    position: int | None = None
    tags: list[str] = []
    entities: list[str] = []
    relations: list[Relation] = []
    metadata: dict[str, Any] = {}
    outcome_type: Outcome | None = None
    task_type: str | None = None
    tool_name: str | None = None
    severity: Severity | None = None
    agent_version: str | None = None
    used: list[str] = []
    source: str | None = None
    evidence: list[str] = []
    confidence: float | None = None
    content_hash: str
    request_key: str | None = None
    occurred_at: datetime
    valid_until: datetime | None = None
    recorded_at: datetime
    superseded_at: datetime | None = None
    expires_at: datetime | None = None
    status: Status = "active"


class Scope(Model):
    """Whose memory a call is about; None in agent or run means any on reads."""

    user_id: str
    agent_id: str | None = None
    run_id: str | None = None


class Similar(Model):
    """A stored memory close to one just remembered."""

    memory_id: str
    text: str
    score: float


class Remembered(Model):
    """What became of one text."""

    memory_id: str
    event: Event
    text: str
    previous_text: str | None = None
    similar: list[Similar] = []


class LLMUsage(Model):
    """What the language model was asked for in one call."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None = None


class RememberResult(Model):
    """Answer of `remember`, in the order of the input."""

    results: list[Remembered]
    degraded: list[str] = []
    llm: LLMUsage | None = None


class Recalled(Model):
    """A memory in an answer of `recall`."""

    memory_id: str
    text: str
    kind: Kind
    score: float
    scores: dict[str, float] | None = None
    tags: list[str] = []
    metadata: dict[str, Any] = {}
    user_id: str
    agent_id: str | None = None
    run_id: str | None = None
    actor_id: str | None = None
    occurred_at: datetime
    recorded_at: datetime
    valid_until: datetime | None = None
    relations: list[Relation] = []


class RecallResult(Model):
    """Answer of `recall`, best first."""

    recall_id: str
    memories: list[Recalled]
    degraded: list[str] = []


class UpdateResult(Model):
    """Answer of `update_memory`."""

    memory_id: str
    event: Event
    version: int


class ForgetResult(Model):
    """Answer of `forget`; in a dry run `forgotten` counts what would go."""

    forgotten: int
    memory_ids: list[str]
    dry_run: bool


class GetResult(Model):
    """Answer of `get_memory`; versions are oldest first and empty unless asked for."""

    memory: Memory
    versions: list[Memory] = []


class ListResult(Model):
    """Answer of `list_memories`."""

    memories: list[Memory]
    next_cursor: str | None = None
    total: int


class Stats(Model):
    """Counts that describe a store."""

    memories: int
    versions: int
    users: int
    by_kind: dict[str, int]
    by_status: dict[str, int]
    without_vector: int
    embedder: str | None
    data_bytes: int | None
    table_version: int
    location: str


class Maintained(Model):
    """What one pass of maintenance did."""

    ran: bool
    embedded: int = 0
    files_before: int = 0
    files_after: int = 0
    bytes_before: int | None = None
    bytes_after: int | None = None
    reason: str | None = None


class LineError(Model):
    """One line of an import that was skipped."""

    line: int
    error: str


class ImportResult(Model):
    """Counts of one import."""

    imported: int
    duplicates: int
    errors: list[LineError] = []
