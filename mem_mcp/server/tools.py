"""The tools: their contract as the model reads it, over the engine's methods."""

# Annotations are evaluated by the SDK, so they stay real objects: no `from __future__` here.
from typing import Annotated, Any, Literal

from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from mem_mcp.models import (
    ForgetResult,
    GetResult,
    ListResult,
    RecallResult,
    RememberResult,
    UpdateResult,
)
from mem_mcp.server import render
from mem_mcp.server.opening import LazyMemory

User = Annotated[str, Field(description="Whose memory; empty: the default user")]
Agent = Annotated[str, Field(description="Agent; empty on reads: any")]
Run = Annotated[str, Field(description="Conversation or task; empty on reads: any")]
Filters = Annotated[
    dict[str, Any] | None,
    Field(
        description="Conditions, e.g. {'metadata.team': 'a', 'occurred_at': {'gte': "
        "'2026-01-01T00:00:00Z'}}; operators eq ne in nin gt gte lt lte contains icontains "
        "exists; AND, OR (lists), NOT"
    ),
]
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
        content: Annotated[str, Field(description="One self-contained statement")] = "",
        messages: Annotated[
            list[dict[str, Any]] | None,
            Field(
                description="Or a conversation, in order: [{role, content, name?, occurred_at?}]"
            ),
        ] = None,
        kind: Annotated[
            Literal["", "fact", "message", "procedure"],
            Field(description="Default: fact for content, message for messages"),
        ] = "",
        tags: Annotated[list[str], Field(description="Labels to filter by")] = [],  # noqa: B006
        metadata: Annotated[
            dict[str, Any] | None, Field(description="Your own fields, for filters")
        ] = None,
        entities: Annotated[list[str], Field(description="Who or what it is about")] = [],  # noqa: B006
        relations: Annotated[
            list[dict[str, str]], Field(description="[{source, relation, target}]")
        ] = [],  # noqa: B006
        occurred_at: Annotated[
            str, Field(description="When it happened, ISO 8601 with time zone; default now")
        ] = "",
        expires_at: Annotated[str, Field(description="When to stop recalling it")] = "",
        infer: Annotated[
            Literal["auto", "always", "never"],
            Field(description="Whether a language model extracts facts, if one is configured"),
        ] = "auto",
        instructions: Annotated[str, Field(description="Extra rules for extraction")] = "",
        idempotency_key: Annotated[
            str, Field(description="A retry with the same key is not stored twice")
        ] = "",
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
        since: Annotated[str, Field(description="Occurred then or later (ISO 8601, zone)")] = "",
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

        Use it whenever the user, the project or earlier work may matter. Scores are absolute:
        low ones mean that nothing fitting is stored.
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
            Literal["", "success", "failure", "partial", "unknown"],
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
        filters: Filters = None,
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
        filters: Filters = None,
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
