"""The tools: their contract as the model reads it, over the memory's methods."""

# Annotations are evaluated by the SDK, so they stay real objects: no `from __future__` here.
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from mem_mcp.api.models import (
    FeedbackResult,
    ForgetResult,
    GetResult,
    LessonsResult,
    ListResult,
    OutcomeResult,
    RecallResult,
    RememberResult,
    UpdateResult,
)
from mem_mcp.server import render
from mem_mcp.server.lazy_memory import LazyMemory

User = Annotated[str, Field(description="Owner; empty: default user")]
Agent = Annotated[str, Field(description="Agent; empty on reads: any")]
Run = Annotated[str, Field(description="Conversation; empty on reads: any")]
Filters = Annotated[
    dict[str, Any] | None,
    Field(
        description="E.g. {'metadata.team': 'a', 'tags': {'contains': 'x'}}; operators eq ne in "
        "nin gt gte lt lte contains icontains exists; AND, OR (lists), NOT"
    ),
]
SameFilters = Annotated[
    dict[str, Any] | None, Field(description="Conditions, written as for recall")
]
Outcome = Literal["", "success", "failure", "partial", "unknown"]
Severity = Literal["", "minor", "major", "critical"]
Kinds = Annotated[list[str], Field(description="Any of: fact, message, procedure, outcome, lesson")]
AnyTags = Annotated[list[str], Field(description="Any of these tags")]


def _annotated(
    title: str, *, reads: bool = False, destroys: bool = False, repeatable: bool = True
) -> ToolAnnotations:
    return ToolAnnotations(
        title=title,
        read_only_hint=reads,
        destructive_hint=destroys,
        idempotent_hint=repeatable,
        open_world_hint=False,
    )


ANNOTATIONS = {
    "remember": _annotated("Remember", repeatable=False),
    "recall": _annotated("Recall", reads=True),
    "record_outcome": _annotated("Record an outcome", repeatable=False),
    "recall_lessons": _annotated("Recall lessons", reads=True),
    "give_feedback": _annotated("Give feedback"),
    "update_memory": _annotated("Update a memory"),
    "forget": _annotated("Forget", destroys=True),
    "get_memory": _annotated("Get a memory", reads=True),
    "list_memories": _annotated("List memories", reads=True),
}


