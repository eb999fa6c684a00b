"""MCP resources: statistics, one memory with its history, the lessons of a task type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from pydantic import BaseModel

from mem_mcp.display import escaped
from mem_mcp.errors import MemError, NotFound
from mem_mcp.server import render
from mem_mcp.server.lazy_memory import LazyMemory

_MOST_LESSONS = 20


def add_resources(server: MCPServer[Any], lazy: LazyMemory) -> None:
    """Offer what a host may show or attach, as JSON with every field.

    Args:
        server: gets the resources.
        lazy: the memory that they show; always the part of the token's user, or else of the default
            one.
    """

    @server.resource("memory://stats", title="Memory statistics", mime_type="application/json")
    async def stats() -> str:
        """Show what the memory holds."""
        with _resource_errors():
            return _json(await (await lazy.of_caller("admin")).stats(detailed=False))

    @server.resource(
        "memory://memories/{memory_id}", title="One memory", mime_type="application/json"
    )
    async def memory(memory_id: str) -> str:
        """Show one memory of the default user with its history."""
        with _resource_errors():
            return _json(await (await lazy.of_caller("read")).get_memory(memory_id, history=True))

    @server.resource(
        "memory://lessons/{task_type}", title="Lessons of a task type", mime_type="application/json"
    )
    async def lessons(task_type: str) -> str:
        """Show what the default user's agents learned about a sort of task."""
        task = " ".join(task_type.replace("_", " ").replace("-", " ").split()) or task_type
        with _resource_errors():
            memory = await lazy.of_caller("read")
            return _json(
                await memory.recall_lessons(task, task_type=task_type, limit=_MOST_LESSONS)
            )


@contextmanager
def _resource_errors() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise ResourceNotFoundError(render.refused(str(error))) from error
    except MemError as error:
        raise ResourceError(render.refused(str(error))) from error


def _json(result: BaseModel) -> str:
    return escaped(json.dumps(result.model_dump(mode="json"), ensure_ascii=False, indent=2))
