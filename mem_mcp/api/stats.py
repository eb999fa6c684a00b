"""What `stats` returns: what a store holds, how it is used, and what models were asked for it."""

from __future__ import annotations

from pydantic import Field

from mem_mcp.api.models import LLMUsage, Model, Tally


class ModelsUse(LLMUsage):
    """Calls to models by all processes that use a store."""

    retries: int
    """Further attempts at the same requests, which are not counted as calls."""


class ModelUse(ModelsUse):
    """Calls of one kind to one model."""

    model: str
    call: str
    """completion, embedding or rerank."""
    failed: int
    """Calls that got no response."""
    failures: dict[str, int]
    """Failures by reason, such as timeout, or by the error's name; the most frequent first."""
    seconds_mean: float
    """Mean duration of a call in seconds, with its further attempts."""


class FeedbackWeek(Model):
    """Ratings of one ISO week that still count."""

    week: str
    """Like 2026-W31."""
    positive: int = 0
    negative: int = 0
    very_negative: int = 0


class FeedbackStats(Model):
    """Ratings that count: each rater's latest on a memory and a question."""

    recalled: int = 0
    """Memories in the answers still traced, each counted once."""
    rated: int = 0
    """Those of them that were rated in the same time."""
    share: float | None = None
    """Rated of recalled; None where nothing was recalled."""
    positive: int = 0
    negative: int = 0
    very_negative: int = 0
    weeks: list[FeedbackWeek] = Field(default=[])
    """Of the last year, oldest first; weeks without ratings are left out."""


class Ended(Model):
    """How tasks ended, where that is known."""

    success: int = 0
    failure: int = 0
    partial: int = 0

    @property
    def tried(self) -> int:
        """How many there are."""
        return self.success + self.failure + self.partial

    @property
    def good(self) -> float:
        """How many succeeded, a partial one counting half."""
        return self.success + self.partial / 2


class OutcomeWeek(Ended):
    """Outcomes that occurred in one ISO week."""

    week: str
    """Like 2026-W31."""


class OutcomeStats(Ended):
    """How tasks of one type, or with one tool, ended."""

    name: str = ""
    unknown: int = 0
    rate: float | None = None
    """Successes, a partial one counting half, of all but the unknown; None where there are none."""
    weeks: list[OutcomeWeek] = Field(default=[])
    """Of the last year, oldest first; weeks without outcomes are left out."""


class Marked(Model):
    """A memory, its text shortened, and what was said of it."""

    memory_id: str
    text: str
    marks: Tally


class Learning(Model):
    """How the memory is used, and how it does."""

    window_days: int = 0
    """How long recalls are traced; 0 where they are not."""
    traces: int = 0
    """Answers of recall and recall_lessons in that time."""
    feedback: FeedbackStats = FeedbackStats()
    outcomes: OutcomeStats = OutcomeStats()
    by_task_type: list[OutcomeStats] = Field(default=[])
    """The most frequent, at most 20."""
    by_tool: list[OutcomeStats] = Field(default=[])
    """The most frequent, at most 20."""
    most_helpful: list[Marked] = Field(default=[])
    most_harmful: list[Marked] = Field(default=[])
    never_recalled: int = 0
    """Memories that recall could return, and that no answer still traced holds."""
    never_recalled_ids: list[str] = Field(default=[])
    """The oldest of them."""


class Stats(Model):
    """Counts that describe a store."""

    memories: int
    versions: int
    users: int
    by_kind: dict[str, int]
    by_status: dict[str, int]
    waiting: int = 0
    """Memories and outcomes that wait for a language model."""
    given_up: int = 0
    """Those of them that it failed at so often that only `reprocess` asks for them again."""
    without_vector: int
    embedded_anew: bool = False
    """Whether they get one by themselves, since another model took the place of theirs."""
    embedder: str | None
    dimension: int | None
    """Length of its vectors; None before the first."""
    data_bytes: int | None
    table_version: int
    location: str
    models: list[ModelUse] = Field(default=[])
    """Those that were asked lately, the most asked first."""
    models_days: int = 0
    """How many days that is; 0 where none was asked."""
    models_today: ModelsUse | None = None
    """All of them, since midnight UTC."""
    learning: Learning = Learning()
