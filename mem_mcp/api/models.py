"""The nouns: what a memory is and what each verb returns."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Kind = Literal["fact", "message", "procedure", "outcome", "lesson"]
Event = Literal["ADD", "UPDATE", "DELETE", "NONE"]
Status = Literal["active", "pending", "probation", "hidden", "archived", "deleted"]
Outcome = Literal["success", "failure", "partial", "unknown"]
Severity = Literal["minor", "major", "critical"]
Infer = Literal["auto", "always", "never"]
Feedback = Literal["POSITIVE", "NEGATIVE", "VERY_NEGATIVE"]
UserScope = Literal["user", "global"]
EvaluatedBy = Literal["caller", "human", "llm", "none"]
Order = Literal["newest", "oldest"]

GLOBAL_USER = "global"
"""The user whose memories every user may recall."""

RECALLABLE: tuple[Status, ...] = ("active", "probation")
"""Statuses that recall sees."""

WAITS = "waits for the language model"
"""Reason of a pending version that recall sees meanwhile, as it was given."""
GIVEN_UP = "waits for the language model, which failed at it too often"
"""The same of one that the model is no longer asked for by itself, only by `reprocess`."""
WAITING_REASONS = (WAITS, GIVEN_UP)


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
    client: str | None = None
    """What this version came through: the name that an MCP client gives itself, cli or python."""


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


class Tally(Model):
    """How often a memory was marked, by feedback and by the outcomes that used it."""

    positive: int = 0
    negative: int = 0
    very_negative: int = 0
    successes: int = 0
    failures: int = 0


class Recalled(Model):
    """A memory in an answer of `recall`."""

    memory_id: str
    text: str
    kind: Kind
    score: float
    scores: dict[str, float] | None = None
    marks: Tally | None = None
    matched: list[str] = []
    """Words of the question that it has; with `explain`."""
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
    also: list[str] = []
    """Ids of copies that this one stands for: equal but for how they were typed."""
    newer_than: list[str] = []
    """Ids in this answer that this one may replace."""
    cut: dict[str, int] = {}
    """Characters of each field of which this is only a part, by name; of a text the passage that
    answers best. `get_memory` shows it whole."""


class RecallResult(Model):
    """Answer of `recall`, best first."""

    recall_id: str
    memories: list[Recalled]
    left_out: int = 0
    """Memories that fit less; the setting recall.least_share says from when on."""
    no_room: int = 0
    """Memories left out because the answer was full."""
    legend: dict[str, str] = {}
    """With `explain`: what the parts of the scores mean."""
    degraded: list[str] = []


class OutcomeResult(Model):
    """Answer of `record_outcome`."""

    memory_id: str
    outcome: Outcome
    evaluated_by: EvaluatedBy
    status: Status
    text: str
    credited: list[str] = []
    degraded: list[str] = []


class Lesson(Recalled):
    """A lesson or an outcome in an answer of `recall_lessons`."""

    outcome: Outcome | None = None
    task_type: str | None = None
    tool_name: str | None = None
    support: int = 1
    """Outcomes that say so."""


class ToolStats(Model):
    """How a tool has done on a kind of task."""

    tool_name: str
    success: int
    failure: int
    partial: int
    rate_low: float
    rate_high: float
    last_used_at: datetime


class LessonsResult(Model):
    """Answer of `recall_lessons`; each list is best first."""

    recall_id: str
    lessons: list[Lesson]
    successes: list[Lesson]
    failures: list[Lesson]
    tool_stats: list[ToolStats]
    briefing: str
    left_out: int = 0
    """Memories that fit less; the setting recall.least_share says from when on."""
    no_room: int = 0
    """Memories left out because the answer was full."""
    degraded: list[str] = []


class FeedbackGiven(Model):
    """What became of one mark; `previous` is what the same rater thought before."""

    memory_id: str
    feedback: Feedback | None
    previous: Feedback | None


class FeedbackRefused(Model):
    """One mark that was not stored."""

    memory_id: str
    error: str


class FeedbackResult(Model):
    """Answer of `give_feedback`, in the order of the input."""

    results: list[FeedbackGiven]
    errors: list[FeedbackRefused] = []
    degraded: list[str] = []


class UpdateResult(Model):
    """Answer of `update_memory`."""

    memory_id: str
    event: Event
    version: int
    degraded: list[str] = []


class ForgetResult(Model):
    """Answer of `forget`; in a dry run `forgotten` counts what would go."""

    forgotten: int
    memory_ids: list[str]
    dry_run: bool
    gone_by: datetime | None = None
    """Until when the bytes of what was purged have left the disk, if they have not yet."""
    degraded: list[str] = []


class Erased(Model):
    """The receipt of `erase_user`: what it counted, without a text."""

    user_id: str
    erased_at: datetime
    memories: dict[str, int]
    """By kind; each counts once, whatever its versions."""
    versions: int
    pending: int
    """Those among them that waited for the language model."""
    marks: int
    """Given by the user, or to the user's memories."""
    recalls: int
    shared: int
    """Memories that the user wrote for all users."""
    shared_erased: bool
    """Whether these went, too."""
    dry_run: bool = False
    gone_by: datetime | None = None
    """Until when the bytes have left the disk, if they have not yet."""
    degraded: list[str] = []


