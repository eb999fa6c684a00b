"""Completion of task_type, tool_name, tags and outcome in prompts and resource addresses."""

from __future__ import annotations

from typing import Any, get_args

from mcp.server import MCPServer
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from mem_mcp.api.models import GLOBAL_USER, Outcome
from mem_mcp.errors import NotPermitted
from mem_mcp.server.lazy_memory import LazyMemory

_MOST_COMPLETIONS = 20
_MOST_LOOKED_AT = 200
_COMPLETED = ("task_type", "tool_name", "tags")


def add_completion(server: MCPServer[Any], lazy: LazyMemory) -> None:
    """Offer completion from what the caller, and what all users share, has stored.

    Args:
        server: gets the completion.
        lazy: the memory whose newest entries are looked at.
    """

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(
        ref: PromptReference | ResourceTemplateReference,  # noqa: ARG001 - names mean the same in all
        argument: CompletionArgument,
        context: CompletionContext | None,  # noqa: ARG001 - the SDK passes it
    ) -> Completion | None:
        # Only of tags there may be several.
        head, _, last = argument.value.rpartition("," if argument.name == "tags" else "\0")
        if argument.name == "outcome":
            stored = set(get_args(Outcome))
        elif argument.name in _COMPLETED:
            try:
                stored = await _stored(lazy, argument.name)
            except NotPermitted:
                return None
        else:
            return None
        matching = sorted(value for value in stored if value.startswith(last.strip()))
        values = [f"{head},{value}" if head else value for value in matching[:_MOST_COMPLETIONS]]
        return Completion(values=values, total=len(matching), has_more=len(matching) > len(values))


async def _stored(lazy: LazyMemory, field: str) -> set[str]:
    """Return the values that a field has in the newest memories that have one."""
    values: set[str] = set()
    # What all users share may be read by each, and not named as a user.
    for memory, owner in ((await lazy.of_caller("read"), ""), (await lazy.get(), GLOBAL_USER)):
        newest = await memory.list_memories(
            filters={field: {"exists": True}}, limit=_MOST_LOOKED_AT, user_id=owner
        )
        for one in newest.memories:
            value = getattr(one, field)
            values.update(value if isinstance(value, list) else [value])
    return values
