"""record_outcome and recall_lessons: their arguments."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Annotated

from mem_mcp.api import checks
from mem_mcp.api.arguments import (
    FRACTION,
    NAME,
    TEXTS,
    IdempotencyKey,
    IncludeGlobal,
    Limit,
    MaxTokens,
    Metadata,
    OccurredAt,
    OutcomeWord,
    Scoped,
    SeverityWord,
    Since,
    Tags,
    required,
    text,
    word,
    words,
)
from mem_mcp.api.call import Check, Doc
from mem_mcp.api.models import Outcome, UserScope
from mem_mcp.api.progress import Progress
from mem_mcp.api.words import OUTCOMES, USER_SCOPES
from mem_mcp.errors import InvalidInput
from mem_mcp.text import check_text

MAX_LOG_BYTES = 5_000_000
MAX_TASK = 50_000
MOST_USED = 1_000


def _logs(value: object, argument: str) -> list[str]:
    logs = [check_text(log, argument) for log in checks.listed(value, argument, checks.MAX_COUNT)]
    size = sum(len(log.encode()) for log in logs)
    if size > MAX_LOG_BYTES:
        raise InvalidInput(
            argument, f"{size:,} bytes in all; at most {MAX_LOG_BYTES:,}: give the end that matters"
        )
    return logs


@dataclass(frozen=True)
class RecordOutcome(Scoped):
    """Record how a task went and what it taught. Call it after a task, above all a failed one.

    It ranks the memories that were used higher or lower.
    """

    task: Annotated[str, required(), Doc("What was attempted")]
    outcome: Annotated[OutcomeWord, Doc("How it ended", "empty is unknown")] = ""
    _: KW_ONLY
    lesson: Annotated[str, text(), Doc("What to do or avoid next time; must stand alone")] = ""
    summary: Annotated[str, text(), Doc("What happened and why")] = ""
    task_type: Annotated[str, NAME, Doc("Sort of task, e.g. sql_debug")] = ""
    tool_name: Annotated[str, NAME, Doc("Tool that it hinged on")] = ""
    severity: Annotated[SeverityWord, Doc("Of a failure")] = ""
    agent_version: Annotated[str, NAME, Doc("Your version")] = ""
    confidence: Annotated[float | None, FRACTION, Doc("0..1", "in the outcome")] = None
    logs: Annotated[
        str | Sequence[str] | None,
        Check(_logs, TEXTS),
        Doc("Raw output", "kept whole and never searched; at most 5 MB in all"),
    ] = None
    used_memory_ids: Annotated[
        str | Sequence[str] | None,
        Check(partial(checks.names, most=MOST_USED), TEXTS),
        Doc("Memories you acted on", "the outcome rates them"),
    ] = None
    recall_id: Annotated[str, NAME, Doc("Or all memories of this answer")] = ""
    user_scope: Annotated[
        str, word(checks.literal(UserScope), USER_SCOPES), Doc("global: for all users")
    ] = "user"
    tags: Tags = None
    metadata: Metadata = None
    occurred_at: Annotated[OccurredAt, Doc("Default now")] = None
    idempotency_key: IdempotencyKey = ""
    on_progress: Annotated[Progress | None, Check(lambda value, _: value, {})] = None


@dataclass(frozen=True)
class RecallLessons(Scoped):
    """Get lessons, successes and failures of similar tasks. Call it before you start a task."""

    task: Annotated[str, required(MAX_TASK), Doc("The task ahead")]
    _: KW_ONLY
    task_type: Annotated[str, NAME, Doc("Only this sort")] = ""
    tool_name: Annotated[str, NAME, Doc("Only this tool")] = ""
    outcomes: Annotated[
        str | Sequence[str] | None,
        words(checks.literal(Outcome), OUTCOMES),
        Doc("Any of: success, failure, partial, unknown"),
    ] = None
    severity: Annotated[SeverityWord, Doc("Only this one")] = ""
    agent_version: Annotated[str, NAME, Doc("Only this one")] = ""
    since: Annotated[Since, Doc("From then on")] = None
    limit: Annotated[Limit, Doc("Of each list, 1..200")] = 5
    max_tokens: Annotated[
        MaxTokens, Doc("Budget for the briefing", "in estimated tokens; 0 for none")
    ] = 0
    include_global: IncludeGlobal = True

    @property
    def is_narrowed(self) -> bool:
        """Whether the caller itself says which tasks are like this one."""
        chosen = (self.task_type, self.tool_name, self.outcomes, self.severity, self.agent_version)
        return any(chosen)