class GetResult(Model):
    """Answer of `get_memory`; versions are oldest first and empty unless asked for."""

    memory: Memory
    versions: list[Memory] = []


class Listed(Memory):
    """A memory in an answer of `list_memories`."""

    cut: dict[str, int] = {}
    """Characters of each field of which this is only a part, by name; of a text the beginning."""

    @model_validator(mode="before")
    @classmethod
    def _of(cls, value: Any) -> Any:  # noqa: ANN401 - whatever is validated
        """Take a whole memory as it is."""
        return vars(value) if isinstance(value, Memory) else value


class ListResult(Model):
    """Answer of `list_memories`."""

    memories: list[Listed]
    next_cursor: str | None = None
    total: int


MENTIONED_WITH = "mentioned with"
"""The relation of two entities that a memory only lists together; it has no direction."""


class GraphEdge(Model):
    """One relation, and the memories that support it."""

    source: str
    relation: str
    target: str
    memory_ids: list[str]


class GraphResult(Model):
    """Answer of `graph`, nearest first."""

    entities: list[str]
    """One name for each entity; empty if no memory mentions the one that was asked about."""
    edges: list[GraphEdge]
    degraded: list[str] = []


class Archived(Model):
    """A memory that was taken out of recall, its text shortened."""

    memory_id: str
    text: str
    reason: str


class Reembedded(Model):
    """What making the vectors anew came to."""

    embedder: str
    """What the store holds the vectors of now."""
    dimension: int
    embedded: int
    """Versions that this run made a vector for."""
    switched: bool
    """Whether the store had been in use with others until now."""
    others_dropped: bool
    """Whether earlier vectors are gone; they stay while other processes may need them."""


class Maintained(Model):
    """What one pass of maintenance did; a dry run says what it would do, and does nothing."""

    ran: bool
    dry_run: bool = False
    embedded: int = 0
    archived: list[Archived] = []
    pruned_traces: int = 0
    files_before: int = 0
    files_after: int = 0
    bytes_before: int | None = None
    bytes_after: int | None = None
    reason: str | None = None


class WhyResult(Model):
    """Why a memory was, or was not, in an answer of recall."""

    recall_id: str
    memory_id: str
    query: str
    found: bool
    """Whether it was in the answer."""
    verdict: str
    """The reason, in one sentence."""
    details: list[str] = []
    rank: int | None = None
    """Its place, 1 for the best: in the answer, else among all that were weighed."""
    score: float | None = None
    scores: dict[str, float] = {}
    """The parts that add up to its score."""
    legend: dict[str, str] = {}
    """What these parts mean."""


class Reprocessed(Model):
    """What a language model made of what had waited for it."""

    processed: int
    """Requests and outcomes that are done."""
    waiting: int
    """Those that still wait."""
    degraded: list[str] = []
    llm: LLMUsage | None = None


class LineError(Model):
    """One line of an import that was skipped."""

    line: int
    error: str


class ImportResult(Model):
    """Counts of one import."""

    imported: int
    duplicates: int
    errors: list[LineError] = []
    degraded: list[str] = []
    """What was taken out of lines; a JSON of it is without, where there is nothing."""

    @model_serializer(mode="wrap")
    def _without_nothing(self, serialise: SerializerFunctionWrapHandler) -> dict[str, object]:
        fields: dict[str, object] = serialise(self)
        return {name: value for name, value in fields.items() if name != "degraded" or value}