class MemoryTools:
    """One method a tool; its docstring is the tool's description."""

    def __init__(self, lazy: LazyMemory) -> None:
        self._lazy = lazy

    async def remember(
        self,
        context: Context[Any, Any],
        content: Annotated[str, Field(description="One self-contained statement")] = "",
        messages: Annotated[
            list[dict[str, Any]] | None,
            Field(
                description="Or a conversation, in order: [{role, content, name?, occurred_at?}]"
            ),
        ] = None,
        kind: Annotated[
            Literal["", "fact", "message", "procedure"],
            Field(description="Default: fact; of messages: message"),
        ] = "",
        tags: Annotated[list[str], Field(description="Labels to filter by")] = [],  # noqa: B006
        metadata: Annotated[dict[str, Any] | None, Field(description="Your own fields")] = None,
        entities: Annotated[list[str], Field(description="Who or what it is about")] = [],  # noqa: B006
        relations: Annotated[
            list[dict[str, str]], Field(description="[{source, relation, target}]")
        ] = [],  # noqa: B006
        occurred_at: Annotated[str, Field(description="ISO 8601 with time zone; default now")] = "",
        expires_at: Annotated[str, Field(description="When to stop recalling it")] = "",
        infer: Annotated[
            Literal["auto", "always", "never"],
            Field(description="Extract facts with a language model, if one is set"),
        ] = "auto",
        instructions: Annotated[str, Field(description="Extra rules for that")] = "",
        idempotency_key: Annotated[str, Field(description="A retry with it stores nothing")] = "",
        user_id: User = "",
        agent_id: Agent = "",
        run_id: Run = "",
    ) -> Annotated[CallToolResult, RememberResult]:
        """Store what should be known later: facts, preferences, decisions, or whole messages.

        The same text is stored once (event NONE). `similar` names close memories: correct one
        with update_memory instead of adding a second version of it.
        """
        memory = await self._lazy.get()
        result = await memory.remember(
            content,
            messages,
            kind=kind,
            tags=tags,
            metadata=metadata,
            entities=entities,
            relations=relations,
            occurred_at=occurred_at,
            expires_at=expires_at,
            infer=infer,
            instructions=instructions,
            idempotency_key=idempotency_key,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
            on_progress=context.report_progress,
        )
        return _answer(result, render.remembered(result))

    async def recall(
        self,
        query: Annotated[str, Field(description="A question or topic, in plain words")],
        limit: Annotated[int, Field(description="1..200")] = 10,
        max_tokens: Annotated[int, Field(description="Budget for the texts; 0: none")] = 0,
        kinds: Kinds = [],  # noqa: B006
        tags: AnyTags = [],  # noqa: B006
        filters: Filters = None,
        since: Annotated[
            str, Field(description="Occurred then or later; ISO 8601 with time zone")
        ] = "",
        until: Annotated[str, Field(description="Occurred then or earlier")] = "",
        as_of: Annotated[str, Field(description="Answer as it would have been then")] = "",
        min_score: Annotated[float, Field(description="Drop less relevant ones, 0..1")] = 0.0,
        include_global: Annotated[bool, Field(description="Also what all users share")] = True,
        explain: Annotated[bool, Field(description="Show the parts of each score")] = False,
        user_id: User = "",
        agent_id: Agent = "",
        run_id: Run = "",
    ) -> Annotated[CallToolResult, RecallResult]:
        """Find memories by meaning and words. Call it before answering or acting.

        Scores are absolute: low ones mean that nothing fitting is stored.
        """
        memory = await self._lazy.get()
        result = await memory.recall(
            query,
            limit=limit,
            max_tokens=max_tokens,
            kinds=kinds,
            tags=tags,
            filters=filters,
            since=since,
            until=until,
            as_of=as_of,
            min_score=min_score,
            include_global=include_global,
            explain=explain,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return _answer(result, render.recalled(result))

    async def record_outcome(
        self,
        task: Annotated[str, Field(description="What was attempted, in a sentence")],
        outcome: Annotated[
            Outcome,
            Field(description="How it ended; empty: unknown"),
        ] = "",
        lesson: Annotated[
            str, Field(description="What to do or avoid next time; must stand alone")
        ] = "",
        summary: Annotated[str, Field(description="What happened and why")] = "",
        task_type: Annotated[str, Field(description="Sort of task, e.g. sql_debug")] = "",
        tool_name: Annotated[str, Field(description="Tool that it hinged on")] = "",
        severity: Annotated[Severity, Field(description="Of a failure")] = "",
        agent_version: Annotated[str, Field(description="Your version")] = "",
        confidence: Annotated[float | None, Field(description="In the outcome, 0..1")] = None,
        logs: Annotated[list[str], Field(description="Raw output; kept, not searched")] = [],  # noqa: B006
        used_memory_ids: Annotated[
            list[str], Field(description="Memories you acted on: the outcome rates them")
        ] = [],  # noqa: B006
        recall_id: Annotated[str, Field(description="Or all memories of this answer")] = "",
        user_scope: Annotated[
            Literal["user", "global"], Field(description="global: for all users")
        ] = "user",
        tags: Annotated[list[str], Field(description="Labels to filter by")] = [],  # noqa: B006
        metadata: Annotated[dict[str, Any] | None, Field(description="Your own fields")] = None,
        occurred_at: Annotated[str, Field(description="Default now")] = "",
        idempotency_key: Annotated[str, Field(description="A retry with it stores nothing")] = "",
        user_id: User = "",
        agent_id: Agent = "",
        run_id: Run = "",
    ) -> Annotated[CallToolResult, OutcomeResult]:
        """Record how a task went and what it taught. Call it after a task, above all a failed one.

        It ranks the memories that were used higher or lower.
        """
        memory = await self._lazy.get()
        result = await memory.record_outcome(
            task,
            outcome,
            lesson=lesson,
            summary=summary,
            task_type=task_type,
            tool_name=tool_name,
            severity=severity,
            agent_version=agent_version,
            confidence=confidence,
            logs=logs,
            used_memory_ids=used_memory_ids,
            recall_id=recall_id,
            user_scope=user_scope,
            tags=tags,
            metadata=metadata,
            occurred_at=occurred_at,
            idempotency_key=idempotency_key,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return _answer(result, render.recorded(result))

    async def recall_lessons(
        self,
        task: Annotated[str, Field(description="The task ahead, in plain words")],
        task_type: Annotated[str, Field(description="Only of this sort of task")] = "",
        tool_name: Annotated[str, Field(description="Only with this tool")] = "",
        outcomes: Annotated[
            list[str], Field(description="Any of: success, failure, partial, unknown")
        ] = [],  # noqa: B006
        severity: Annotated[Severity, Field(description="Only of this severity")] = "",
        agent_version: Annotated[str, Field(description="Only of this version")] = "",
        since: Annotated[str, Field(description="Occurred then or later")] = "",
        limit: Annotated[int, Field(description="Of each list, 1..200")] = 5,
        max_tokens: Annotated[int, Field(description="Budget for the briefing; 0: none")] = 0,
        include_global: Annotated[bool, Field(description="Also what all users share")] = True,
        user_id: User = "",
        agent_id: Agent = "",
        run_id: Run = "",
    ) -> Annotated[CallToolResult, LessonsResult]:
        """Get lessons, successes and failures of similar tasks. Call it before you start a task."""
        memory = await self._lazy.get()
        result = await memory.recall_lessons(
            task,
            task_type=task_type,
            tool_name=tool_name,
            outcomes=outcomes,
            severity=severity,
            agent_version=agent_version,
            since=since,
            limit=limit,
            max_tokens=max_tokens,
            include_global=include_global,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return _answer(result, render.lessons(result))

    async def give_feedback(
        self,
        memory_id: Annotated[str, Field(description="From recall or recall_lessons")] = "",
        feedback: Annotated[
            Literal["POSITIVE", "NEGATIVE", "VERY_NEGATIVE", ""] | None,
            Field(description="VERY_NEGATIVE: wrong, hide it; absent or null: take it back"),
        ] = None,
        feedback_reason: Annotated[str, Field(description="Why")] = "",
        recall_id: Annotated[str, Field(description="Of the answer it came in")] = "",
        query: Annotated[str, Field(description="Or the question it was for")] = "",
        items: Annotated[
            list[dict[str, Any]] | None, Field(description="Or many at once, each with these five")
        ] = None,
        user_id: User = "",
        agent_id: Agent = "",
        run_id: Run = "",
    ) -> Annotated[CallToolResult, FeedbackResult]:
        """Say whether a recalled memory helped or misled you; it then ranks higher or lower."""
        memory = await self._lazy.get()
        result = await memory.give_feedback(
            memory_id,
            feedback or None,
            feedback_reason=feedback_reason,
            recall_id=recall_id,
            query=query,
            items=items,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return _answer(result, render.rated(result))

    async def update_memory(
        self,
        memory_id: Annotated[str, Field(description="From recall or remember")],
        content: Annotated[str, Field(description="The corrected text")] = "",
        tags: Annotated[list[str] | None, Field(description="New tags; [] removes all")] = None,
        metadata: Annotated[
            dict[str, Any] | None, Field(description="Merged by key; null deletes a key")
        ] = None,
        expires_at: Annotated[str, Field(description="When to stop recalling it")] = "",
        valid_until: Annotated[str, Field(description="When it stopped being true")] = "",
        outcome: Annotated[
            Outcome,
            Field(description="For an outcome: what it really was"),
        ] = "",
        status: Annotated[
            Literal["", "active", "archived"], Field(description="archived: not recalled")
        ] = "",
        reason: Annotated[str, Field(description="Why; kept in the history")] = "",
        user_id: User = "",
        agent_id: Agent = "",
        run_id: Run = "",
    ) -> Annotated[CallToolResult, UpdateResult]:
        """Correct or complete a memory; its earlier versions stay. Absent arguments change nothing.

        If the world changed, set valid_until on the old memory and remember the new fact.
        """
        memory = await self._lazy.get()
        result = await memory.update_memory(
            memory_id,
            content=content,
            tags=tags,
            metadata=metadata,
            expires_at=expires_at,
            valid_until=valid_until,
            outcome=outcome,
            status=status,
            reason=reason,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return _answer(result, render.updated(result))

    async def forget(
        self,
        memory_id: Annotated[str, Field(description="One memory; or use filters")] = "",
        filters: SameFilters = None,
        confirm: Annotated[
            bool, Field(description="With filters: forget them; without, only count")
        ] = False,
        purge: Annotated[bool, Field(description="Delete every version, history too")] = False,
        user_id: User = "",
        agent_id: Agent = "",
        run_id: Run = "",
    ) -> Annotated[CallToolResult, ForgetResult]:
        """Stop recalling a memory, when it is wrong or the user asks for it."""
        memory = await self._lazy.get()
        result = await memory.forget(
            memory_id,
            filters=filters,
            confirm=confirm,
            purge=purge,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return _answer(result, render.forgotten(result))

    async def get_memory(
        self,
        memory_id: Annotated[str, Field(description="From recall or list_memories")],
        history: Annotated[bool, Field(description="All versions, oldest first")] = False,
        user_id: User = "",
        agent_id: Agent = "",
        run_id: Run = "",
    ) -> Annotated[CallToolResult, GetResult]:
        """Show every field of one memory; with history how it came to be, even if forgotten."""
        memory = await self._lazy.get()
        result = await memory.get_memory(
            memory_id, history=history, user_id=user_id, agent_id=agent_id, run_id=run_id
        )
        return _answer(result, render.got(result))

    async def list_memories(
        self,
        filters: SameFilters = None,
        kinds: Kinds = [],  # noqa: B006
        tags: AnyTags = [],  # noqa: B006
        limit: Annotated[int, Field(description="1..200")] = 50,
        cursor: Annotated[str, Field(description="next_cursor of the page before")] = "",
        order: Annotated[Literal["newest", "oldest"], Field(description="First comes")] = "newest",
        user_id: User = "",
        agent_id: Agent = "",
        run_id: Run = "",
    ) -> Annotated[CallToolResult, ListResult]:
        """Page through memories by time, without a question."""
        memory = await self._lazy.get()
        result = await memory.list_memories(
            filters=filters,
            kinds=kinds,
            tags=tags,
            limit=limit,
            cursor=cursor,
            order=order,
            user_id=user_id,
            agent_id=agent_id,
            run_id=run_id,
        )
        return _answer(result, render.listed(result))


def _answer(result: BaseModel, text: str) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=result.model_dump(mode="json"),
    )
